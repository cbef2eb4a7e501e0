"""Logits, probabilities, their log loss and the temperature that lowers it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Log losses clip probabilities to the resolution of float64, everywhere.
SMALLEST = float(np.finfo(np.float64).eps)
# Logits, which are inputs of a fit, clip them here.
EDGE = 1e-7
# Of a temperature: a steeper or flatter fit is one of few or separated rows.
_FLATTEST, _STEEPEST = 0.05, 5.0


def to_logits(probabilities: Floats) -> Floats:
    """Logits [n] of probabilities [n], finite also for 0 and 1."""
    clipped = np.clip(probabilities, EDGE, 1 - EDGE)
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


def log_softmax(logits: Floats) -> Floats:
    """Logs of the probabilities of classes, [n, classes], of logits [n, classes]."""
    shifted: Floats = logits - logits.max(axis=1, keepdims=True)
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


def softmax(logits: Floats) -> Floats:
    """Probabilities of classes, [n, classes], of logits [n, classes].

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    probabilities: Floats = np.exp(log_softmax(logits))
    return probabilities


def class_log_losses(probabilities: Floats, labels: np.ndarray) -> Floats:
    """Negative log of the probability [n, classes] given to each label, a whole number from 0; [n]."""
    losses: Floats = -np.log(probabilities[np.arange(len(labels)), labels].clip(SMALLEST, 1))
    return losses


def fit_temperature(logits: Floats, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Inverse temperature of logits [n, classes] with the lowest log loss, from 0.05 to 5 (Guo et al. 2017).

    It is below 1 for an overconfident model, and 1 where the logits of every row are equal. `labels` are
    whole numbers from 0; `weights` [n] say how much each row counts. The loss is convex in the inverse
    temperature.
    """
    from scipy.optimize import brentq

    shifted = logits - logits.max(axis=1, keepdims=True)
    if not shifted.any():
        return 1.0
    given = shifted[np.arange(len(labels)), labels]

    def gradient(slope: float) -> float:
        excess = (softmax(slope * shifted) * shifted).sum(axis=1) - given
        return float((excess if weights is None else weights * excess).sum())

    if gradient(_FLATTEST) >= 0:
        return _FLATTEST
    if gradient(_STEEPEST) <= 0:
        return _STEEPEST
    return float(brentq(gradient, _FLATTEST, _STEEPEST, xtol=1e-9))
