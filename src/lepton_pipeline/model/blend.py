"""Blend the parts of a model, and weigh them by held-out rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.tasks.task import Task, mean

EQUAL = 0.5
# Neither part is ever left out: what held-out rows like least may be what later rows need.
WEIGHTS = tuple(tenths / 10 for tenths in range(2, 9))
# One standard error is too little for rows of one stretch of time, which are dependent.
STANDARD_ERRORS = 2


Weights = np.ndarray | None  # how much rows count, [n]; None for equal ones


def weigh(task: Task, network: Floats, boosting: Floats, labels: np.ndarray, rows: Weights = None) -> float:
    """Choose the weight of boosting, one of `WEIGHTS`, with the lowest loss of out-of-fold outputs.

    Ties go to the weight nearest to equal ones. See `weigh_by_time` for rows that stopped all fits.
    """
    losses = {
        weight: float(mean(task.row_losses(_mean(network, boosting, weight), labels), rows))
        for weight in WEIGHTS
    }
    return min(WEIGHTS, key=lambda weight: (losses[weight], abs(weight - EQUAL)))


def weigh_by_time(
    task: Task, network: Floats, boosting: Floats, labels: np.ndarray, rows: Weights = None
) -> float:
    """Choose a weight from 0.35 to 0.65 on later validation rows, which stopped the fits.

    The target is the weight nearest to equal ones within two (paired) standard errors of the lowest loss,
    as in Breiman et al., "Classification and regression trees", 1984, section 3.4.3; half of the way there is
    taken, since the rows are of one stretch of time. Each blend is first shifted to the mean of these
    rows, whose level says little about the next stretch.
    """
    losses = {
        weight: task.row_losses(task.levelled(_mean(network, boosting, weight), labels, rows), labels)
        for weight in WEIGHTS
    }
    if rows is not None:
        losses = {weight: each * rows / rows.mean() for weight, each in losses.items()}
    best = min(WEIGHTS, key=lambda weight: losses[weight].mean())
    excess = {weight: losses[weight] - losses[best] for weight in WEIGHTS}
    unsure = {weight: STANDARD_ERRORS * excess[weight].std() / len(labels) ** 0.5 for weight in WEIGHTS}
    as_good = [weight for weight in WEIGHTS if excess[weight].mean() <= unsure[weight]]
    return (EQUAL + min(as_good, key=lambda weight: (abs(weight - EQUAL), losses[weight].mean()))) / 2


def mix(outputs: Mapping[str, Floats], weight: float) -> Floats:
    """Mean of the outputs of `network` and, if present, of `boosting` with its weight."""
    if "boosting" not in outputs:
        return outputs["network"]
    return _mean(outputs["network"], outputs["boosting"], weight)


def _mean(network: Floats, boosting: Floats, weight: float) -> Floats:
    return (1 - weight) * network + weight * boosting
