"""The functions that expressions may call; `docs/features.md` shows an example of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, Literal

import numpy as np
import pandas as pd

from lepton_pipeline.data.expressions.dates import read_dates
from lepton_pipeline.data.expressions.values import (
    TRUE,
    EvaluationError,
    Kind,
    Value,
    aligned,
    arithmetic,
    as_kind,
    chosen,
    condition,
    durations,
    from_column,
    is_missing,
    number,
)

# A constant is written in the expression; it is checked before there is data.
Parameter = Kind | Literal["any", "text constant", "whole constant"]


@dataclass(frozen=True)
class Function:
    """A function of the expression language: the kinds of its parameters, and what computes its values.

    It takes `least` arguments, by default all; the last parameter may be repeated if `repeats`.
    """

    signature: str
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
        values = []
        for position, value in enumerate(arguments):
            kind = self.parameter(position)
            any_kind = kind in ("any", "text constant", "whole constant")
            values.append(value if any_kind else as_kind(value, kind))  # type: ignore[arg-type]  # no other kind is left
        return self.compute(*values)


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
    def compute(date: Value) -> Value:
        dates = pd.Series(date.array)
        if date.zone is not None:
            dates = dates.dt.tz_localize("UTC").dt.tz_convert(date.zone)
        return number(getattr(dates.dt, name).to_numpy())

    return compute


def _spread(microseconds: int) -> Callable[[Value], Value]:
    return lambda n: durations(np.asarray(n.array, dtype=np.float64) * microseconds)


def _round(x: Value, digits: Value | None = None) -> Value:
    places = 0 if digits is None else int(digits.array[0])
    # Neither numpy's whole numbers nor its floats hold the powers of ten beyond these.
    array = x.array if places >= -18 else x.array.astype(np.float64)
    rounded = np.where(np.isnan(array), np.nan, 0.0) if places < -308 else np.round(array, min(places, 308))
    # A value that overflows has no digit at that place.
    return number(np.where(np.isfinite(rounded), rounded, array))


def _clip(x: Value, low: Value, high: Value) -> Value:
    return number(np.minimum(np.maximum(x.array, low.array), high.array))


def _count(*conditions: Value) -> Value:
    return number(sum((value.array == TRUE).astype(np.int64) for value in conditions))


def _days_between(later: Value, earlier: Value) -> Value:
    spent = arithmetic("-", later, earlier)
    return spent if spent.kind == "missing" else number(spent.array / np.timedelta64(1, "D"))


def _on_texts(method: str) -> Callable[[Value], Value]:
    return lambda text: from_column(getattr(pd.Series(text.array).str, method)())


def _words(text: Value) -> Value:
    return from_column(pd.Series(text.array).str.count(r"\S+"))


def _test_texts(method: str, **options: bool) -> Callable[[Value, Value], Value]:
    def compute(text: Value, part: Value) -> Value:
        column = pd.Series(text.array)
        found = getattr(column.str, method)(part.array[0], na=False, **options)
        return condition(found.to_numpy(bool), column.isna().to_numpy())

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
    Function("abs(x)", ("number",), _numeric(np.abs)),
    Function("sqrt(x)", ("number",), _numeric(np.sqrt)),
    Function("exp(x)", ("number",), _numeric(np.exp)),
    Function("log(x)", ("number",), _numeric(np.log)),
    Function("log1p(x)", ("number",), _numeric(np.log1p)),
    Function("sin(x)", ("number",), _numeric(np.sin)),
    Function("cos(x)", ("number",), _numeric(np.cos)),
    Function("round(x, digits)", ("number", "whole constant"), _round, least=1),
    Function("floor(x)", ("number",), _numeric(np.floor)),
    Function("min(a, b, ...)", ("any", "any"), _extreme(np.minimum), repeats=True),
    Function("max(a, b, ...)", ("any", "any"), _extreme(np.maximum), repeats=True),
    Function("clip(x, low, high)", ("number",) * 3, _clip),
    Function("where(condition, a, b)", ("condition", "any", "any"), chosen),
    Function("is_missing(x)", ("any",), lambda x: condition(is_missing(x))),
    Function("fill(x, value)", ("any", "any"), lambda x, value: chosen(condition(~is_missing(x)), x, value)),
    Function("count(c1, c2, ...)", ("condition",), _count, repeats=True),
    Function("ratio(a, b)", ("any", "any"), partial(arithmetic, "/")),
    Function("year(date)", ("date",), _part("year")),
    Function("month(date)", ("date",), _part("month")),
    Function("day(date)", ("date",), _part("day")),
    Function("weekday(date)", ("date",), _part("day_of_week")),
    Function("hour(date)", ("date",), _part("hour")),
    Function("minute(date)", ("date",), _part("minute")),
    Function("day_of_year(date)", ("date",), _part("day_of_year")),
    Function("date(x, format)", ("any", "text constant"), _date),
    Function("days_between(later, earlier)", ("date", "date"), _days_between),
    Function("hours(n)", ("number",), _spread(_HOUR)),
    Function("days(n)", ("number",), _spread(_DAY)),
    Function("lower(text)", ("text",), _on_texts("lower")),
    Function("length(text)", ("text",), _on_texts("len")),
    Function("words(text)", ("text",), _words),
    Function("contains(text, part)", ("text", "text constant"), _test_texts("contains", regex=False)),
    Function("starts_with(text, part)", ("text", "text constant"), _test_texts("startswith")),
    Function("slice(text, start, stop)", ("text", "whole constant", "whole constant"), _slice),
    Function("number(text)", ("any",), _number),
)
FUNCTIONS = {each.signature.partition("(")[0]: each for each in _ALL}
