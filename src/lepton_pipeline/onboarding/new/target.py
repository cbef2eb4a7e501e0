"""Choose the target, and its positive class if it has one."""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype as is_date

from lepton_pipeline.data.expressions.expression import CONSTANTS
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.onboarding.names import OUTCOMES, POSITIVE, TARGETS, name_words
from lepton_pipeline.onboarding.new.question import ASKED, Question, infer_question, ways
from lepton_pipeline.onboarding.new.roles import require_column

_NEGATION = re.compile(r"^(not|non|no|un|in)[ _-]?")
_SEVERAL = re.compile(r"\s*(not\s+)?in\s*([\[(].*[\])])\s*", re.IGNORECASE | re.DOTALL)
_COMPARISON = re.compile(r"\s*(==|!=|>=|<=|>|<)\s*(.+?)\s*")
_SHOWN = 5


@dataclass(frozen=True)
class Target:
    """The target column, with the reason, and what is asked about it."""

    column: str
    why: str
    question: Question


def choose_target(
    table: pd.DataFrame,
    given: str | None,
    positive: str | None,
    others: Collection[str],
    task: str | None = None,
) -> Target:
    """Choose the target and what is asked about it: one class against the others, which class, or how much.

    `given` is the column asked for; `positive` a value, several such as "in ['a', 'b']" or "a,b", or a
    comparison such as ">= 15" or "!= none"; `task` one of binary, multiclass and regression. What is None is
    inferred: two values have a positive class, for more see `infer_question`. `others` are columns that have
    another role.

    Raises:
        ConfigurationError: the column does not exist, holds dates or cannot be inferred, or what is asked
            cannot; with candidates.
        DataError: the target holds one value only.
    """
    column, why = _column(table, given, others)
    if is_date(table[column]):
        raise ConfigurationError(
            f"--target: column {column!r} holds dates; give one of classes or of numbers."
        )
    values = table[column].dropna().unique().tolist()
    if len(values) < 2:
        held = f"only {values[0]!r}" if values else "no value at all"
        raise DataError(f"target {column!r} holds {held}; a model needs rows of two classes.")
    if task in ASKED:
        if positive is not None:
            raise ConfigurationError(
                f"--positive: --task {task} has no positive class; leave out one of both options."
            )
        return Target(column, why, ASKED[task](table[column]))
    if task is None and positive is None and len(values) > 2:
        return Target(column, why, infer_question(table[column]))
    return Target(column, why, _one_class(table[column], values, positive))


def _one_class(column: pd.Series, values: list[Any], given: str | None) -> Question:
    """Ask for the positive class against the others."""
    name, why = str(column.name), "as asked for"
    rule = None if given is None else _rule(column, values, given)
    if rule is None and len(values) > 2:
        if given is None:
            raise ConfigurationError(_many_values(column, f"target {name!r}"))
        rule, why = f"== {_matching(column, given)!r}", "against all others, as asked for"
    if rule is not None:
        when = f"{in_expression(name)} {rule}"
        decided = [("positive", when, why)]
        return Question(f"Which rows have {when}?", {"positive_when": when}, decided, expected="any")
    value, why, is_guess = _positive(column, values, given)
    guess = {"positive": [f"A guess: {why}."]} if is_guess else {}
    decided = [("positive", repr(value), why)]
    return Question(f"Which rows have {name} = {value}?", {"positive": value}, decided, guess)


def in_expression(name: str) -> str:
    """A column as expressions name it; ConfigurationError if its name holds a backtick."""
    if "`" in name:
        raise ConfigurationError(
            f"column {name!r}: no expression can name a column with a backtick; rename it."
        )
    # Python's parser would read some letters beyond ASCII as others.
    plain = name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
    return name if plain and name not in CONSTANTS else f"`{name}`"


def _column(table: pd.DataFrame, given: str | None, others: Collection[str]) -> tuple[str, str]:
    if given is not None:
        require_column(table, given, "--target")
        return given, "as asked for"
    names = [str(name) for name in table.columns]
    free = [name for name in names if name not in others]
    two = [name for name in free if table[name].nunique() == 2]
    for hints in (TARGETS, OUTCOMES):
        hit = [name for name in free if hints & set(name_words(name))]
        both = [name for name in hit if name in two]
        if len(both) == 1:
            return both[0], "two values, and its name says so"
        if both and both[-1] == names[-1]:
            return both[-1], "two values, its name says so, and it is the last column"
        if hit and not both:
            name = next((name for name in hit if table[name].nunique() > 2), hit[0])
            if table[name].nunique() < 2:
                return name, "its name says so"
            raise ConfigurationError(
                _many_values(table[name], f"column {name!r} is called a target, but")
                + " Or give --target only: what is asked follows from its values. If it is another column, give that "
                "as --target."
            )
        if both:
            break
    if len(two) == 1:
        return two[0], "the only column with two values"
    if two and two[-1] == names[-1]:
        return two[-1], "two values, and the last column"
    shown = ", ".join(map(repr, two)) if two else "none"
    raise ConfigurationError(
        f"the target cannot be inferred; columns with two values: {shown}. Give --target COLUMN; for one with more "
        "values perhaps also --positive VALUE (against all others), --positive \"in ['a', 'b']\" (several of them), "
        "--positive '>= 15' (a comparison), --task multiclass (which of all values) or --task regression (how much)."
    )


