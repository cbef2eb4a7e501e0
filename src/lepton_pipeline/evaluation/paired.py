"""How far two models differ on the same rows, with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import pandas as pd

from lepton_pipeline.evaluation.metrics import measure_once, resample
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.estimates import Estimate

# Noise raises it for both models, more where there is less of it to find; a difference of two has no honest
# interval.
_WITHOUT_INTERVAL = "ece"


def paired_differences(
    rows: pd.DataFrame,
    one: str,
    other: str,
    thresholds: Mapping[str, float],
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> dict[str, Estimate]:
    """Measure two models on the same rows and the same resamples of them, and take the differences.

    A row that is hard for one model is mostly hard for the other, too. Where both are measured on the same
    resample, that cancels out, and the interval of the difference is much narrower than the two intervals
    suggest. It is a 95 % bootstrap interval (see `Sample`).

    Args:
        rows: `label` (0 or 1, both occur) and the columns `one` and `other` with probabilities.
        one: the model whose advantage is measured.
        other: the model it is compared with.
        thresholds: of both models, the probability from which a row counts as positive.
        evaluation: number of resamples and their seed.
        units: as `resampling_units` returns them, of these rows and perhaps others; None: rows are
            independent.

    Returns:
        By metric (see `measure`, without `ece`) the value of `one` minus that of `other`.
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
