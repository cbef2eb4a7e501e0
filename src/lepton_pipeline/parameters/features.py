"""What is made of the table: further columns, the guard against leaks, and the parts of the split."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lepton_pipeline.parameters.base import Declaration, Duration, Fraction

Value = bool | int | float | str
Values = Annotated[list[Value], Field(min_length=1)]


class Window(Declaration):
    """A statistic of earlier rows, as they were known at the time of a row."""

    statistic: Literal["lag", "mean", "sum", "min", "max", "std", "count"] = Field(description="its kind")
    of: str | None = Field(None, description="column of numbers; count needs none")
    by: list[str] = Field([], description="only rows with the same values in these columns count")
    rows: int | None = Field(None, ge=1, description="the last so many earlier rows; for lag: rows back")
    within: Duration | None = Field(None, description="earlier rows up to this long ago, such as 24h")
    known: str | None = Field(None, description="column of when a row's value was known; default: its time")

    @model_validator(mode="after")
    def _is_complete(self) -> Window:
        if self.of is None and self.statistic != "count":
            raise ValueError(f"of: {self.statistic} needs a column; declare of")
        if self.statistic == "lag" and (self.rows is None or self.within is not None):
            raise ValueError("lag takes rows (how many rows back) and no within")
        if self.rows is not None and self.within is not None:
            raise ValueError("declare either rows or within, or neither for all earlier rows")
        return self


class Text(Declaration):
    """What is done with columns of texts beside their n-grams; see `docs/text.md`."""

    encoder: str | None = Field(
        None,
        min_length=1,
        description="frozen encoder of sentences: a folder of sentence-transformers, or an installed package with one",
    )
    carry: bool = Field(False, description="whether versions carry the encoder's files")
    sha256: str | None = Field(
        None, description="hash that the encoder's files must have; None: a run notes what they have"
    )
    retrieval: str | None = Field(
        None, description="column of masked texts, of which the three nearest stand beside a case handed over"
    )
    # Specific to a run, not declared.
    cache: str | None = Field(None, exclude=True, description="folder of embeddings that are known already")

    @model_validator(mode="after")
    def _says_something(self) -> Text:
        if self.encoder is None and (self.carry or self.sha256 is not None):
            raise ValueError("carry and sha256: they have no effect without an encoder; declare one")
        if self.encoder is None and self.retrieval is None:
            raise ValueError("declare an encoder, retrieval or both")
        return self


class Features(Declaration):
    """Columns made of the table's own; `docs/features.md` shows each kind."""

    derive: dict[str, str] = Field({}, description="expression of each new column, also applied in serving")
    windows: dict[str, Window] = Field({}, description="new columns computed from earlier rows")
    # Excluded if absent, to keep recorded declarations of others.
    text: Text | None = Field(
        None, exclude_if=lambda text: text is None, description="what is done with columns of texts"
    )

    @model_validator(mode="after")
    def _each_name_once(self) -> Features:
        if twice := sorted(self.derive.keys() & self.windows.keys()):
            raise ValueError(f"{twice[0]!r} is declared both in derive and in windows; rename one")
        return self

    def names(self) -> list[str]:
        """Names of the columns it makes."""
        return [*self.derive, *self.windows]


class Leaks(Declaration):
    """What makes a feature too good, or too useless, to be honest."""

    max_auc: float | None = Field(
        None,
        gt=0.5,
        le=1,
        description="largest AUC of one feature alone; more stops a run. Not declared: more than 0.95 warns",
    )
    # Excluded if absent, to keep recorded declarations of others.
    max_r2: float | None = Field(
        None,
        gt=0,
        le=1,
        exclude_if=lambda bound: bound is None,
        description="largest share of the variance of a number's ranks that one feature alone explains, likewise",
    )
    trusted: list[str] = Field([], description="features that may exceed it, because it is known why")
    on_leak: Literal["stop", "warn"] = Field("stop", description="what a leak does")
    on_noise: Literal["warn", "drop"] = Field("warn", description="what to do with features that are noise")


class Split(Declaration):
    """How rows are divided into training, validation and test rows."""

    strategy: Literal["stratified", "time", "group", "time_group", "column"] = Field(
        "stratified",
        description="at random; earlier rows before later ones; whole groups; by time and with new groups only; "
        "as a column says",
    )
    # Excluded if absent, to keep recorded declarations of others.
    column: str | None = Field(
        None, exclude_if=lambda name: name is None, description="column that names each row's part"
    )
    test: Fraction | Values = Field(
        0.2, description="fraction of all rows kept for the test, or its values of column"
    )
    validation: Fraction | Values = Field(
        0.2, description="fraction kept for early stopping and the threshold, or its values of column"
    )
    gap: Duration = Field(0, description="time left out between parts, beyond dataset.label_delay")
    seed: int = Field(7, ge=0, description="seed of the draw; a split by time draws nothing")
    rows: int | None = Field(None, ge=10, description="most rows that are divided, evenly spaced")
    copies: Literal["stop", "allow"] = Field(
        "stop", description="what to do if copies across parts decide the result"
    )

    @model_validator(mode="after")
    def _rows_left_to_train(self) -> Split:
        if isinstance(self.test, float) and isinstance(self.validation, float):
            total = self.test + self.validation
            if total >= 1:
                raise ValueError(
                    f"test + validation is {total:g}, so no training row is left; keep it below 1"
                )
        return self

    @model_validator(mode="after")
    def _parts_are_named_for_a_column(self) -> Split:
        named = isinstance(self.test, list) and isinstance(self.validation, list)
        if self.strategy == "column":
            if self.column is None or not named:
                raise ValueError(
                    "strategy column needs the column, and its values in test and in validation, such as "
                    "column: part, validation: [dev], test: [test]; rows with other values are trained on"
                )
            if twice := [value for value in self.values("test") if value in self.values("validation")]:
                raise ValueError(f"{twice[0]!r} is in both test and validation; keep it in one of them")
        elif self.column is not None or isinstance(self.test, list) or isinstance(self.validation, list):
            raise ValueError(f"column and lists of values have no effect with {self.strategy!r}; use column")
        return self

    def values(self, part: str) -> list[Value]:
        """Values of `column` in a part, "validation" or "test"; empty for other strategies."""
        declared = getattr(self, part)
        return declared if isinstance(declared, list) else []

    def share(self, part: str) -> float:
        """Fraction of all rows in a part, "validation" or "test"; 0 where a column names the parts."""
        declared = getattr(self, part)
        return declared if isinstance(declared, float) else 0.0
