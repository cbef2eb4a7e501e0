"""Logits, probabilities and their log loss."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Log losses clip probabilities to the resolution of float64, everywhere.
SMALLEST = float(np.finfo(np.float64).eps)
# Logits, which are inputs of a fit, clip them here.
_EDGE = 1e-7


def to_logits(probabilities: Floats) -> Floats:
    """Logits [n] of probabilities [n], finite also for 0 and 1."""
    clipped = np.clip(probabilities, _EDGE, 1 - _EDGE)
    logits: Floats = np.log(clipped) - np.log1p(-clipped)
    return logits


def sigmoid(logits: Floats) -> Floats:
    """Probabilities [n] of logits [n]."""
    # By halves: the exponential of a large number overflows.
    small: Floats = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, small) / (1 + small)


def log_losses(probabilities: Floats, labels: np.ndarray) -> Floats:
    """Negative log of the probability given to each label, [n]."""
    given: Floats = np.where(labels == 1, probabilities, 1 - probabilities)
    losses: Floats = -np.log(given.clip(SMALLEST, 1))
    return losses


def log_loss(probabilities: Floats, labels: np.ndarray) -> float:
    """Mean of `log_losses`."""
    return float(log_losses(probabilities, labels).mean())
