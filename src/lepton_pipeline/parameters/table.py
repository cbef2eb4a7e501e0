"""The table of a vertical: what it answers, the roles of its columns, its raw text and its contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from unicodedata import normalize
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_serializer, model_validator

from lepton_pipeline.parameters.base import Declaration, Duration, code_text
from lepton_pipeline.parameters.mask import Mask
from lepton_pipeline.parameters.served import ServedLog

# Tasks whose target is a number.
NUMBERS = ("regression", "forecast")
# Roles that one column may have, in the order of `Dataset.roles`.
_BOTH_ROLES = (("sensitive", "numeric"), ("sensitive", "categorical"))


def utc_text(at: datetime) -> str:
    """A time as `Dataset.present` stores it: ISO 8601 in UTC, without the zone."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


class About(Declaration):
    """What people must know who see a result of the vertical."""

    question: str = Field("", description="what the model answers, in one sentence")
    caution: str = Field("", description="what stands beside every result, such as: synthetic data")
    intended_use: str = Field("", description="what the model is for, and who acts on it")
    out_of_scope: str = Field("", description="what it must not be used for")
    limits: str = Field("", description="what is known to limit it, beyond the caution")
    licence: str = Field("", description="source and licence of the data")


class Dataset(Declaration):
    """Which column plays which role; every column without a role is a feature."""

    target: str = Field(description="name of the column to predict")
    positive: bool | int | float | str | None = Field(None, description="value of the positive class")
    positive_when: str | None = Field(None, description="expression over the target, such as delay >= 15")
    # Excluded if absent, as others below, to keep recorded declarations of others.
    classes: Literal["all"] | list[bool | int | float | str] | None = Field(
        None,
        exclude_if=lambda classes: classes is None,
        description="classes to tell apart: all values of the target, or a list of three or more",
    )
    rare_classes: Literal["stop", "group"] = Field(
        "stop",
        exclude_if=lambda rare: rare == "stop",
        description="what becomes of classes of fewer than 10 rows: an error, or one class of all of them",
    )
    out_of_scope: list[bool | int | float | str] = Field(
        [],
        exclude_if=lambda values: not values,
        description="values of the target that are no class: such rows only choose and judge when to hand over",
    )
    replies: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        {}, exclude_if=lambda replies: not replies, description="what to reply when a class is decided on"
    )
    task: Literal["binary", "multiclass", "regression", "forecast"] = Field(
        "binary",
        exclude_if=lambda task: task not in NUMBERS,
        description="regression for a target that is a number; else told by positive, positive_when, classes, forecast",
    )
    transform: Literal["log"] | None = Field(
        None,
        exclude_if=lambda transform: transform is None,
        description="log: learn the logarithm of a positive target, whose errors grow with it",
    )
    weight: str | None = Field(
        None,
        exclude_if=lambda weight: weight is None,
        description="column of how much a row counts, 0 or more; never a feature",
    )
    scale: str | None = Field(
        None,
        exclude_if=lambda scale: scale is None,
        description="column by which a number is divided before it is learnt, above 0; never a feature by itself",
    )
    id: str | None = Field(None, description="column that names a row; never a feature")
    time: str | None = Field(None, description="column of dates, or of ordered numbers; never a feature")
    group: str | None = Field(None, description="column of what several rows belong to; never a feature")
    label_delay: Duration = Field(0, description="time until a row's label is known (90d, 12h, 10min)")
    as_of: str | int | float | None = Field(None, description="the present; later rows are ignored")
    # Specific to a run, not declared.
    present: str | int | float | None = Field(
        None, exclude=True, description="when labels are known: as_of or start"
    )
    since: str | int | float | None = Field(None, description="earlier rows serve windows only")
    exclude: list[str] = Field([], description="columns that are never features")
    sensitive: list[str] = Field([], description="columns kept for measuring fairness; never features")
    numeric: list[str] = Field([], description="columns that must hold numbers")
    categorical: list[str] = Field([], description="columns of categories, even if they look like numbers")
    text: list[str] = Field(
        [],
        exclude_if=lambda text: not text,
        description="columns of written language, learnt from by their words and pieces of words",
    )
    # Excluded if empty, to keep recorded declarations of others.
    labels: dict[str, dict[bool | int | float | str, str]] = Field(
        {},
        exclude_if=lambda labels: not labels,
        description="what values mean, by column, for pages and reasons",
    )
    answers: str | None = Field(
        None,
        exclude_if=lambda path: path is None,
        description="CSV file of the id and the answer of people, the target of rows that have none",
    )
    served_log: ServedLog | None = Field(
        None, exclude_if=lambda log: log is None, description="what a server may keep of the rows it scores"
    )

    @model_validator(mode="after")
    def _answers_have_an_id(self) -> Dataset:
        if self.answers is not None and self.id is None:
            raise ValueError(f"answers: {self.answers!r} belong to rows by their id; declare dataset.id")
        return self

    @model_validator(mode="after")
    def _labels_tell_values_apart(self) -> Dataset:
        for column, labels in self.labels.items():
            meant = [str(label) for label in labels.values()]
            if twice := [label for label in meant if meant.count(label) > 1]:
                raise ValueError(f"labels.{column}: {twice[0]!r} stands for several values; tell them apart")
        return self

    @field_validator("out_of_scope", mode="before")
    @classmethod
    def _one_value_or_several(cls, declared: Any) -> Any:
        return declared if isinstance(declared, list) else [declared]

    @field_validator("replies", mode="before")
    @classmethod
    def _named_as_classes(cls, declared: Any) -> Any:
        if not isinstance(declared, Mapping):
            return declared
        return {code_text(name): reply for name, reply in declared.items()}

    @model_validator(mode="before")
    @classmethod
    def _classes_are_a_task(cls, declared: Any) -> Any:
        if isinstance(declared, Mapping) and declared.get("classes") is not None:
            return {"task": "multiclass", **declared}
        return declared

    @model_validator(mode="after")
    def _says_each_thing_once(self) -> Dataset:
        ways = ("positive", "positive_when", "classes")
        declared = [way for way in ways if getattr(self, way) is not None]
        if len(declared) != (self.task not in NUMBERS):
            raise ValueError(
                "declare either positive (a value) or positive_when (an expression), or classes (all, or a list) for "
                "three or more of them, or task: regression for a number"
            )
        if (self.task == "multiclass") != (declared == ["classes"]):
            raise ValueError(f"task: {self.task} does not fit {declared[0]}; leave task out")
        if isinstance(self.classes, list) and len(self.classes) < 3:
            raise ValueError(
                f"classes: {self.classes!r} are fewer than three; for two of them declare positive, the value of one"
            )
        if self.transform is not None and self.task != "regression":
            raise ValueError("transform: it is for task: regression only; leave it out")
        if self.scale is not None and self.task not in NUMBERS:
            raise ValueError("scale: it is for a target that is a number; leave it out")
        for key in ("rare_classes", "out_of_scope", "replies"):
            if self.classes is None and getattr(self, key) not in ("stop", [], {}):
                raise ValueError(f"{key}: it has no effect without classes; leave it out")
        listed = [code_text(name) for name in self.classes] if isinstance(self.classes, list) else []
        if both := [value for value in self.out_of_scope if code_text(value) in listed]:
            raise ValueError(f"out_of_scope: {both[0]!r} is one of classes, too; keep one of them")
        seen: dict[str, str] = {}
        for role, columns in self.roles().items():
            for column in columns:
                if column in seen and (seen[column], role) not in _BOTH_ROLES:
                    raise ValueError(f"column {column!r} is declared as {seen[column]} and {role}; keep one")
                seen[column] = role
        return self

    @property
    def known_at(self) -> str | int | float | None:
        """The present: `as_of`, else `present`; None outside of runs."""
        return self.present if self.as_of is None else self.as_of

    @property
    def keys_excluded(self) -> list[str]:
        """Excluded columns that may be keys: several that tell series apart, none of which is a feature."""
        return self.exclude if self.task == "forecast" else []

    def roles(self) -> dict[str, list[str]]:
        """Columns by declared role, empty for an unused role."""
        single = {"target": self.target, "id": self.id, "time": self.time, "group": self.group}
        # Only where it is declared, as records of others list the roles.
        single |= {} if self.weight is None else {"weight": self.weight}
        single |= {} if self.scale is None else {"scale": self.scale}
        several = {"exclude": self.exclude, "sensitive": self.sensitive}
        several |= {"numeric": self.numeric, "categorical": self.categorical}
        several |= {"text": self.text} if self.text else {}
        return {role: [] if column is None else [column] for role, column in single.items()} | several


