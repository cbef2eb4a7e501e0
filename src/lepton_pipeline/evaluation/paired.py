"""Paired difference of two models on the same rows, with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import pandas as pd

from lepton_pipeline.evaluation.metrics import measure_once, resample
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.estimates import Estimate

# Biased upwards, more for the better model: a difference of two has no honest interval.
_WITHOUT_INTERVAL = "ece"


def paired_differences(
    rows: pd.DataFrame,
    one: str,
    other: str,
    thresholds: Mapping[str, float],
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> dict[str, Estimate]:
    """Metrics of `one` less those of `other` (see `measure`, without `ece`), on the same rows and resamples.

    Rows hard for one model are mostly hard for the other; on common resamples that cancels, and the 95 %
    bootstrap interval (see `Sample`) is much narrower than those of the two models suggest. `rows` has
    `label`, with both classes, and the probability columns `one` and `other`.
    """
    cuts = {model: thresholds[model] for model in (one, other)}
    values = {model: measure_once(rows, model, cuts[model]) for model in cuts}
    metrics = [metric for metric in values[one] if metric != _WITHOUT_INTERVAL]
    gains = {metric: values[one][metric] - values[other][metric] for metric in metrics}
    sample = Sample.of(rows["label"], units)
    if not sample.enough:
        return {metric: Estimate(gain) for metric, gain in gains.items()}
    drawn = resample(rows, cuts, evaluation, sample)
    return {
        metric: sample.figure(gain, drawn[one][metric] - drawn[other][metric], least=-inf)
        for metric, gain in gains.items()
    }
