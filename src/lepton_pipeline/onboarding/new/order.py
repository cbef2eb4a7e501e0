"""Detect order: copies of the time axis, sorted rows, neighbours with equal outcomes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd

from lepton_pipeline.onboarding.names import ORDERS, ROW_IDS, Reasons, name_words
from lepton_pipeline.tasks.task import Task

# Rank correlations with the time: of a copy of it, and of what drifts with it.
_COPY, _TREND = 0.97, 0.8
_MOSTLY_NEW, _SOME_NEW = 0.5, 0.3
_FEWEST_ROWS, _FEWEST_VALUES, _FEW_VALUES = 30, 3, 50
# Rows that are not of the most frequent value: with fewer, a column is sorted by chance.
_FEWEST_OTHERS = 10
# Standard errors beyond chance, and the share of what is possible beyond it.
_FAR_BEYOND, _BEYOND = 6, 0.1
_FEWEST_RUNS = 4


def time_copies(
    table: pd.DataFrame, time: str, part: pd.Series, names: Iterable[str], calendar: Collection[str]
) -> tuple[Reasons, Reasons]:
    """Find features that only encode the time of a row, so that later rows have unseen values.

    Numbers are copies by their rank correlation with the time; columns of few values, where each value has a
    stretch of time of its own, such as the days of one month.

    `part` is "train", "test" or another part for each row, indexed as `table`; `names` are the features to
    check, `calendar` those among them that are calendar parts of the time, which recur unless the table is
    short. Returns the copies, and features that drift with the time, with the evidence.
    """
    ordered = table.sort_values(time, kind="stable")
    copies, drifting = dict[str, str](), dict[str, str]()
    for name in names:
        column = ordered[name].dropna()
        if len(column) < max(_FEWEST_ROWS, 0.5 * len(table)) or column.nunique() < _FEWEST_VALUES:
            continue
        number = column.dtype.kind in "iuf"
        new = _share_of_new(column, part[column.index], number)
        if name in calendar:
            if new >= _SOME_NEW:
                copies[name] = f"{new:.0%} of the test rows have a value that no training row has"
            continue
        moments = ordered.loc[column.index, time].rank()
        strength = abs(float(column.astype(float).rank().corr(moments))) if number else 0.0
        # Each of few values comes in one or two runs of rows.
        values, runs = column.nunique(), int((column != column.shift()).sum())
        stretches = values <= len(column) / 5 and runs <= 2 * values
        never = f"under a split by time, {new:.0%} of the test rows have values that were never learnt"
        if strength >= _COPY:
            copies[name] = f"a copy of the time axis (rank correlation {strength:.2f} with {time}): {never}"
        elif new >= _MOSTLY_NEW and stretches:
            copies[name] = f"a copy of the time axis (each value has its own stretch of {time}): {never}"
        elif new >= _MOSTLY_NEW and strength >= _TREND:
            drifting[name] = f"drifts with {time} (rank correlation {strength:.2f}): {never}"
    return copies, drifting


def _share_of_new(column: pd.Series, part: pd.Series, number: bool) -> float:
    """Fraction of the test rows whose value is outside the training rows' values."""
    learnt, judged = column[part == "train"], column[part == "test"]
    if learnt.empty or judged.empty:
        return 0.0
    if number and column.nunique() > _FEW_VALUES:
        return float((~judged.between(learnt.min(), learnt.max())).mean())
    return float((~judged.isin(learnt.unique())).mean())


def sorted_columns(table: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """Columns by which the file is sorted, names of an order first; running ids are not among them."""
    found: dict[str, bool] = {}
    for name in names:
        column = table[name]
        if column.isna().any() or len(column) < _FEWEST_ROWS or column.nunique() < _FEWEST_VALUES:
            continue
        if column.dtype.kind not in "iufM" or not (
            column.is_monotonic_increasing or column.is_monotonic_decreasing
        ):
            continue
        words = name_words(name)
        named = bool(ORDERS & set(words))
        steps = column.diff().iloc[1:]
        running = column.dtype.kind != "M" and column.is_unique and steps.min() == steps.max()
        if not named and (running or not words or words[-1] in ROW_IDS or words[-1].endswith("id")):
            continue
        if len(column) - column.value_counts().iloc[0] >= _FEWEST_OTHERS:
            found[name] = named
    return sorted(found, key=lambda name: not found[name])


def neighbour_agreement(strata: pd.Series, agree: str = Task.agree) -> str | None:
    """How much more often than by chance neighbouring rows have the same outcome; None where not.

    `strata` are whole numbers from 0, and what equal ones do is said by `agree`; see `tasks.task.Task`.
    """
    values = strata.to_numpy(np.intp)
    if len(values) < _FEWEST_ROWS:
        return None
    equal = values[1:] == values[:-1]
    shares = np.bincount(values) / len(values)
    if (~equal).sum() < max(_FEWEST_RUNS, len(shares)):
        return None  # The file is sorted by the target.
    share, chance = float(equal.mean()), float((shares**2).sum())
    error = np.sqrt(max(chance * (1 - chance), 1e-9) / len(equal))
    # For a rare class, compare with the largest possible excess over chance.
    if share - chance <= _FAR_BEYOND * error or share - chance <= _BEYOND * (1 - chance):
        return None
    return f"{share:.0%} of neighbouring rows {agree}, by chance {chance:.0%}"