def _many_values(column: pd.Series, start: str) -> str:
    values = column.value_counts().index.tolist()
    shown = f"{_shown(values)}{' ..' if len(values) > _SHOWN else ''}"
    return f"{start} holds {len(values):,} values ({shown}). {ways(column)}"


def _shown(values: list[Any]) -> str:
    return ", ".join(map(repr, values[:_SHOWN]))


def _rule(column: pd.Series, values: list[Any], given: str) -> str | None:
    """What follows the column in an expression; None where one value is given."""
    # A value may look like a comparison: '<30' beside '>30' and 'NO'.
    if given.strip() not in set(map(str, values)) and (comparison := _COMPARISON.fullmatch(given)):
        return _compared(column, comparison[1], comparison[2])
    if _value(column, given) is not None:
        return None
    if listed := _SEVERAL.fullmatch(given):
        return _several(column, "not in" if listed[1] else "in", _items(listed[2]))
    parts = [part.strip() for part in given.split(",")]
    is_list = len(parts) > 1 and all(_value(column, part) is not None for part in parts)
    return _several(column, "in", parts) if is_list else None


def _items(text: str) -> list[str]:
    try:
        return [str(item) for item in ast.literal_eval(f"[{text[1:-1]}]")]
    except (ValueError, SyntaxError):
        return [item.strip().strip("'\"") for item in text[1:-1].split(",")]


def _several(column: pd.Series, operator: str, items: list[str]) -> str:
    values = list(dict.fromkeys(_matching(column, item) for item in items))
    held = column.nunique()
    if not 0 < len(values) < held:
        raise ConfigurationError(
            f"--positive: {items!r} are {'all' if values else 'none'} of the {held:,} values of target "
            f"{column.name!r}; name some of them, so that rows of the other class are left."
        )
    return f"{operator} {values!r}"


def _compared(column: pd.Series, operator: str, text: str) -> str:
    value: Any = text.strip("'\"")
    if pd.api.types.is_numeric_dtype(column):
        try:
            value = int(value) if re.fullmatch(r"[+-]?\d+", value) else float(value)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ConfigurationError(
                f"--positive: {text!r} is no number, but target {column.name!r} holds numbers; write a number, such "
                f"as '{operator} {column.median():g}'."
            )
    return f"{operator} {value!r}"


def _positive(column: pd.Series, values: list[Any], given: str | None) -> tuple[Any, str, bool]:
    if given is not None:
        return _matching(column, given), "as asked for", False
    counts = column.value_counts()
    rarer = counts.index.tolist()[-1], f"the rarer one ({counts.iloc[-1] / counts.sum():.1%})", True
    if pd.api.types.is_numeric_dtype(column):
        says = "true stands for yes" if pd.api.types.is_bool_dtype(column) else "1 stands for yes"
        return (max(values), says, False) if set(values) in ({0, 1}, {-1, 1}) else rarer
    spelled = {str(value).casefold(): value for value in values}
    truthy = [value for text, value in spelled.items() if text in POSITIVE]
    if len(truthy) == 1:
        return truthy[0], "its name says so", False
    for text, value in spelled.items():
        other = next(each for each in spelled if each != text)
        if _NEGATION.sub("", other) == text and other != text:
            return value, f"the other one is {spelled[other]!r}", False
    return rarer


def _matching(column: pd.Series, given: str) -> Any:
    """The column's value that was given on the command line."""
    value = _value(column, given)
    if value is None:
        shown = _shown(column.value_counts().index.tolist())
        raise ConfigurationError(
            f"--positive: target {column.name!r} never holds {given!r}; its values are {shown}."
        )
    return value


def _value(column: pd.Series, given: str) -> Any:
    """The column's value with this text, or this number, if any."""
    number = None
    with suppress(ValueError):
        number = float(given)
    for value in column.dropna().unique().tolist():
        if str(value) == given.strip() or (isinstance(value, int | float) and value == number):
            return value
    return None
