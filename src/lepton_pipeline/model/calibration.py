"""Correct probabilities by what held-out rows show of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lepton_pipeline.statistics.losses import Floats, log_losses, sigmoid

_HALVES = 2


@dataclass(frozen=True)
class Calibration:
    """A line through logits, always rising, so ranks stay: 1 and 0 change nothing.

    Attributes:
        slope: below 1 where the model is too sure of itself; the inverse of the temperature.
        intercept: above 0 where positive rows are more frequent than the model says.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, logits: Floats) -> Floats:
        """Turn logits [n] into probabilities [n]."""
        return sigmoid(self.correct(logits))

    def correct(self, logits: Floats) -> Floats:
        """The logits [n] of those probabilities."""
        return self.slope * logits + self.intercept


def fit_calibration(logits: Floats, labels: np.ndarray) -> Calibration:
    """Choose between no correction, a temperature and a line, and fit it to held-out rows.

    Temperature: Guo et al., "On calibration of modern neural networks", ICML 2017. Line: Platt,
    "Probabilistic outputs for support vector machines", 1999. Each is fitted on every second row and judged
    by the log loss of the others, and the other way round; one with more parameters is taken only where that
    lowers the log loss by more than its standard error, since what held-out rows hardly show is not true of
    others (the rule of Breiman et al., "Classification and regression trees", 1984, section 3.4.3).

    Args:
        logits: of rows that the model has not learnt from, [n].
        labels: 0 or 1, [n].

    Returns:
        The correction, fitted on all rows; the one that changes nothing where none helps.
    """
    half = np.arange(len(labels)) % _HALVES
    best, losses = Calibration(), log_losses(sigmoid(logits), labels)
    for with_intercept in (False, True):
        scores = np.empty(len(labels))
        for side in range(_HALVES):
            fitted = _fit(logits[half != side], labels[half != side], with_intercept)
            scores[half == side] = fitted.apply(logits[half == side])
        gains = losses - log_losses(scores, labels)
        if gains.mean() > gains.std() / len(gains) ** 0.5:
            best, losses = _fit(logits, labels, with_intercept), losses - gains
    return best


def _fit(logits: Floats, labels: np.ndarray, with_intercept: bool) -> Calibration:
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
