"""The operators of the expression language, over whole columns."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.expressions.values import (
    EXACT,
    MISSING,
    TRUE,
    EvaluationError,
    Floats,
    Value,
    aligned,
    as_kind,
    condition,
    durations,
    is_missing,
    missing_value,
    number,
)

# As in a cell of a spreadsheet.
_LONGEST_TEXT = 32_767
_MOST_TEXT = 1 << 32
_NUMERIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "//": np.floor_divide,
    "%": np.mod,
    "**": np.power,
}
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


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
        return missing_value("condition")
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
    left, right = first.array, second.array
    if len(left) == len(right):
        return left, right
    if len(left) == 1:
        return _stretched(left, len(right)), right
    return left, _stretched(right, len(left))


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
    if whole and bool((np.abs(floats) < EXACT).all()):
        return number(compute(left, right))
    return number(floats)
