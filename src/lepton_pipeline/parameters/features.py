"""What is made of the table: further columns, the guard against leaks, and the parts of the split."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from lepton_pipeline.parameters.base import Declaration, Duration, Fraction


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


class Features(Declaration):
    """Columns made of the table's own; `docs/features.md` shows each kind."""

    derive: dict[str, str] = Field({}, description="expression of each new column, also applied in serving")
    windows: dict[str, Window] = Field({}, description="new columns computed from earlier rows")

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
    trusted: list[str] = Field([], description="features that may exceed it, because it is known why")
    on_leak: Literal["stop", "warn"] = Field("stop", description="what a leak does")
    on_noise: Literal["warn", "drop"] = Field("warn", description="what to do with features that are noise")


class Split(Declaration):
    """How rows are divided into training, validation and test rows."""

    strategy: Literal["stratified", "time", "group", "time_group"] = Field(
        "stratified",
        description="at random; earlier rows before later ones; whole groups; by time and with new groups only",
    )
    test: Fraction = Field(0.2, description="fraction of all rows kept for the test")
    validation: Fraction = Field(0.2, description="fraction kept for early stopping and the threshold")
    gap: Duration = Field(0, description="time left out between parts, beyond dataset.label_delay")
    seed: int = Field(7, ge=0, description="seed of the draw; a split by time draws nothing")
    rows: int | None = Field(None, ge=10, description="most rows that are divided, evenly spaced")
    copies: Literal["stop", "allow"] = Field(
        "stop", description="what to do if copies across parts decide the result"
    )

    @model_validator(mode="after")
    def _rows_left_to_train(self) -> Split:
        if self.test + self.validation >= 1:
            total = self.test + self.validation
            raise ValueError(f"test + validation is {total:g}, so no training row is left; keep it below 1")
        return self
