"""How much boosting counts in the model beside the networks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lepton_pipeline.statistics.losses import log_loss, log_losses, sigmoid

Floats = npt.NDArray[np.float64]

EQUAL = 0.5
# Neither part is ever left out: what held-out rows like least may be what later rows need.
WEIGHTS = tuple(tenths / 10 for tenths in range(2, 9))
# Rows of one stretch of time resemble each other: one standard error, as if they were independent, is too
# little.
STANDARD_ERRORS = 2


def weigh(network: Floats, boosting: Floats, labels: np.ndarray) -> float:
    """Choose the weight of boosting in the mean of logits that has the lowest log loss of held-out rows.

    Only for rows that were held out in their turn; see `weigh_by_time` for rows that stopped all fits.

    Args:
        network: logits, [n].
        boosting: logits, [n].
        labels: 0 or 1, [n].

    Returns:
        One of `WEIGHTS`; of equally good ones that nearest to equal weights.
    """
    losses = {weight: log_loss(sigmoid(_mean(network, boosting, weight)), labels) for weight in WEIGHTS}
    return min(WEIGHTS, key=lambda weight: (losses[weight], abs(weight - EQUAL)))


def weigh_by_time(network: Floats, boosting: Floats, labels: np.ndarray) -> float:
    """Leave equal weights as far as later rows show that one part is better, as where the other follows a drift worse.

    The rows have stopped the fits, and are from one stretch of time. So the weight nearest to equal ones is
    sought whose log loss is within two standard errors (paired) of the lowest, as in Breiman and others,
    "Classification and regression trees", 1984, section 3.4.3, and half of the way there is gone. Each mean
    is first shifted to the base rate of these rows: which part comes nearer to the level of one stretch says
    little of the next.

    Args:
        network: logits of the validation rows, [n].
        boosting: logits, [n].
        labels: 0 or 1, [n].

    Returns:
        From 0.35 to 0.65.
    """
    losses = {
        weight: log_losses(sigmoid(_levelled(_mean(network, boosting, weight), labels)), labels)
        for weight in WEIGHTS
    }
    best = min(WEIGHTS, key=lambda weight: losses[weight].mean())
    excess = {weight: losses[weight] - losses[best] for weight in WEIGHTS}
    unsure = {weight: STANDARD_ERRORS * excess[weight].std() / len(labels) ** 0.5 for weight in WEIGHTS}
    as_good = [weight for weight in WEIGHTS if excess[weight].mean() <= unsure[weight]]
    return (EQUAL + min(as_good, key=lambda weight: (abs(weight - EQUAL), losses[weight].mean()))) / 2


def mix(logits: Mapping[str, Floats], weight: float) -> Floats:
    """Mean of the logits of `network` and, where it is there, of `boosting` with its weight, [n]."""
    if "boosting" not in logits:
        return logits["network"]
    return _mean(logits["network"], logits["boosting"], weight)


def _mean(network: Floats, boosting: Floats, weight: float) -> Floats:
    return (1 - weight) * network + weight * boosting


def _levelled(logits: Floats, labels: np.ndarray) -> Floats:
    """Shift logits until their probabilities have the mean of the labels, by Newton's method."""
    for _ in range(50):
        probabilities = sigmoid(logits)
        step = (labels.mean() - probabilities.mean()) / (probabilities * (1 - probabilities)).mean().clip(
            1e-6
        )
        logits = logits + np.clip(step, -0.5, 0.5)
        if abs(step) < 1e-9:
            break
    return logits
