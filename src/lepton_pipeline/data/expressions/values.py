"""Columns and constants as expressions see them: kinds of values, each of which may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Kind = Literal["number", "text", "condition", "date", "duration", "missing"]
Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

# Three-valued logic: `and` is the minimum, `or` the maximum, `not` the distance from TRUE.
FALSE, UNKNOWN, TRUE = 0, 1, 2
# Microseconds, about 3,000 years: sums of a date and a few such durations stay within int64.
_LONGEST = 1e17
EXACT = 2.0**62


class EvaluationError(Exception):
    """An operator or a function does not take these values."""


@dataclass(frozen=True, eq=False)
class Value:
    """One value a row, or one for every row.

    Attributes:
        kind: "missing" where a column has no value at all, and so fits any kind.
        array: [rows] or [1]. number: int64, or float64 with NaN as missing and no infinity; text: pandas'
            str; condition: int8 of FALSE, UNKNOWN and TRUE; date: datetime64[us], UTC where there is a zone;
            duration: timedelta64[us]; missing: one NaN.
        constant: whether it is written in the expression.
    """

    kind: Kind
    array: Any
    zone: tzinfo | None = None
    constant: bool = False


MISSING = Value("missing", np.array([np.nan]))


def constant(value: float | str | bool) -> Value:
    """Value of a literal number, text, True or False; NaN is of the kind missing."""
    if value != value:
        return MISSING
    if isinstance(value, str):
        return Value("text", pd.array([value], dtype="str"), constant=True)
    if isinstance(value, bool):
        return Value("condition", np.array([TRUE if value else FALSE], np.int8), constant=True)
    whole = isinstance(value, int) and abs(value) < EXACT
    return Value("number", np.array([value], np.int64 if whole else np.float64), constant=True)


def from_column(column: pd.Series) -> Value:
    """Value of a column of any dtype; an EvaluationError where it holds values of several kinds."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = pd.Series(np.asarray(column))
    if column.dtype == object:
        column = _inferred(column)
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return Value("date", _microseconds(column.dt.tz_convert("UTC").dt.tz_localize(None)), dtype.tz)
    if pd.api.types.is_datetime64_dtype(dtype):
        return Value("date", _microseconds(column))
    if pd.api.types.is_timedelta64_dtype(dtype):
        return Value("duration", _microseconds(column))
    if len(column) and column.isna().all():
        return MISSING
    if pd.api.types.is_bool_dtype(dtype):
        return condition(column.to_numpy(bool, na_value=False), column.isna().to_numpy())
    if pd.api.types.is_string_dtype(dtype):
        return Value("text", column.astype("str").array)
    if pd.api.types.is_integer_dtype(dtype) and not column.hasnans and dtype != np.uint64:
        return Value("number", column.to_numpy(np.int64))
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return number(column.to_numpy(np.float64, na_value=np.nan))
    raise EvaluationError(
        f"values of type {dtype} are not supported; give numbers, texts, dates or truth values"
    )


def to_column(value: Value, index: pd.Index) -> pd.Series:
    """The value as a column: int64 or float64, bool (False where unknown), str or datetime64."""
    if value.kind == "duration":
        raise EvaluationError("the result is a duration; divide it, as in / hours(1), or use days_between")
    if value.kind == "text":
        one_each = len(value.array) == len(index)
        texts = value.array.copy() if one_each else value.array.take(np.zeros(len(index), np.intp))
        return pd.Series(texts, index=index)
    array = value.array == TRUE if value.kind == "condition" else value.array
    column = pd.Series(np.broadcast_to(array, len(index)), index=index, copy=True)
    return column if value.zone is None else column.dt.tz_localize("UTC").dt.tz_convert(value.zone)


def number(array: npt.NDArray[Any]) -> Value:
    """Value of an array of any numbers; infinity is missing."""
    if np.issubdtype(array.dtype, np.integer):
        return Value("number", array.astype(np.int64, copy=False))
    return Value("number", np.where(np.isfinite(array), array, np.nan).astype(np.float64, copy=False))


def condition(truth: Truths, missing: Truths | bool = False) -> Value:
    """Value that is true, false, or unknown where missing."""
    return Value("condition", np.where(missing, UNKNOWN, np.where(truth, TRUE, FALSE)).astype(np.int8))


