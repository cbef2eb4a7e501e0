"""How much boosting counts in the model beside the networks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lepton_pipeline.model.calibration import log_loss, sigmoid

Floats = npt.NDArray[np.float64]

EQUAL = 0.5
# Neither part is ever left out: what held-out rows like least may be what later rows need.
WEIGHTS = tuple(tenths / 10 for tenths in range(2, 9))


def weigh(network: Floats, boosting: Floats, labels: np.ndarray) -> float:
    """Choose the weight of boosting in the mean of logits that has the lowest log loss of held-out rows.

    Only for rows that were held out in their turn: rows that stopped all fits are known to the parts in different
    degrees, the networks most, so that their evidence misleads; equal weights did better there.

    Args:
        network: logits, [n].
        boosting: logits, [n].
        labels: 0 or 1, [n].

    Returns:
        One of `WEIGHTS`; of equally good ones that nearest to equal weights.
    """
    losses = {weight: log_loss(sigmoid(_mean(network, boosting, weight)), labels) for weight in WEIGHTS}
    return min(WEIGHTS, key=lambda weight: (losses[weight], abs(weight - EQUAL)))


def mix(logits: Mapping[str, Floats], weight: float) -> Floats:
    """Mean of the logits of `network` and, where it is there, of `boosting` with its weight, [n]."""
    if "boosting" not in logits:
        return logits["network"]
    return _mean(logits["network"], logits["boosting"], weight)


def _mean(network: Floats, boosting: Floats, weight: float) -> Floats:
    return (1 - weight) * network + weight * boosting
