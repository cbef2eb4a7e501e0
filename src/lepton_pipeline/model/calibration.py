"""Blend the parts of a model, and calibrate their mean, by held-out rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lepton_pipeline.statistics.losses import Floats, log_loss, log_losses, sigmoid

EQUAL = 0.5
# Neither part is ever left out: what held-out rows like least may be what later rows need.
WEIGHTS = tuple(tenths / 10 for tenths in range(2, 9))
# One standard error is too little for rows of one stretch of time, which are dependent.
STANDARD_ERRORS = 2
_HALVES = 2


@dataclass(frozen=True)
class Calibration:
    """A rising line through logits, which keeps ranks; slope 1 and intercept 0 change nothing."""

    slope: float = 1.0  # below 1 for an overconfident model; the inverse of the temperature
    intercept: float = 0.0  # above 0 for probabilities that are too low

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


def weigh(network: Floats, boosting: Floats, labels: np.ndarray) -> float:
    """Choose the weight of boosting, one of `WEIGHTS`, with the lowest log loss of out-of-fold logits [n].

    Ties go to the weight nearest to equal ones. See `weigh_by_time` for rows that stopped all fits.
    """
    losses = {weight: log_loss(sigmoid(_mean(network, boosting, weight)), labels) for weight in WEIGHTS}
    return min(WEIGHTS, key=lambda weight: (losses[weight], abs(weight - EQUAL)))


def weigh_by_time(network: Floats, boosting: Floats, labels: np.ndarray) -> float:
    """Choose a weight from 0.35 to 0.65 on later validation rows, which stopped the fits; logits are [n].

    The target is the weight nearest to equal ones within two (paired) standard errors of the lowest log loss,
    as in Breiman et al., "Classification and regression trees", 1984, section 3.4.3; half of the way there is
    taken, since the rows are of one stretch of time. Each blend is first shifted to the base rate of these
    rows, whose level says little about the next stretch.
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
    """Mean of the logits of `network` and, if present, of `boosting` with its weight, [n]."""
    if "boosting" not in logits:
        return logits["network"]
    return _mean(logits["network"], logits["boosting"], weight)


def _mean(network: Floats, boosting: Floats, weight: float) -> Floats:
    return (1 - weight) * network + weight * boosting


def _levelled(logits: Floats, labels: np.ndarray) -> Floats:
    """Shift logits by Newton's method until their probabilities have the mean of the labels."""
    for _ in range(50):
        probabilities = sigmoid(logits)
        slope = (probabilities * (1 - probabilities)).mean().clip(1e-6)
        step = (labels.mean() - probabilities.mean()) / slope
        logits = logits + np.clip(step, -0.5, 0.5)
        if abs(step) < 1e-9:
            break
    return logits
