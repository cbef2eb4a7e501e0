"""Calibrate probabilities by held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lepton_pipeline.statistics.losses import Floats, sigmoid

_HALVES = 2


@dataclass(frozen=True)
class Calibration:
    """A rising line through outputs, which keeps ranks; slope 1 and intercept 0 change nothing."""

    slope: float = 1.0  # below 1 for an overconfident model; the inverse of the temperature
    intercept: float = 0.0  # above 0 for probabilities that are too low

    def correct(self, outputs: Floats) -> Floats:
        """Turn outputs (logits, say) into calibrated ones, of the same shape."""
        return self.slope * outputs + self.intercept


def choose_calibration(
    outputs: Floats,
    labels: np.ndarray,
    fits: Sequence[Callable[..., Calibration]],
    row_losses: Callable[[Floats, np.ndarray], Floats],
    weights: np.ndarray | None = None,
) -> Calibration:
    """Choose between no correction and `fits`, ever more parameters, by held-out outputs, [n] or [n, K].

    Each is cross-fitted on odd and even rows; more parameters must lower the loss by more than its standard
    error (Breiman et al., "Classification and regression trees", 1984, section 3.4.3).
    """
    half = np.arange(len(labels)) % _HALVES
    best, losses = Calibration(), row_losses(outputs, labels)
    for fit in fits:
        corrected = np.empty_like(outputs)
        for side in range(_HALVES):
            others = () if weights is None else (weights[half != side],)
            fitted = fit(outputs[half != side], labels[half != side], *others)
            corrected[half == side] = fitted.correct(outputs[half == side])
        gains = losses - row_losses(corrected, labels)
        scaled = gains if weights is None else gains * weights / weights.mean()
        if scaled.mean() > scaled.std() / len(gains) ** 0.5:
            best = fit(outputs, labels, *(() if weights is None else (weights,)))
            losses = losses - gains
    return best


def fit_temperature(logits: Floats, labels: np.ndarray, weights: np.ndarray | None = None) -> Calibration:
    """Scale logits [n] by minimal log loss (Guo et al., "On calibration of modern neural networks", ICML 2017)."""
    return fit_line(logits, labels, weights, with_intercept=False)


def fit_line(
    logits: Floats, labels: np.ndarray, weights: np.ndarray | None = None, *, with_intercept: bool = True
) -> Calibration:
    """Minimise the log loss by Newton's method; the slope stays positive.

    Platt, "Probabilistic outputs for support vector machines", 1999.
    """
    if len(np.unique(labels)) < _HALVES:
        return Calibration()
    columns = np.column_stack([logits, np.ones(len(logits))])[:, : 1 + with_intercept]
    line = np.array([1.0, 0.0])[: 1 + with_intercept]
    for _ in range(50):
        probabilities = sigmoid(columns @ line)
        errors, spread = probabilities - labels, probabilities * (1 - probabilities)
        if weights is not None:
            errors, spread = errors * weights, spread * weights
        gradient = columns.T @ errors
        # The ridge keeps the step finite where the rows are separated.
        curvature = (columns * spread[:, None]).T @ columns
        step = np.linalg.solve(curvature + 1e-3 * np.eye(len(line)), gradient)
        line = line - np.clip(step, -0.5, 0.5)
        if np.abs(step).max() < 1e-9:
            break
    slope = float(np.clip(line[0], 0.05, 5.0))
    return Calibration(slope, float(line[1]) if with_intercept else 0.0)
