"""The functions that expressions may call; `docs/features.md` shows an example of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, Literal

import numpy as np
import pandas as pd

from lepton_pipeline.data.expressions.dates import read_dates
from lepton_pipeline.data.expressions.operators import arithmetic, chosen
from lepton_pipeline.data.expressions.values import (
    FALSE,
    TRUE,
    EvaluationError,
    Kind,
    Value,
    aligned,
    as_kind,
    condition,
    durations,
    from_column,
    is_missing,
    local_time,
    number,
)

# A constant is written in the expression; it is checked before there is data.
Parameter = Kind | Literal["any", "text constant", "whole constant"]


@dataclass(frozen=True)
class Function:
    """A function of the expression language.

    Attributes:
        takes: kind of each parameter.
        least: fewest arguments; by default one for each parameter.
        repeats: whether the last parameter may be repeated.
    """

    signature: str
    doc: str
    takes: tuple[Parameter, ...]
    compute: Callable[..., Value]
    least: int | None = None
    repeats: bool = False

    def accepts(self, arguments: int) -> bool:
        """Whether it takes this number of arguments."""
        least = len(self.takes) if self.least is None else self.least
        return least <= arguments and (self.repeats or arguments <= len(self.takes))

    def parameter(self, position: int) -> Parameter:
        """The kind of the argument at a position."""
        return self.takes[min(position, len(self.takes) - 1)]

    def call(self, arguments: list[Value]) -> Value:
        """Compute the result, or raise an EvaluationError."""
        return self.compute(
            *(_argument(value, self.parameter(position)) for position, value in enumerate(arguments))
        )


def _argument(value: Value, wanted: Parameter) -> Value:
    if wanted in ("any", "text constant", "whole constant"):
        return value
    return as_kind(value, wanted)  # type: ignore[arg-type]  # mypy does not narrow by the tuple


def _numeric(function: Callable[[Any], Any]) -> Callable[[Value], Value]:
    return lambda x: number(function(x.array))


def _extreme(choose: Callable[[Any, Any], Any]) -> Callable[..., Value]:
    def compute(*values: Value) -> Value:
        alike = aligned(values)
        if alike[0].kind not in ("number", "date", "duration", "missing"):
            raise EvaluationError(f"numbers, dates or durations are needed, not a {alike[0].kind}")
        return Value(alike[0].kind, reduce(choose, [value.array for value in alike]), alike[0].zone)

    return compute


def _part(name: str) -> Callable[[Value], Value]:
    return lambda date: number(getattr(local_time(date).dt, name).to_numpy())


def _spread(microseconds: int) -> Callable[[Value], Value]:
    return lambda n: durations(np.asarray(n.array, dtype=np.float64) * microseconds)


def _round(x: Value, digits: Value | None = None) -> Value:
    places = 0 if digits is None else int(digits.array[0])
    # Neither numpy's whole numbers nor its floats hold the powers of ten beyond these.
    array = x.array if places >= -18 else x.array.astype(np.float64)
    rounded = np.where(np.isnan(array), np.nan, 0.0) if places < -308 else np.round(array, min(places, 308))
    # What overflows on the way has no digit at that place.
    return number(np.where(np.isfinite(rounded), rounded, array))


def _clip(x: Value, low: Value, high: Value) -> Value:
    return number(np.minimum(np.maximum(x.array, low.array), high.array))


def _fill(x: Value, value: Value) -> Value:
    known = Value("condition", np.where(is_missing(x), FALSE, TRUE).astype(np.int8))
    return chosen(known, x, value)


def _count(*conditions: Value) -> Value:
    return number(sum((value.array == TRUE).astype(np.int64) for value in conditions))


def _days_between(later: Value, earlier: Value) -> Value:
    spent = arithmetic("-", later, earlier)
    return spent if spent.kind == "missing" else number(spent.array / np.timedelta64(1, "D"))


def _on_texts(method: str) -> Callable[[Value], Value]:
    return lambda text: from_column(getattr(pd.Series(text.array).str, method)())


def _test_texts(test: Callable[[pd.Series, str], pd.Series]) -> Callable[[Value, Value], Value]:
    def compute(text: Value, part: Value) -> Value:
        column = pd.Series(text.array)
        return condition(test(column, part.array[0]).to_numpy(bool), column.isna().to_numpy())

    return compute


def _slice(text: Value, start: Value, stop: Value) -> Value:
    return from_column(pd.Series(text.array).str.slice(int(start.array[0]), int(stop.array[0])))


def _number(x: Value) -> Value:
    if x.kind in ("date", "duration"):
        raise EvaluationError(f"a text is needed, not a {x.kind}")
    if x.kind != "text":
        return as_kind(x, "number")
    codes, texts = pd.factorize(x.array)
    numbers = pd.to_numeric(pd.Series(texts), errors="coerce").to_numpy(np.float64)
    # The code of a missing text is -1, the last place.
    return number(np.append(numbers, np.nan)[codes])


def _date(x: Value, form: Value) -> Value:
    if x.kind in ("date", "missing"):
        return as_kind(x, "date")
    if x.kind not in ("number", "text"):
        raise EvaluationError(f"a text or a whole number is needed, not a {x.kind}")
    try:
        return from_column(read_dates(pd.Series(x.array), str(form.array[0])))
    except ValueError as error:
        raise EvaluationError(str(error)) from error


_DAY, _HOUR = 86_400_000_000, 3_600_000_000

_ALL = (
    Function("abs(x)", "size of a number, without its sign", ("number",), _numeric(np.abs)),
    Function("sqrt(x)", "square root; missing below 0", ("number",), _numeric(np.sqrt)),
    Function("exp(x)", "e to the power of x", ("number",), _numeric(np.exp)),
    Function("log(x)", "natural logarithm; missing at 0 and below", ("number",), _numeric(np.log)),
    Function("log1p(x)", "log(1 + x); missing at -1 and below", ("number",), _numeric(np.log1p)),
    Function("sin(x)", "sine of an angle in radians", ("number",), _numeric(np.sin)),
    Function("cos(x)", "cosine of an angle in radians", ("number",), _numeric(np.cos)),
    Function(
        "round(x, digits)",
        "nearest number with so many decimals, halves to even; no digits: whole numbers",
        ("number", "whole constant"),
        _round,
        least=1,
    ),
    Function("floor(x)", "largest whole number not above x", ("number",), _numeric(np.floor)),
    Function(
        "min(a, b, ...)",
        "smallest of a row's values; missing where one is",
        ("any", "any"),
        _extreme(np.minimum),
        repeats=True,
    ),
    Function(
        "max(a, b, ...)",
        "largest of a row's values; missing where one is",
        ("any", "any"),
        _extreme(np.maximum),
        repeats=True,
    ),
    Function("clip(x, low, high)", "x, but at least low and at most high", ("number",) * 3, _clip),
    Function(
        "where(condition, a, b)", "a where the condition is true, else b", ("condition", "any", "any"), chosen
    ),
    Function(
        "is_missing(x)",
        "whether there is no value",
        ("any",),
        lambda x: Value("condition", np.where(is_missing(x), TRUE, FALSE).astype(np.int8)),
    ),
    Function("fill(x, value)", "x, or the value where x is missing", ("any", "any"), _fill),
    Function("count(c1, c2, ...)", "how many conditions are true", ("condition",), _count, repeats=True),
    Function("ratio(a, b)", "a / b; missing where b is 0", ("any", "any"), partial(arithmetic, "/")),
    Function("year(date)", "year of a date", ("date",), _part("year")),
    Function("month(date)", "month of a date, 1 to 12", ("date",), _part("month")),
    Function("day(date)", "day of the month, 1 to 31", ("date",), _part("day")),
    Function("weekday(date)", "day of the week, 0 = Monday", ("date",), _part("day_of_week")),
    Function("hour(date)", "hour of the day, 0 to 23", ("date",), _part("hour")),
    Function("minute(date)", "minute of the hour, 0 to 59", ("date",), _part("minute")),
    Function("day_of_year(date)", "day of the year, 1 to 366", ("date",), _part("day_of_year")),
    Function(
        "date(x, format)",
        "text or whole number as a date; a format of strptime or 'ISO8601'",
        ("any", "text constant"),
        _date,
    ),
    Function(
        "days_between(later, earlier)",
        "days from one date to another, with fractions",
        ("date", "date"),
        _days_between,
    ),
    Function("hours(n)", "duration of n hours, to add to dates", ("number",), _spread(_HOUR)),
    Function("days(n)", "duration of n days, to add to dates", ("number",), _spread(_DAY)),
    Function("lower(text)", "text in small letters", ("text",), _on_texts("lower")),
    Function("length(text)", "number of characters", ("text",), _on_texts("len")),
    Function(
        "contains(text, part)",
        "whether the part is in the text, letter by letter",
        ("text", "text constant"),
        _test_texts(lambda texts, part: texts.str.contains(part, regex=False, na=False)),
    ),
    Function(
        "starts_with(text, part)",
        "whether the text begins with the part",
        ("text", "text constant"),
        _test_texts(lambda texts, part: texts.str.startswith(part, na=False)),
    ),
    Function(
        "slice(text, start, stop)",
        "characters from start (counted from 0) to before stop; below 0: from the end",
        ("text", "whole constant", "whole constant"),
        _slice,
    ),
    Function("number(text)", "text as a number; missing if it is not one", ("any",), _number),
)
FUNCTIONS = {each.signature.partition("(")[0]: each for each in _ALL}
