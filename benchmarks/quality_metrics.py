"""The metrics of each task, and what of a prediction is kept for paired intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lepton_pipeline.statistics.losses import SMALLEST

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]

BINARY, MULTICLASS, REGRESSION = "binary", "multiclass", "regression"
# Of the intervals of a regression.
LEVEL = 0.9


@dataclass(frozen=True)
class Metric:
    """How a metric is shown and compared."""

    name: str
    smaller_is_better: bool = False
    # Whether it is in units of the target, so that a mean over tables says nothing.
    in_units: bool = False


METRICS = {
    "auc": Metric("AUC"),
    "log_loss": Metric("log loss", smaller_is_better=True),
    "average_precision": Metric("average precision"),
    "macro_f1": Metric("macro F1"),
    "auc_ovr": Metric("one-vs-rest AUC"),
    "rmse": Metric("RMSE", smaller_is_better=True, in_units=True),
    "mae": Metric("MAE", smaller_is_better=True, in_units=True),
    "r2": Metric("R2"),
    "interval_score": Metric("interval score", smaller_is_better=True, in_units=True),
}
# Metrics by which contenders are ranked, the headline first.
RANKED = {
    BINARY: ("auc", "log_loss", "average_precision"),
    MULTICLASS: ("log_loss", "macro_f1", "auc_ovr"),
    REGRESSION: ("rmse", "mae", "r2", "interval_score"),
}


@dataclass(frozen=True)
class Prediction:
    """What a contender says of the test rows.

    Attributes:
        outputs: probability of the positive class [n], of every class [n, classes], or the value on the
            target's own scale [n].
        low: lower end of the 90 % interval of a regression [n].
        high: its upper end [n].
    """

    outputs: Scores
    low: Scores | None = None
    high: Scores | None = None


def figures(task: str, labels: Labels, predicted: Prediction) -> dict[str, float]:
    """Metrics of the test rows, to six significant digits."""
    measured = {BINARY: _binary, MULTICLASS: _multiclass, REGRESSION: _regression}[task](labels, predicted)
    return {name: float(f"{float(value):.6g}") for name, value in measured.items()}


def _binary(labels: Labels, predicted: Prediction) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

    return {
        "auc": roc_auc_score(labels, predicted.outputs),
        "log_loss": log_loss(labels, predicted.outputs),
        "average_precision": average_precision_score(labels, predicted.outputs),
    }


def _multiclass(labels: Labels, predicted: Prediction) -> dict[str, float]:
    from sklearn.metrics import f1_score, roc_auc_score

    classes = range(predicted.outputs.shape[1])
    return {
        "log_loss": row_scores(MULTICLASS, labels, predicted).mean(),
        "macro_f1": f1_score(labels, predicted.outputs.argmax(axis=1), labels=classes, average="macro"),
        "auc_ovr": roc_auc_score(labels, predicted.outputs, labels=classes, multi_class="ovr"),
    }


def _regression(labels: Labels, predicted: Prediction) -> dict[str, float]:
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    measured = {
        "rmse": root_mean_squared_error(labels, predicted.outputs),
        "mae": mean_absolute_error(labels, predicted.outputs),
        "r2": r2_score(labels, predicted.outputs),
    }
    low, high = predicted.low, predicted.high
    if low is None or high is None:
        return measured
    beyond = np.maximum(low - labels, 0) + np.maximum(labels - high, 0)
    width = float((high - low).mean())
    return {
        **measured,
        "coverage": float((beyond == 0).mean()),
        "width": width,
        # Gneiting and Raftery 2007, "Strictly Proper Scoring Rules, Prediction, and Estimation", section 6.2.
        "interval_score": width + 2 / (1 - LEVEL) * float(beyond.mean()),
    }


def row_scores(task: str, labels: Labels, predicted: Prediction) -> Scores:
    """What the headline metric needs of each test row, [n]: probability, log loss or residual."""
    if task == BINARY:
        return predicted.outputs
    if task == REGRESSION:
        residuals: Scores = labels - predicted.outputs
        return residuals
    given = predicted.outputs[np.arange(len(labels)), labels]
    losses: Scores = -np.log(given.clip(SMALLEST, 1))
    return losses


def conformal_reach(residuals: Scores) -> float:
    """Half the width of the split conformal interval, from residuals of held-out rows [n].

    Lei et al. 2018, "Distribution-Free Predictive Inference for Regression", section 2.2.

    >>> conformal_reach(np.array([-1.0, 2.0, -3.0, 4.0, -5.0, 6.0, -7.0, 8.0, -9.0]))
    9.0
    """
    rank = int(np.ceil(round((len(residuals) + 1) * LEVEL, 9)))
    return float(np.sort(np.abs(residuals))[min(rank, len(residuals)) - 1])