def durations(microseconds: Floats) -> Value:
    """Value of durations; NaN and more than some 3,000 years are missing."""
    fits = np.abs(microseconds) < _LONGEST
    whole = np.where(fits, np.rint(microseconds), 0).astype(np.int64).astype("timedelta64[us]")
    return Value("duration", np.where(fits, whole, np.timedelta64("NaT", "us")))


def is_missing(value: Value) -> Truths:
    """Whether there is no value; for a condition, whether it is unknown."""
    return value.array == UNKNOWN if value.kind == "condition" else np.asarray(pd.isna(value.array))


def as_kind(value: Value, kind: Kind, zone: tzinfo | None = None) -> Value:
    """Convert to another kind, or raise an EvaluationError.

    Conditions become 0 and 1, literal texts in ISO 8601 dates in `zone`, and missing values any kind.
    """
    if value.kind == kind:
        return value
    if value.kind == "missing":
        return missing_value(kind, zone)
    if value.kind == "condition" and kind == "number":
        numbers, unknown = (value.array == TRUE).astype(np.int64), value.array == UNKNOWN
        array = np.where(unknown, np.nan, numbers) if unknown.any() else numbers
        return Value(kind, array, constant=value.constant)
    if value.kind == "text" and kind == "date" and value.constant:
        return _date_constant(value.array[0], zone)
    hint = "; compare it, such as x > 0" if kind == "condition" else ""
    raise EvaluationError(f"a {kind} is needed, not a {value.kind}{hint}")


def aligned(values: Sequence[Value]) -> list[Value]:
    """Convert values to one kind, dates all with or all without a zone, or raise an EvaluationError."""
    kinds = {value.kind for value in values} - {"missing"}
    if kinds == {"number", "condition"}:
        kinds = {"number"}
    elif kinds == {"date", "text"} and all(value.constant for value in values if value.kind == "text"):
        kinds = {"date"}
    if len(kinds) > 1:
        raise EvaluationError(
            f"values of one kind are needed, not {' and '.join(f'a {kind}' for kind in sorted(kinds))}"
        )
    kind: Kind = kinds.pop() if kinds else "missing"
    zone = next((value.zone for value in values if value.kind == "date"), None)
    alike = [as_kind(value, kind, zone) for value in values]
    if any((value.zone is None) != (zone is None) for value in alike):
        raise EvaluationError("dates with a time zone cannot be mixed with dates without one")
    return alike


def local_time(value: Value) -> pd.Series:
    """Dates in their time zone, without it."""
    dates = pd.Series(value.array)
    if value.zone is None:
        return dates
    return dates.dt.tz_localize("UTC").dt.tz_convert(value.zone).dt.tz_localize(None)


def _inferred(column: pd.Series) -> pd.Series:
    found = pd.api.types.infer_dtype(column, skipna=True)
    if found == "empty":
        return pd.Series(np.nan, index=column.index)
    if found == "boolean":
        return column.astype("boolean")
    if found == "string":
        return column.astype("str")
    if found in ("integer", "floating", "mixed-integer-float", "decimal"):
        return column.astype(np.float64)
    if found in ("datetime", "datetime64", "date"):
        return pd.to_datetime(column)
    raise EvaluationError("a column must hold values of one kind")


def _microseconds(column: pd.Series) -> npt.NDArray[Any]:
    return np.asarray(column.dt.as_unit("us").to_numpy())


def missing_value(kind: Kind, zone: tzinfo | None = None) -> Value:
    """The missing value of a kind."""
    arrays: dict[Kind, Any] = {
        "text": pd.array([np.nan], dtype="str"),
        "condition": np.array([UNKNOWN], np.int8),
        "date": np.array(["NaT"], "datetime64[us]"),
        "duration": np.array(["NaT"], "timedelta64[us]"),
    }
    return Value(kind, arrays.get(kind, MISSING.array), zone if kind == "date" else None)


def _date_constant(text: str, zone: tzinfo | None) -> Value:
    try:
        moment = pd.to_datetime(text, format="ISO8601")
        if zone is not None and moment.tzinfo is None:
            moment = moment.tz_localize(zone)
    except ValueError as error:
        raise EvaluationError(f"{text!r} is compared with dates; write it as '2024-01-31'") from error
    aware = moment.tzinfo is not None
    naive = moment.tz_convert(None) if aware else moment
    return Value("date", np.array([naive.to_datetime64()], "datetime64[us]"), moment.tzinfo, constant=True)
