"""The index of new rows by period, and whether it has turned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from lepton_pipeline.data.time_axis import periods
from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.interval_text import FEWEST_UNITS, MANY_UNITS
from lepton_pipeline.evaluation.resampling import LEVEL
from lepton_pipeline.operations.monitoring.findings import IndexPeriod, IndexResult
from lepton_pipeline.operations.monitoring.reference import Reference, groups_of
from lepton_pipeline.parameters import Dataset, Monitoring
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.prediction_powered import FEWEST_ROWS, Mean, mean_of
from lepton_pipeline.statistics.two_samples import holm
from lepton_pipeline.tasks.task import Array, Task

_MOST_PERIODS = 36


def take_index(
    rows: pd.DataFrame,
    scores: Array,
    task: Task,
    reference: Reference,
    dataset: Dataset,
    monitoring: Monitoring,
) -> IndexResult | None:
    """Take the declared index of `rows` with `scores` by period; None where none is declared.

    The index of a period is its mean prediction and the mean error on the judged rows, see
    `statistics.prediction_powered`; with `shift: labels`, predictions count by how steeply labels move them
    (see `Judged.steep`). Its change is that from the labels of the judged rows: their error is in both,
    so it is the difference of the mean predictions. P-values of all periods are corrected together.

    Raises:
        ConfigurationError: the index does not fit the classes of the champion, or the columns.
        DataError: the champion keeps too little to correct predictions by.
    """
    index, judged = monitoring.index, reference.judged
    if index is None:
        return None
    weights, period_of = task.weights(index), periods(rows, index, dataset)
    if judged is None:
        raise DataError(f"the champion keeps no errors of {FEWEST_ROWS} test rows or more")
    if judged.units < FEWEST_UNITS:
        raise DataError("the champion's test rows are of one group")
    of_predictions = judged.steep(weights) if index.shift == "labels" else weights
    error, groups = judged.error(weights, of_predictions), groups_of(rows, dataset)
    parts = task.parts(scores)
    values = parts @ of_predictions
    # Predictions of rows in order of time are as dependent as those of the test rows were.
    dependence, smallest = reference.scores.dependence, index.smallest_change * judged.deviation(weights)

    def taken(inside: Array, since: str | None = None, until: str | None = None) -> IndexPeriod:
        codes = None if groups is None else groups[inside]
        period = IndexPeriod(since=since, until=until, rows=int(inside.sum()))
        if period.rows < FEWEST_ROWS or (codes is not None and len(np.unique(codes)) < FEWEST_UNITS):
            return period
        predicted = mean_of(values[inside], codes, dependence)
        if index.shift == "labels":
            lever = judged.leverage(parts[inside].mean(axis=0))
            predicted = replace(predicted, variance=predicted.variance + lever * error.variance)
        change = predicted.minus(judged.predicted(of_predictions))
        level = _estimate(predicted.plus(error))
        return replace(period, index=level, change=_estimate(change), p_adjusted=change.p_value)

    if period_of is None:
        found = [taken(np.ones(len(rows), dtype=bool))]
    else:
        found = [
            taken(
                (period_of == each).to_numpy(), each.start_time.isoformat(), (each + 1).start_time.isoformat()
            )
            for each in _latest(period_of.dropna())
        ]
    undated = 0 if period_of is None else int(period_of.isna().sum())
    before, flagged = _estimate(judged.observed(weights)), _adjusted(found, monitoring.level, smallest)
    return IndexResult(before, smallest, index.shift, flagged, undated)


def _latest(seen: pd.Series) -> list[pd.Period]:
    """The latest periods up to the last one with a row, also those without any."""
    if seen.empty:
        return []
    return list(pd.period_range(max(seen.min(), seen.max() - _MOST_PERIODS + 1), seen.max()))


def _adjusted(found: list[IndexPeriod], level: float, smallest: float) -> list[IndexPeriod]:
    known = [place for place, each in enumerate(found) if each.p_adjusted is not None]
    corrected = dict(zip(known, holm([found[place].p_adjusted or 0.0 for place in known]), strict=True))
    return [
        each
        if each.change is None
        else replace(
            each,
            p_adjusted=float(corrected[place]),
            flagged=bool(corrected[place] <= level and abs(each.change.value) >= smallest),
        )
        for place, each in enumerate(found)
    ]


def _estimate(mean: Mean) -> Estimate:
    return Estimate(*mean.interval(LEVEL), approximate=mean.units < MANY_UNITS)