def label_of(labels: Mapping[Any, str], value: Any) -> str | None:
    """Label of a value, declared as it is or as its text; None without one.

    >>> label_of({1: "men", "2": "women"}, 1.0), label_of({1: "men", "2": "women"}, 2), label_of({}, 3)
    ('men', 'women', None)
    >>> label_of({1234567: "Oslo"}, 1234567.0), label_of({1234567: "Oslo"}, 1234568.0)
    ('Oslo', None)
    """
    text = code_text(value)
    return next((label for known, label in labels.items() if code_text(known) == text), None)


class Ingestion(Declaration):
    """How the text of a raw file becomes values."""

    separator: str = Field(",", min_length=1, max_length=1, description="one character between two fields")
    decimal: Literal[".", ","] = Field(".", description="decimal mark of numbers")
    encoding: str = Field("utf-8", description="text encoding; a byte order mark is always dropped")
    missing: list[str] = Field(
        ["", "NA", "N/A", "NaN", "nan", "null", "NULL"], description="texts for missing values (stripped)"
    )
    dates: dict[str, str] = Field({}, description="format of each date column: ISO8601 or %d/%m/%Y %H:%M")
    two_digit_years: dict[str, int] = Field({}, description="latest year meant by two-digit years, by column")
    zone: str | None = Field(None, description="zone of columns with several offsets; None: UTC")
    thousands: Literal[",", ".", " ", "'"] | None = Field(None, description="mark of thousands")
    units: list[str] = Field([], description="signs beside a number that are left out, such as $, EUR or %")
    accounting: bool = Field(False, description="whether (5) and 5- are written for -5")
    # Excluded if absent, to keep recorded declarations of others.
    mask: Mask | None = Field(
        None,
        exclude_if=lambda mask: mask is None,
        description="personal data in text, replaced before anything else sees it",
    )

    @field_validator("missing")
    @classmethod
    def _compared_as_read(cls, texts: list[str]) -> list[str]:
        """Stripped and composed, as values are."""
        return list(dict.fromkeys(normalize("NFC", text.strip()) for text in texts))

    @model_validator(mode="after")
    def _marks_differ(self) -> Ingestion:
        if self.thousands == self.decimal:
            raise ValueError(f"thousands: {self.thousands!r} is the decimal mark, too; declare another")
        for column in self.two_digit_years:
            if "%y" not in self.dates.get(column, ""):
                raise ValueError(
                    f"two_digit_years.{column}: the column has no format with %y in ingestion.dates; declare it there"
                )
        for column in () if self.mask is None else self.mask.names():
            if column in self.dates:
                raise ValueError(f"mask.columns: {column!r} is a date (ingestion.dates); declare one of them")
        try:
            ZoneInfo("UTC" if self.zone is None else self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            text = f"zone: {self.zone!r} is no time zone; declare one such as Europe/Berlin or UTC"
            raise ValueError(text) from error
        return self


class Expectation(BaseModel):
    """A Great Expectations expectation; keys after `on_failure`, and undeclared ones, are its arguments."""

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
    table_columns: list[str] | None = Field(None, description="its key columns, if their names differ")

    @model_serializer(mode="wrap")
    def _as_declared(self, dump: Callable[[Any], Any]) -> dict[str, object]:
        return {key: value for key, value in dump(self).items() if value is not None}

    def columns(self) -> list[str]:
        """Columns the expectation reads."""
        single = [name for name in (self.column, self.column_A, self.column_B) if name is not None]
        return single + (self.column_list or [])

    def arguments(self) -> dict[str, object]:
        """Declared arguments for Great Expectations."""
        return self.model_dump(exclude={"expect", "on_failure"})


class Contract(Declaration):
    """What a table must look like before anything is made of it."""

    time: str | None = Field(None, description="column of a raw table by which as_of drops later rows")
    max_quarantined: float = Field(0.05, ge=0, lt=1, description="largest fraction of quarantined rows")
    expectations: list[Expectation] = Field([], description="expectations on the table")
