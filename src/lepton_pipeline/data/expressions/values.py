"""What expressions compute with: columns and constants, each of which may be missing, and operators."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import reduce
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
_EXACT = 2.0**62
# As in a cell of a spreadsheet.
_LONGEST_TEXT = 32_767
_MOST_TEXT = 1 << 32
# Syntax, as users write it, and what computes it.
ARITHMETIC: dict[type[ast.AST], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", np.add),
    ast.Sub: ("-", np.subtract),
    ast.Mult: ("*", np.multiply),
    ast.Div: ("/", np.true_divide),
    ast.FloorDiv: ("//", np.floor_divide),
    ast.Mod: ("%", np.mod),
    ast.Pow: ("**", np.power),
}
COMPARISONS: dict[type[ast.AST], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}
_NUMERIC, _COMPARISONS = dict(ARITHMETIC.values()), dict(COMPARISONS.values())


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
    whole = isinstance(value, int) and abs(value) < _EXACT
    return Value("number", np.array([value], np.int64 if whole else np.float64), constant=True)


def from_column(column: pd.Series) -> Value:
    """Value of a column of any dtype; an EvaluationError where it holds values of several kinds."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = pd.Series(np.asarray(column))
    if column.dtype == object:
        # Without a value nothing tells its kind, with no row at all neither.
        if column.isna().all():
            return MISSING
        column = _inferred(column)
    dtype = column.dtype
    if dtype.kind in "mM":
        zone = dtype.tz if isinstance(dtype, pd.DatetimeTZDtype) else None
        instants = (column if zone is None else column.dt.tz_convert(None)).dt.as_unit("us")
        return Value("date" if dtype.kind == "M" else "duration", np.asarray(instants.to_numpy()), zone)
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
        return _missing_value(kind, zone)
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


def _inferred(column: pd.Series) -> pd.Series:
    found = pd.api.types.infer_dtype(column, skipna=True)
    if found == "boolean":
        return column.astype("boolean")
    if found == "string":
        return column.astype("str")
    if found in ("integer", "floating", "mixed-integer-float", "decimal"):
        return column.astype(np.float64)
    if found in ("datetime", "datetime64", "date"):
        return pd.to_datetime(column)
    raise EvaluationError("a column must hold values of one kind")


def _missing_value(kind: Kind, zone: tzinfo | None = None) -> Value:
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


def arithmetic(symbol: str, left: Value, right: Value) -> Value:
    """Combine two values with + - * / // % or **, or raise an EvaluationError.

    Missing operands, division by zero, and results that are not real or overflow give missing.
    """
    if "missing" in (left.kind, right.kind):
        return MISSING
    first, second = (as_kind(side, "number") if side.kind == "condition" else side for side in (left, right))
    match first.kind, symbol, second.kind:
        case "number", _, "number":
            return _numbers(symbol, first.array, second.array)
        case "text", "+", "text":
            return Value("text", _joined(first, second), constant=left.constant and right.constant)
        case ("date", "-", "date") | ("date", "-", "text") | ("text", "-", "date"):
            start, end = aligned([second, first])
            return Value("duration", end.array - start.array)
        case ("date", "+" | "-", "duration") | ("duration", "+", "date"):
            return Value("date", _NUMERIC[symbol](first.array, second.array), first.zone or second.zone)
        case "duration", "+" | "-", "duration":
            return durations(_NUMERIC[symbol](_as_floats(first), _as_floats(second)))
        case ("duration", "*" | "/", "number") | ("number", "*", "duration"):
            return durations(_NUMERIC[symbol](_as_floats(first), _as_floats(second)))
        case "duration", "/", "duration":
            return _numbers(symbol, _as_floats(first), _as_floats(second))
    raise EvaluationError(f"{symbol} does not take a {left.kind} and a {right.kind}")


def compared(symbol: str, left: Value, right: Value) -> Value:
    """Compare with == != < <= > or >=; unknown where a side is missing."""
    first, second = aligned([left, right])
    if "missing" in (left.kind, right.kind):
        return _missing_value("condition")
    missing = is_missing(first) | is_missing(second)
    sides = _texts(first, second) if first.kind == "text" else (first.array, second.array)
    return condition(np.asarray(_COMPARISONS[symbol](*sides), dtype=bool), missing)


def combined(word: str, values: Sequence[Value]) -> Value:
    """Join conditions by `and` or `or`, in three-valued logic."""
    join = np.minimum if word == "and" else np.maximum
    return Value("condition", reduce(join, [as_kind(value, "condition").array for value in values]))


def opposite(value: Value) -> Value:
    """Negate a condition; unknown stays unknown."""
    return Value("condition", TRUE - as_kind(value, "condition").array)


def chosen(test: Value, values: Value, others: Value) -> Value:
    """The first value where the condition is true, else the second."""
    first, second = aligned([values, others])
    taken = as_kind(test, "condition").array == TRUE
    if first.kind == "text":
        sides = (np.asarray(side.array, dtype=object) for side in (first, second))
        return Value("text", pd.array(np.where(taken, *sides), dtype="str"))
    return Value(first.kind, np.where(taken, first.array, second.array), first.zone)


def _joined(first: Value, second: Value) -> Any:
    """Join texts within limits of memory: each join of a chain may double them."""
    longest, every = (sum(sizes) for sizes in zip(_sizes(first), _sizes(second), strict=True))
    if longest > _LONGEST_TEXT:
        raise EvaluationError(
            f"a text would have {longest:,} characters, of at most {_LONGEST_TEXT:,}; join fewer, or a slice() of them"
        )
    if every > _MOST_TEXT:
        raise EvaluationError(
            f"the texts would take {every >> 20:,} MiB, of at most {_MOST_TEXT >> 20:,}; join fewer"
        )
    return operator.add(*_texts(first, second))


def _sizes(texts: Value) -> tuple[int, int]:
    """Characters of the longest text, and bytes of all."""
    lengths = pd.Series(texts.array).str.len()
    return int(lengths.max()) if lengths.notna().any() else 0, int(texts.array.nbytes)


def _texts(first: Value, second: Value) -> tuple[Any, Any]:
    """Arrays of one length, or one of them as a plain text: pandas' arrays do not broadcast."""
    pairs = ((first.array, second.array), (second.array, first.array))
    left, right = (
        _stretched(one, len(other)) if len(one) == 1 != len(other) else one for one, other in pairs
    )
    return left, right


def _stretched(texts: Any, length: int) -> Any:
    return texts.take(np.zeros(length, np.intp)) if pd.isna(texts[0]) else texts[0]


def _as_floats(value: Value) -> Floats:
    array = value.array / np.timedelta64(1, "us") if value.kind == "duration" else value.array
    return np.asarray(array, dtype=np.float64)


def _numbers(symbol: str, left: npt.NDArray[Any], right: npt.NDArray[Any]) -> Value:
    compute = _NUMERIC[symbol]
    floats = compute(left.astype(np.float64), right.astype(np.float64))
    whole = all(np.issubdtype(side.dtype, np.integer) for side in (left, right)) and symbol not in ("/", "**")
    # Whole numbers stay exact as long as none overflows; NaN and infinity, as from // 0, fail the test, too.
    if whole and bool((np.abs(floats) < _EXACT).all()):
        return number(compute(left, right))
    return number(floats)
