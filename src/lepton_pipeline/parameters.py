"""What a vertical may declare in `conf/base/<vertical>/parameters.yml`, with every default.

The models are strict: an unknown key, a wrong type or a value out of range is refused; `declaration.read_vertical`
turns such a refusal into one message that names the key, the value and the remedy.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Fraction = Annotated[float, Field(gt=0, lt=1)]


def _require_duration(value: str | int) -> str | int:
    if value < 0 if isinstance(value, int) else not re.fullmatch(r"\d+(\.\d+)?(s|min|h|d|w)", value):
        raise ValueError(f"{value!r} is no duration; write 90d, 12h, 10min, 30s or 2w, or a number beside numbers")
    return value


# A number counts in the units of a time column that holds numbers.
Duration = Annotated[str | int, AfterValidator(_require_duration)]


class Declaration(BaseModel):
    """Base of every part of a declaration."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class About(Declaration):
    """What people must know who see a result of the vertical."""

    question: str = Field("", description="what the model answers, in one sentence")
    caution: str = Field("", description="what stands beside every result, such as: synthetic data")


class Dataset(Declaration):
    """Which column plays which role; every column without a role is a feature."""

    target: str = Field(description="name of the column to predict")
    positive: bool | int | float | str | None = Field(
        None, description="value of the target that counts as the positive class; the target has one other value"
    )
    positive_when: str | None = Field(
        None, description="expression over the target that is true for the positive class, such as delay >= 15"
    )
    id: str | None = Field(None, description="column that names a row; never a feature")
    time: str | None = Field(None, description="column of dates, or of numbers in their order; never a feature")
    group: str | None = Field(None, description="column of what several rows belong to; never a feature")
    label_delay: Duration = Field(0, description="time from a row until its label is known, such as 90d, 12h or 10min")
    exclude: list[str] = Field([], description="columns that are never features")
    sensitive: list[str] = Field([], description="columns kept for measuring fairness; never features")
    numeric: list[str] = Field([], description="columns that must hold numbers")
    categorical: list[str] = Field([], description="columns that hold categories, also where they look like numbers")

    @model_validator(mode="after")
    def _one_rule_for_positive(self) -> Dataset:
        if (self.positive is None) == (self.positive_when is None):
            raise ValueError("declare either positive (a value of the target) or positive_when (an expression)")
        return self

    @model_validator(mode="after")
    def _one_role_a_column(self) -> Dataset:
        seen: dict[str, str] = {}
        for role, columns in self.roles().items():
            for column in columns:
                if column in seen and {role, seen[column]} not in (
                    {"sensitive", "numeric"},
                    {"sensitive", "categorical"},
                ):
                    raise ValueError(f"column {column!r} is declared both as {seen[column]} and as {role}; keep one")
                seen[column] = role
        return self

    def roles(self) -> dict[str, list[str]]:
        """Columns by declared role; a role without a column is an empty list."""
        single = {"target": self.target, "id": self.id, "time": self.time, "group": self.group}
        return {
            **{role: [] if column is None else [column] for role, column in single.items()},
            "exclude": self.exclude,
            "sensitive": self.sensitive,
            "numeric": self.numeric,
            "categorical": self.categorical,
        }


class Ingestion(Declaration):
    """How the text of a raw file becomes values."""

    separator: str = Field(",", min_length=1, max_length=1, description="one character between two fields")
    decimal: Literal[".", ","] = Field(".", description="decimal mark of numbers")
    encoding: str = Field("utf-8", description="text encoding; a byte order mark is always dropped")
    missing: list[str] = Field(
        ["", "NA", "N/A", "NaN", "nan", "null", "NULL"],
        description="texts that mean: no value (blanks around are ignored)",
    )
    dates: dict[str, str] = Field({}, description="format of each column of dates, such as %d/%m/%Y %H:%M, or ISO8601")


