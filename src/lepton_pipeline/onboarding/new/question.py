"""Decide what a model is to answer about a target of more than two values: which class, or how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.onboarding.names import CLASSES, SCALES, name_words
from lepton_pipeline.onboarding.new.roles import identifies_rows
from lepton_pipeline.onboarding.profile import is_whole
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.tasks.classes import FEWEST_OF_A_CLASS, MOST_CLASSES, RARE, class_texts

# Whole numbers of so few values may be classes as well as a number.
_FEW_VALUES, _FEWEST_OF_A_SCALE = 15, 5
_FEWEST_CLASSES = 3
# A target is skewed beyond the first; its logarithm must be less so by the second, its largest value further from
# the median than the third.
_SKEWED, _LESS_SKEWED, _FAR = 1.0, 0.5, 5.0
_SHOWN = 5


@dataclass(frozen=True)
class Question:
    """What a model answers about the target.

    Attributes:
        text: the question.
        declared: keys of `dataset` beside the target.
        decided: what was decided, with the choice and the reason.
        comments: what to review, by key of `dataset`.
        expected: whether new rows must have one of the target's values, or one in their range.
        left_out: values of the target whose rows are not learnt.
    """

    text: str
    declared: Mapping[str, Any]
    decided: list[tuple[str, str, str]]
    comments: Mapping[str, list[str]] = field(default_factory=dict)
    expected: Literal["values", "range", "any"] = "values"
    left_out: list[Any] = field(default_factory=list)


def infer_question(column: pd.Series) -> Question:
    """Decide by the values, and where these may be both by the name; the comment names the other way.

    Texts are classes, and numbers a number, except whole numbers of up to 15 values. Those are a number if their
    name says so, or their frequencies do: these rise to one value and fall from it, at one end at least to half.
    Otherwise they are classes, which presume nothing about distances.

    Raises ConfigurationError if the target's values name rows, or most of them are too rare.
    """
    values = column.dropna()
    if not pd.api.types.is_numeric_dtype(column):
        return several_classes(column)
    if is_whole(column) and identifies_rows(values):
        raise ConfigurationError(
            f"target {column.name!r} has another whole number in every row, as names of rows have. {ways(column)}"
        )
    distinct, words = values.nunique(), set(name_words(str(column.name)))
    codes = bool(words & CLASSES) and FEWEST_OF_A_CLASS * distinct <= len(values)
    if not is_whole(column) or (distinct > _FEW_VALUES and not codes) or _why_no_classes(column):
        return a_number(column)
    start = f"Whole numbers of {distinct} values"
    if words & SCALES or (not codes and _is_scale(values)):
        why = "its name says so" if words & SCALES else "frequencies rise to one value and fall from it"
        other = f"{start} are read as a number: {why}. If they name classes, declare classes: all instead of task."
        return a_number(column, f"{distinct} whole numbers: {why}", {"task": [other]})
    other = (
        f"{start} are read as classes, so that distances between them mean nothing. If they are a count or a scale, "
        "such as stars, declare task: regression instead."
    )
    why = f"whole numbers of {distinct} values" + (", its name says so" if codes else "")
    return several_classes(column, why, {"classes": [other]})


def several_classes(
    column: pd.Series, why: str = "", comments: Mapping[str, list[str]] | None = None
) -> Question:
    """Ask which of all values a row has; ConfigurationError if there are too few or too many, or most are rare."""
    if problem := _why_no_classes(column):
        raise ConfigurationError(f"target {column.name!r} {problem}. {ways(column)}")
    texts = class_texts(column.dropna())
    counts = texts.value_counts()
    rare = counts[counts < FEWEST_OF_A_CLASS]
    common = counts[counts >= FEWEST_OF_A_CLASS]
    evidence = f"{why or 'values that repeat'}; the rarest, {common.index[-1]!r}, in {common.iloc[-1]:,} rows"
    text, said = f"Which value of {column.name} does a row have?", dict(comments or {})
    decided = [("classes", f"all {len(counts):,}", evidence)]
    if rare.empty:
        return Question(text, {"classes": "all"}, decided, said)
    classes = "1 value has" if len(rare) == 1 else f"{len(rare):,} values have"
    few = f"{classes} fewer than {FEWEST_OF_A_CLASS} rows: {_listed(rare)}"
    if rare.sum() < FEWEST_OF_A_CLASS:
        decided = [
            ("classes", f"{len(common):,} of {len(counts):,}", evidence),
            ("left out", f"{rare.sum():,} rows", few),
        ]
        said["classes"] = [*said.get("classes", []), f"{few}. The contract quarantines these rows."]
        left_out = column.loc[texts.index[texts.isin(rare.index)]].unique().tolist()
        return Question(text, {"classes": "all"}, decided, said, left_out=left_out)
    said["rare_classes"] = [
        f"{few}. They become one class, {RARE}; better bring more rows of them, or leave theirs out."
    ]
    declared = {"classes": "all", "rare_classes": "group"}
    return Question(text, declared, [*decided, ("rare classes", f"one class, {RARE}", few)], said, "any")


def a_number(column: pd.Series, why: str = "", comments: Mapping[str, list[str]] | None = None) -> Question:
    """Ask how much it is, by its logarithm where that is far less skewed; ConfigurationError if it holds no numbers."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        raise ConfigurationError(
            f"--task: target {column.name!r} holds {column.dropna().iloc[0]!r}, no number; write numbers, or leave out "
            "--task."
        )
    values = column.dropna()
    decided = [
        ("task", "regression", why or f"{values.nunique():,} different numbers in {len(values):,} rows")
    ]
    declared, said = {"task": "regression"}, dict(comments or {})
    if skewed := _why_logarithm(values):
        declared["transform"] = "log"
        decided.append(("transform", "log", skewed))
        said["transform"] = [
            f"Values are {skewed}: the model learns logarithms, and errs by a share of the target. If errors count in "
            "its own unit, or predictions are summed up, leave transform out."
        ]
    return Question(f"What is the value of {column.name}?", declared, decided, said, "range")


