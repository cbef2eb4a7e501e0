"""How far two models differ on the same rows, with an interval."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.metrics import measure_once, resample
from lepton_pipeline.parameters import Evaluation

_INTERVAL = (0.025, 0.975)
# Noise raises it for both models, more where there is less of it to find; a difference of two has no honest interval.
_WITHOUT_INTERVAL = "ece"


def paired_differences(
    rows: pd.DataFrame,
    one: str,
    other: str,
    thresholds: dict[str, float],
    evaluation: Evaluation,
    groups: np.ndarray | None = None,
) -> dict[str, dict[str, float]]:
    """Measure two models on the same rows and the same resamples of them, and take the differences.

    A row that is hard for one model is mostly hard for the other, too. Where both are measured on the same resample,
    that cancels out, and the interval of the difference is much narrower than the two intervals suggest. It is a 95 %
    percentile-bootstrap interval (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13), with rows
    drawn within each class, or whole groups drawn where groups are given.

    Args:
        rows: `label` (0 or 1, both occur) and the columns `one` and `other` with probabilities.
        one: the model whose advantage is measured.
        other: the model it is compared with.
        thresholds: of both models, the probability from which a row counts as positive.
        evaluation: number of resamples and their seed.
        groups: the group of each row, shape [rows]; None where rows are independent.

    Returns:
        By metric (see `metrics.measure`, without `ece`) the `value` of `one` minus that of `other`, and the `low` and
        `high` end of its interval.
    """
    cuts = {model: thresholds[model] for model in (one, other)}
    values = {model: measure_once(rows, model, cuts[model]) for model in cuts}
    resampled = resample(rows, cuts, evaluation, groups)
    differences = {}
    for metric in values[one]:
        if metric == _WITHOUT_INTERVAL:
            continue
        low, high = np.quantile(resampled[one][metric] - resampled[other][metric], _INTERVAL)
        differences[metric] = {
            "value": values[one][metric] - values[other][metric],
            "low": float(low),
            "high": float(high),
        }
    return differences