class Expectation(BaseModel):
    """One Great Expectations expectation.

    The keys after `on_failure` are arguments that many expectations take; what else is declared is an argument, too.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    expect: str = Field(description="expectation type without its expect_ prefix")
    on_failure: Literal["stop", "quarantine", "warn"] = Field("stop", description="what a failure does")
    column: str | None = Field(None, description="column the expectation is about")
    column_A: str | None = Field(None, description="first column of a pair")
    column_B: str | None = Field(None, description="second column of a pair")
    column_list: list[str] | None = Field(None, description="columns of an expectation over several")
    value_set: list[Any] | None = Field(None, description="allowed values")
    mostly: float | None = Field(None, ge=0, le=1, description="fraction of rows that must conform")
    min_value: int | float | date | str | None = Field(None, description="smallest allowed value")
    max_value: int | float | date | str | None = Field(None, description="largest allowed value")
    strict_min: bool | None = Field(None, description="whether the smallest value itself is not allowed")
    strict_max: bool | None = Field(None, description="whether the largest value itself is not allowed")
    or_equal: bool | None = Field(None, description="whether both columns of a pair may be equal")
    regex: str | None = Field(None, description="pattern that values must match")
    regex_list: list[str] | None = Field(None, description="patterns that values must match")
    type_: str | None = Field(None, description="type that values must have")
    type_list: list[str] | None = Field(None, description="types that values may have")
    table: str | None = Field(None, description="raw table in which keys must be found")
    table_columns: list[str] | None = Field(None, description="key columns of that table, where their names differ")

    @model_serializer(mode="wrap")
    def _as_declared(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if value is not None}

    def columns(self) -> list[str]:
        """Columns the expectation reads."""
        single = [name for name in (self.column, self.column_A, self.column_B) if name is not None]
        return single + (self.column_list or [])

    def arguments(self) -> dict[str, Any]:
        """Arguments as Great Expectations takes them: what was declared, without our own two keys."""
        return self.model_dump(exclude={"expect", "on_failure"})


class Contract(Declaration):
    """What a table must look like before anything is made of it."""

    max_quarantined: float = Field(0.05, ge=0, lt=1, description="largest fraction of rows that may be quarantined")
    expectations: list[Expectation] = Field([], description="expectations on the table")


class Window(Declaration):
    """A statistic of earlier rows, as they were known at the time of a row."""

    statistic: Literal["lag", "mean", "sum", "min", "max", "std", "count"] = Field(description="what is computed")
    of: str | None = Field(None, description="column of numbers; count needs none")
    by: list[str] = Field([], description="only rows with the same values in these columns count")
    rows: int | None = Field(None, ge=1, description="the last so many earlier rows; for lag, how many rows back")
    within: Duration | None = Field(None, description="earlier rows up to this long ago, such as 24h")
    known: str | None = Field(
        None, description="column with the time at which a row's value was known; by default the time of the row"
    )

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

    derive: dict[str, str] = Field({}, description="expression of each new column, row by row; also applied in serving")
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

    max_auc: float = Field(0.95, gt=0.5, le=1, description="largest AUC that one feature alone may reach")
    trusted: list[str] = Field([], description="features that may exceed it, because it is known why")
    on_leak: Literal["stop", "warn"] = Field("stop", description="what a leak does")
    on_noise: Literal["warn", "drop"] = Field("warn", description="what is done about features that are pure noise")


class Split(Declaration):
    """How rows are divided into training, validation and test rows."""

    strategy: Literal["stratified", "time", "group", "time_group"] = Field(
        "stratified",
        description="at random; earlier rows before later ones; whole groups; by time and with new groups only",
    )
    test: Fraction = Field(0.2, description="fraction of all rows kept for the test")
    validation: Fraction = Field(0.2, description="fraction of all rows kept for early stopping and the threshold")
    gap: Duration = Field(0, description="time left out between parts, beyond dataset.label_delay")
    seed: int = Field(7, ge=0, description="seed of the draw; a split by time draws nothing")

    @model_validator(mode="after")
    def _rows_left_to_train(self) -> Split:
        if self.test + self.validation >= 1:
            total = self.test + self.validation
            raise ValueError(f"test + validation is {total:g}, which leaves no row to train on; keep the sum below 1")
        return self


# What `training.model` may name: the class of its network, imported when it is needed.
MODELS = {
    "default": "lepton_pipeline.model.members:Members",
    "mlp": "lepton_pipeline.model.perceptron:Perceptron",
    "linear": "lepton_pipeline.model.perceptron:Linear",
}


def _require_model(value: str) -> str:
    if value not in MODELS:
        raise ValueError(f"{value!r} is no model; choose one of {', '.join(MODELS)}")
    return value


class Training(Declaration):
    """The model and how it is fitted.

    What is left at None is chosen by the table's rows and columns: see `model.defaults`. Sources are in docs/model.md.
    """

    model: Annotated[str, AfterValidator(_require_model)] = Field(
        "default", description="default: members, boosting and calibration; mlp, linear: that network alone"
    )
    networks: int | None = Field(None, ge=1, le=64, description="networks from different weights; with folds, one each")
    members: int = Field(4, ge=1, le=64, description="predictors in one network, sharing most of their weights")
    bins: int = Field(16, ge=1, le=128, description="pieces of the piecewise-linear embedding of a number")
    embedding: int | None = Field(None, ge=1, le=128, description="numbers that stand for the value of one column")
    layers: int = Field(2, ge=1, le=8, description="hidden layers")
    width: int = Field(128, ge=1, le=4096, description="units a hidden layer")
    dropout: float = Field(0.2, ge=0, lt=1, description="fraction of hidden units dropped while training")
    epochs: int = Field(200, ge=1, description="most passes over the training rows")
    patience: int | None = Field(None, ge=1, description="epochs without a better held-out log loss before stopping")
    batch_size: int | None = Field(None, ge=2, description="rows a step")
    learning_rate: float = Field(2e-3, gt=0, description="step size of AdamW")
    weight_decay: float = Field(3e-4, ge=0, description="weight decay of AdamW; biases and embeddings are exempt")
    class_weight: Literal["none", "balanced"] = Field(
        "none", description="balanced gives both classes the same total weight; probabilities then overstate the rarer"
    )
    boosting: bool | None = Field(None, description="blend with gradient boosting; None: only where model is default")
    calibrate: bool = Field(True, description="calibrate where that lowers the log loss of held-out rows, not by time")
    precision: Literal["auto", "fp32", "tf32", "bf16"] = Field(
        "auto", description="of matrix products on a CUDA card; auto: bf16 where the card has it; a CPU takes fp32"
    )
    cuda_graph: bool = Field(True, description="capture the training step on a CUDA card and replay it")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes a CUDA card where there is one")
    threads: int = Field(1, ge=1, description="CPU threads of torch and of boosting")
    seed: int = Field(7, ge=0, description="seed of weights, batches, boosting and baselines")


class Evaluation(Declaration):
    """How quality is measured on the test rows."""

    resamples: int = Field(1000, ge=100, description="bootstrap resamples behind every 95 % interval")
    seed: int = Field(7, ge=0, description="seed of the resamples")


class Gate(Declaration):
    """What a model must reach before the alias `champion` moves to it."""

    metric: Literal["auc", "average_precision", "f1"] = Field("auc", description="metric of the test rows that decides")
    at_least: float = Field(0.5, ge=0, le=1, description="smallest value that may be promoted")


class Vertical(Declaration):
    """Everything a vertical declares; only `dataset` has no default."""

    about: About = Field(About(), description="what people must know who see a result")
    dataset: Dataset = Field(description="which column plays which role")
    ingestion: Ingestion = Field(Ingestion(), description="how raw text becomes values")
    tables: dict[str, Contract] = Field({}, description="contract of each raw table that the vertical's module reads")
    contract: Contract = Field(Contract(), description="what the table must look like")
    features: Features = Field(Features(), description="columns made of the table's own")
    split: Split = Field(Split(), description="how rows are divided")
    leaks: Leaks = Field(Leaks(), description="what makes a feature suspicious")
    training: Training = Field(Training(), description="the model and how it is fitted")
    evaluation: Evaluation = Field(Evaluation(), description="how quality is measured")
    gate: Gate = Field(Gate(), description="what a model must reach to become champion")

    @model_validator(mode="after")
    def _split_has_its_columns(self) -> Vertical:
        strategy, dataset = self.split.strategy, self.dataset
        by_time = strategy in ("time", "time_group")
        if by_time and dataset.time is None:
            raise ValueError(f"split.strategy: {strategy!r} needs dataset.time; declare the column of dates or order")
        if strategy in ("group", "time_group") and dataset.group is None:
            raise ValueError(f"split.strategy: {strategy!r} needs dataset.group; declare the column of groups")
        for key, value in (("dataset.label_delay", dataset.label_delay), ("split.gap", self.split.gap)):
            if value != 0 and not by_time:
                raise ValueError(f"{key}: {value!r} has no effect with strategy {strategy!r}; use time or time_group")
        if self.features.windows and dataset.time is None:
            raise ValueError("features.windows: they need dataset.time, to know which rows are earlier; declare it")
        return self
