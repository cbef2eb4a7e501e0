"""Propose lags for tables that are a time series, or one per thing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.onboarding.names import HORIZONS, name_words
from lepton_pipeline.onboarding.new.date_parts import identifier
from lepton_pipeline.parameters import Window
from lepton_pipeline.parameters.durations import as_declared

# So many steps in time are alike in a series, and so few rows share their moment.
_REGULAR, _UNIQUE = 0.8, 0.99
_FEWEST_ROWS, _FEWEST_EACH = 100, 10
_MOST_LAGS = 3
# Correlations with the row before, from which on a lag may help, and with which a column changes slowly.
_FOLLOWS, _SERIAL, _AS_LABELS = 0.2, 0.8, 0.8
_FEWEST_RUNS, _LONG_RUNS = 8, 0.9


@dataclass(frozen=True)
class Series:
    """A table's time series.

    Attributes:
        by: column that identifies the series; None for a single one.
        step: from one row to the next, as text.
        alike: rank autocorrelation at lag 1 of each column of numbers.
    """

    by: str | None
    step: str
    alike: dict[str, float]

    def present(self, labels: pd.Series) -> list[str]:
        """Columns at least as autocorrelated as the labels: present values of the series.

        Functions of labels and noise change more than the labels, which are 0 or 1 in time order.
        """
        own = float(labels.corr(labels.shift())) if self.by is None else 1.0
        least = min(_SERIAL, max(_AS_LABELS * own, 2 * _FOLLOWS))
        return [name for name, correlation in self.alike.items() if correlation >= least]


def find_series(table: pd.DataFrame, time: str, things: Sequence[str]) -> Series | None:
    """Find out whether rows follow each other at even steps, in total or per value of one of `things`."""
    if len(table) < _FEWEST_ROWS:
        return None
    for by in (None, *things):
        step = _step(table, time, by)
        if step is not None:
            ordered = table.sort_values([time] if by is None else [by, time])
            groups = None if by is None else ordered[by]
            names = [str(name) for name in table.select_dtypes(["number", "bool"]) if name not in (time, by)]
            alike = {name: _correlation(ordered[name].astype(float), groups) for name in names}
            return Series(by, as_declared(step) if isinstance(step, pd.Timedelta) else f"{step:g}", alike)
    return None


def propose_lags(
    table: pd.DataFrame, series: Series, target: str, labels: pd.Series, features: Collection[str]
) -> tuple[dict[str, Window], str]:
    """Propose lags of the strongest columns, and of the target where it helps and was known.

    Lags read only rows before a row's own time, and of the target only labels known by then
    (`dataset.label_delay`). A label that looks several rows ahead is not known when the next row comes.

    Args:
        table: rows in the order of the file.
        series: what `find_series` found.
        target: column to predict.
        labels: 0 or 1 for each row, indexed as `table`.
        features: columns that a model reads.

    Returns:
        Windows by name; and why the target's own past is not among them, if so.
    """
    refused = _why_no_target(table, series, target, labels)
    own = [target] if not refused and series.alike[target] >= _FOLLOWS else []
    numbers = [name for name, each in series.alike.items() if name in features and each >= _FOLLOWS]
    strength = {name: abs(float(table[name].rank().corr(labels))) for name in numbers}
    strongest = sorted((name for name in numbers if strength[name] > 0), key=lambda name: -strength[name])
    by = [] if series.by is None else [series.by]
    windows = {
        f"{identifier(name)}_before": Window(statistic="lag", of=name, by=by, rows=1)
        for name in [*own, *strongest[:_MOST_LAGS]]
    }
    return {name: window for name, window in windows.items() if name not in table}, refused


def _why_no_target(table: pd.DataFrame, series: Series, target: str, labels: pd.Series) -> str:
    if not pd.api.types.is_numeric_dtype(table[target]):
        return "the target is text; written as 0 and 1, its own past could be a feature (features.windows)"
    ahead = (
        "the target may look several rows ahead, and is then unknown when the next row comes; to use its past as a "
        "feature, declare label_delay and a lag in features.windows"
    )
    if HORIZONS & set(name_words(target)) or any(word[:-1].isdigit() for word in name_words(target)):
        return ahead
    groups = table[series.by] if series.by is not None else pd.Series(0, index=table.index)
    changed = (labels != labels.shift()) | (groups != groups.shift())
    runs = labels.groupby(changed.cumsum()).agg(["first", "size"])
    positive = runs.loc[runs["first"] == 1, "size"]
    # A label on any of the next rows comes in runs, hardly one of them short.
    return ahead if len(positive) >= _FEWEST_RUNS and (positive > 1).mean() >= _LONG_RUNS else ""


def _step(table: pd.DataFrame, time: str, by: str | None) -> Any:
    """The step from row to row that most rows have; None where rows are no series."""
    columns = [time] if by is None else [by, time]
    rows = table[columns].dropna()
    if len(rows) < _FEWEST_ROWS or rows.duplicated().mean() > 1 - _UNIQUE:
        return None
    if by is not None and not 1 < rows[by].nunique() <= len(rows) / _FEWEST_EACH:
        return None
    ordered = rows.sort_values(columns)
    steps = (ordered[time].diff() if by is None else ordered.groupby(by, sort=False)[time].diff()).dropna()
    common = steps.value_counts(normalize=True)
    return common.index[0] if len(common) and common.iloc[0] >= _REGULAR else None


def _correlation(column: pd.Series, things: pd.Series | None) -> float:
    """Rank autocorrelation at lag 1; 0 where there are too few rows."""
    ranks = column.rank()
    before = ranks.shift() if things is None else ranks.groupby(things, sort=False).shift()
    there = before.notna() & ranks.notna()
    if there.sum() < _FEWEST_ROWS or ranks[there].std() == 0 or before[there].std() == 0:
        return 0.0
    return float(np.corrcoef(ranks[there], before[there])[0, 1])
