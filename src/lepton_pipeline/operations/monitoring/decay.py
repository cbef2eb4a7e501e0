"""Decay: whether realised quality has fallen below that of the test."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lepton_pipeline.evaluation.metrics import measure_metric
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.parameters import Decay, Evaluation
from lepton_pipeline.statistics.estimates import Estimate

# As in the gate: below that no comparison is made.
FEWEST_ROWS = 50


def measure_window(
    rows: pd.DataFrame,
    metric: str,
    threshold: float | None,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> Estimate | None:
    """Measure the gate's metric on rows with known labels.

    `rows` have `label` (0 or 1) and `probability`; `metric` is "auc", "average_precision" or "f1", and
    `evaluation` has the number of resamples for the latter two. `units` are those of `resampling_units`; None
    if rows are independent. Returns None for fewer than 50 rows, 10 of a class, or two groups or blocks.
    """
    sample = Sample.of(rows["label"], units)
    if len(rows) < FEWEST_ROWS or not sample.enough:
        return None
    return measure_metric(
        rows.rename(columns={"probability": "model"}), metric, threshold, sample, evaluation
    )


def decay_bound(decay: Decay, estimate: Estimate | None) -> float | None:
    """The declared bound, else the low end of the champion's test interval, else None."""
    if decay.at_least is not None:
        return decay.at_least
    return None if estimate is None else estimate.low


def is_below(figure: Estimate | None, bound: float | None) -> bool:
    """Whether the whole interval lies below the bound."""
    return figure is not None and figure.high is not None and bound is not None and figure.high < bound


def has_decayed(below: Sequence[bool | None], decay: Decay) -> bool | None:
    """Whether enough of the last windows lie below the bound; None where too few are measured.

    `below` has a window each in order of time, None where not measured.
    """
    measured = [each for each in below if each is not None][-decay.of :]
    if sum(measured) >= decay.windows:
        return True
    return False if len(measured) >= decay.windows else None
