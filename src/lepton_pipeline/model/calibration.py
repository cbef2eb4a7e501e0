"""Calibrate probabilities on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lepton_pipeline.statistics.losses import Floats, log_losses, sigmoid

_HALVES = 2


@dataclass(frozen=True)
class Calibration:
    """A rising line through logits, which keeps ranks; slope 1 and intercept 0 change nothing.

    Attributes:
        slope: below 1 for an overconfident model; the inverse of the temperature.
        intercept: above 0 for probabilities that are too low.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, logits: Floats) -> Floats:
        """Turn logits [n] into calibrated probabilities [n]."""
        return sigmoid(self.correct(logits))

    def correct(self, logits: Floats) -> Floats:
        """Turn logits [n] into calibrated logits [n]."""
        return self.slope * logits + self.intercept


def fit_calibration(logits: Floats, labels: np.ndarray) -> Calibration:
    """Choose between no correction, a temperature and a line, and fit it to held-out logits [n].

    Temperature: Guo et al., "On calibration of modern neural networks", ICML 2017. Line: Platt,
    "Probabilistic outputs for support vector machines", 1999. Each is cross-fitted on odd and even rows; more
    parameters must lower the log loss by more than its standard error (Breiman et al., "Classification and
    regression trees", 1984, section 3.4.3).
    """
    half = np.arange(len(labels)) % _HALVES
    best, losses = Calibration(), log_losses(sigmoid(logits), labels)
    for with_intercept in (False, True):
        scores = np.empty(len(labels))
        for side in range(_HALVES):
            fitted = fit_line(logits[half != side], labels[half != side], with_intercept)
            scores[half == side] = fitted.apply(logits[half == side])
        gains = losses - log_losses(scores, labels)
        if gains.mean() > gains.std() / len(gains) ** 0.5:
            best, losses = fit_line(logits, labels, with_intercept), losses - gains
    return best


def fit_line(logits: Floats, labels: np.ndarray, with_intercept: bool = True) -> Calibration:
    """Minimise the log loss by Newton's method; the slope stays positive."""
    if len(np.unique(labels)) < _HALVES:
        return Calibration()
    columns = np.column_stack([logits, np.ones(len(logits))])[:, : 1 + with_intercept]
    line = np.array([1.0, 0.0])[: 1 + with_intercept]
    for _ in range(50):
        probabilities = sigmoid(columns @ line)
        gradient = columns.T @ (probabilities - labels)
        # The ridge keeps the step finite where the rows are separated.
        curvature = (columns * (probabilities * (1 - probabilities))[:, None]).T @ columns
        step = np.linalg.solve(curvature + 1e-3 * np.eye(len(line)), gradient)
        line = line - np.clip(step, -0.5, 0.5)
        if np.abs(step).max() < 1e-9:
            break
    slope = float(np.clip(line[0], 0.05, 5.0))
    return Calibration(slope, float(line[1]) if with_intercept else 0.0)