def ways(column: pd.Series) -> str:
    """How to say, by options of the command, what is asked of a target of many values."""
    values = column.value_counts().index.tolist()
    numbers = pd.api.types.is_numeric_dtype(column)
    example = f"--positive '>= {column.median():g}'" if numbers else f'--positive "in {values[-2:]!r}"'
    each = "a comparison" if numbers else "several values"
    ways = [f"--target {column.name!r} with --positive VALUE (one against all others), or {example} ({each})"]
    if not _why_no_classes(column):
        ways.append("--task multiclass (which of all values)")
    if numbers:
        ways.append("--task regression (how much)")
    return f"Say what is asked: {'; or '.join(ways)}."


ASKED: dict[str, Callable[[pd.Series], Question]] = {
    "multiclass": several_classes,
    "regression": a_number,
}
"""By the name of a task without a positive class, the question that is asked on demand."""


def _why_no_classes(column: pd.Series) -> str:
    """Why the values cannot be told apart as classes; empty if they can."""
    counts = class_texts(column.dropna()).value_counts()
    rare = counts[counts < FEWEST_OF_A_CLASS]
    held = f"holds {len(counts):,} values in {int(counts.sum()):,} rows"
    if not _FEWEST_CLASSES <= len(counts) <= MOST_CLASSES:
        return f"{held}; classes are {_FEWEST_CLASSES} to {MOST_CLASSES:,}"
    # Rare ones become a class if they are enough together.
    kept = len(counts) - len(rare) + bool(rare.sum() >= FEWEST_OF_A_CLASS)
    if kept < _FEWEST_CLASSES or 2 * rare.sum() > counts.sum():
        return f"{held}, of which {len(rare):,} have fewer than {FEWEST_OF_A_CLASS}, too few to learn them as classes"
    return ""


def _is_scale(values: pd.Series) -> bool:
    """Whether whole numbers without gaps have one most frequent value, from which frequencies fall."""
    rows = values.value_counts().sort_index()
    consecutive = rows.index[-1] - rows.index[0] + 1 == len(rows)
    if len(rows) < _FEWEST_OF_A_SCALE or not consecutive:
        return False
    peak = int(rows.to_numpy().argmax())
    rises, falls = rows.iloc[: peak + 1], rows.iloc[peak:]
    one_peak = rises.is_monotonic_increasing and falls.is_monotonic_decreasing
    return bool(one_peak and 2 * min(rows.iloc[0], rows.iloc[-1]) <= rows.iloc[peak])


def _why_logarithm(values: pd.Series) -> str:
    """Why the logarithm is learnt; empty where the number itself is."""
    numbers = values.to_numpy(np.float64)
    if numbers.min() <= 0:
        return ""
    skewness, of_logarithm = _skewness(numbers), _skewness(np.log(numbers))
    times = float(numbers.max() / np.median(numbers))
    if skewness <= _SKEWED or abs(of_logarithm) > _LESS_SKEWED * skewness or times <= _FAR:
        return ""
    return (
        f"positive, the largest {times:,.0f} times the median, and of skewness {skewness:.1f}, their logarithms of "
        f"{of_logarithm:.1f}"
    )


def _skewness(numbers: Floats) -> float:
    """Third moment of the standardised numbers; 0 where they do not differ."""
    deviations = numbers - numbers.mean()
    return float((deviations**3).mean() / (deviations.std() ** 3 or 1.0))


def _listed(counts: pd.Series) -> str:
    shown = [f"{name!r} ({rows:,})" for name, rows in counts.head(_SHOWN).items()]
    return ", ".join(shown) + f" and {len(counts) - _SHOWN:,} more" * (len(counts) > _SHOWN)
