"""What a vertical may declare in `conf/base/<vertical>/parameters.yml`, with every default.

The models are strict: an unknown key, a wrong type or a value out of range is refused; `declaration.read_vertical`
turns such a refusal into one message that names the key, the value and the remedy.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Declaration(BaseModel):
    """Base of every part of a declaration."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Dataset(Declaration):
    """Which column plays which role; every column without a role is a feature."""

    target: str = Field(description="name of the column to predict")
    positive: bool | int | float | str = Field(description="value of the target that counts as the positive class")
    id: str | None = Field(None, description="column that names a row; never a feature")
    exclude: list[str] = Field([], description="columns that are never features")
    sensitive: list[str] = Field([], description="columns kept for measuring fairness; never features")
    numeric: list[str] = Field([], description="columns that must hold numbers")
    categorical: list[str] = Field([], description="columns that hold categories, also where they look like numbers")

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
        return {
            "target": [self.target],
            "id": [self.id] if self.id is not None else [],
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
    """What the table must look like before anything is trained on it."""

    max_quarantined: float = Field(0.05, ge=0, lt=1, description="largest fraction of rows that may be quarantined")
    expectations: list[Expectation] = Field([], description="expectations on the table")


class Split(Declaration):
    """How rows are divided into training, validation and test rows."""

    strategy: Literal["stratified"] = Field("stratified", description="how rows are drawn")
    test: Fraction = Field(0.2, description="fraction of all rows kept for the test")
    validation: Fraction = Field(0.2, description="fraction of all rows kept for early stopping and the threshold")
    seed: int = Field(7, ge=0, description="seed of the draw")

    @model_validator(mode="after")
    def _rows_left_to_train(self) -> Split:
        if self.test + self.validation >= 1:
            total = self.test + self.validation
            raise ValueError(f"test + validation is {total:g}, which leaves no row to train on; keep the sum below 1")
        return self


class Training(Declaration):
    """The network and how it is fitted."""

    epochs: int = Field(200, ge=1, description="most passes over the training rows")
    patience: int = Field(16, ge=1, description="epochs without a better validation log loss before stopping")
    batch_size: int | None = Field(None, ge=2, description="rows a step; by default it grows with the table")
    learning_rate: float = Field(1e-3, gt=0, description="step size of AdamW")
    weight_decay: float = Field(3e-4, ge=0, description="weight decay of AdamW; biases are exempt")
    layers: int = Field(2, ge=1, description="hidden layers")
    width: int = Field(128, ge=1, description="units a hidden layer")
    dropout: float = Field(0.2, ge=0, lt=1, description="fraction of hidden units dropped while training")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes a CUDA card where there is one")
    threads: int = Field(1, ge=1, description="CPU threads of torch")
    seed: int = Field(7, ge=0, description="seed of weights, batches and baselines")


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

    dataset: Dataset = Field(description="which column plays which role")
    ingestion: Ingestion = Field(Ingestion(), description="how raw text becomes values")
    contract: Contract = Field(Contract(), description="what the table must look like")
    split: Split = Field(Split(), description="how rows are divided")
    training: Training = Field(Training(), description="the network and how it is fitted")
    evaluation: Evaluation = Field(Evaluation(), description="how quality is measured")
    gate: Gate = Field(Gate(), description="what a model must reach to become champion")
