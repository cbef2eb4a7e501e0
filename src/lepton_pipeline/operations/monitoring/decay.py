"""Decay: whether realised quality has become worse than that of the test."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import pandas as pd

from lepton_pipeline.evaluation.metrics import measure_metric, measure_once
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.parameters import Decay, Evaluation
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.metric_table import higher_is_better, wholly_worse
from lepton_pipeline.tasks.task import Task

# As in the gate: below that no comparison is made.
FEWEST_ROWS = 50
COVERAGE = "coverage"


def measure_window(
    task: Task,
    rows: pd.DataFrame,
    metric: str,
    threshold: float | None,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> Estimate | None:
    """Measure a metric on rows with known labels.

    `rows` have `label` and columns of scores of `model`; `evaluation` has the number of resamples, for metrics
    whose interval has no formula. `units` are those of `resampling_units`; None if rows are independent.
    Returns None for fewer than 50 rows, 10 cases (see `Task.cases`), or two groups or blocks, and where these
    rows do not have the metric, such as a share of targets that are all 0.
    """
    sample = Sample.of(rows["label"], units, task)
    if len(rows) < FEWEST_ROWS or not sample.enough:
        return None
    # A share of a target of nought is missing or not finite.
    if not isfinite(measure_once(task, rows, "model", threshold).get(metric, float("nan"))):
        return None
    return measure_metric(rows, metric, threshold, sample, evaluation)


def decay_bound(decay: Decay, metric: str, estimate: Estimate | None) -> float | None:
    """The declared bound of the gate's metric, else the worse end of the champion's test interval, else None."""
    declared = decay.at_least if higher_is_better(metric) else decay.at_most
    return worse_end(metric, estimate) if declared is None else declared


def worse_end(metric: str, estimate: Estimate | None) -> float | None:
    """The worse end of an interval: the low one, or the high one where lower is better; None without any."""
    if estimate is None:
        return None
    return estimate.low if higher_is_better(metric) else estimate.high


def is_worse(metric: str, figure: Estimate | None, bound: float | None) -> bool:
    """Whether the whole interval is worse than the bound."""
    if figure is None or figure.low is None or bound is None:
        return False
    return wholly_worse(metric, figure.ends, bound)


def has_decayed(worse: Sequence[bool | None], decay: Decay) -> bool | None:
    """Whether enough of the last windows are worse than the bound; None where too few are measured.

    `worse` has a window each in order of time, None where not measured.
    """
    measured = [each for each in worse if each is not None][-decay.of :]
    if sum(measured) >= decay.windows:
        return True
    return False if len(measured) >= decay.windows else None
