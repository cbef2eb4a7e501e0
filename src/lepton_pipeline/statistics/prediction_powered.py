"""Prediction-powered means: of predictions for many rows, corrected by the errors on rows with labels.

Angelopoulos, Bates, Fannjiang, Jordan and Zrnic (2023), "Prediction-powered inference", Science 382. Where shares
of classes change, predictions follow them by less than they should: Lipton, Wang and Smola (2018), "Detecting and
Correcting for Label Shift with Black Box Predictors".
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from lepton_pipeline.statistics.intervals import Interval, student_deviate
from lepton_pipeline.statistics.losses import Floats

# Covariances of more would be long; means of fewer rows may tell of a person.
MOST_PARTS, FEWEST_ROWS = 50, 50
# Shares of classes add up to 1, so one direction is none.
_SINGULAR = 1e-8


@dataclass(frozen=True)
class Mean:
    """A mean, the variance of that mean, and the rows or groups that it rests on."""

    value: float
    variance: float
    units: int

    def plus(self, other: Mean) -> Mean:
        """The sum with the mean of other rows."""
        return Mean(self.value + other.value, self.variance + other.variance, min(self.units, other.units))

    def minus(self, other: Mean) -> Mean:
        """The difference from the mean of other rows."""
        return self.plus(Mean(-other.value, other.variance, other.units))

    def interval(self, level: float) -> Interval:
        """Student's interval, by the fewer units."""
        reach = student_deviate(level, self.units) * sqrt(self.variance)
        return Interval(self.value, self.value - reach, self.value + reach)

    @property
    def p_value(self) -> float:
        """Of Student's two-sided test that it is 0."""
        from scipy.stats import t

        error = sqrt(self.variance)
        deviation = abs(self.value) / error if error else inf if self.value else 0.0
        return float(2 * t.sf(deviation, self.units - 1))


@dataclass(frozen=True)
class Judged:
    """Means of what was predicted and observed of labelled rows, of K parts each: classes, or one number.

    They serve any weights of the parts, so that these can be chosen later.
    """

    rows: int
    units: int  # groups, else rows
    means: list[float]  # predicted, then observed, [2 K]
    covariance: list[list[float]]  # of these means, [2 K, 2 K]
    spread: list[list[float]]  # covariance of what was predicted and observed of a row, [2 K, 2 K]

    @classmethod
    def of(cls, predicted: Floats, observed: Floats, codes: np.ndarray | None, dependence: float) -> Judged:
        """Describe parts [rows, K]; `codes` and `dependence` as in `mean_of`."""
        both = np.hstack([predicted, observed])
        covariance, units = _covariance(both, codes, dependence)
        spread = np.cov(both, rowvar=False)
        return cls(len(both), units, both.mean(axis=0).tolist(), covariance.tolist(), spread.tolist())

    def steep(self, weights: Floats) -> Floats:
        """Weights of predictions [K] whose mean moves as much as that of labels does by `weights`.

        A change of labels moves mean predictions by the slopes B of their regression on labels, so a change of
        predictions by B stands for one of labels: these weights are those times the inverse of B.
        """
        found: Floats = np.linalg.pinv(self._slopes, rcond=_SINGULAR).T @ weights
        return found

    def leverage(self, predicted: Floats) -> float:
        """How much more the error varies that `steep` weights leave where mean predictions [K] have changed.

        Slopes are estimated, and the further labels move the more that counts, as in any regression.
        """
        change = predicted - np.array(self.means)[: len(predicted)]
        moved = np.linalg.pinv(self._slopes, rcond=_SINGULAR) @ change
        return float(moved @ np.linalg.pinv(self._of_labels, rcond=_SINGULAR) @ moved)

    @property
    def _of_labels(self) -> Floats:
        """Covariance of labels, [K, K]."""
        parts = len(self.means) // 2
        found: Floats = np.array(self.spread)[parts:, parts:]
        return found

    @property
    def _slopes(self) -> Floats:
        """Slopes of predictions on labels, [K, K]."""
        parts = len(self.means) // 2
        both = np.array(self.spread)[:parts, parts:]
        slopes: Floats = both @ np.linalg.pinv(self._of_labels, rcond=_SINGULAR)
        # Of predictions that never vary, rounding is left.
        return np.where(np.abs(slopes) < _SINGULAR, 0.0, slopes)

    def predicted(self, weights: Floats) -> Mean:
        """Mean of the predictions, weighted by part [K]."""
        return self._mean(np.concatenate([weights, 0 * weights]))

    def observed(self, weights: Floats) -> Mean:
        """Mean of the labels."""
        return self._mean(np.concatenate([0 * weights, weights]))

    def error(self, weights: Floats, of_predictions: Floats | None = None) -> Mean:
        """Mean of labels less predictions, by default of the same weights."""
        return self._mean(np.concatenate([-(weights if of_predictions is None else of_predictions), weights]))

    def deviation(self, weights: Floats) -> float:
        """Standard deviation of a label."""
        return sqrt(max(float(weights @ self._of_labels @ weights), 0.0))

    def _mean(self, weights: Floats) -> Mean:
        variance = float(weights @ np.array(self.covariance) @ weights)
        return Mean(float(weights @ np.array(self.means)), max(variance, 0.0), self.units)


def mean_of(values: Floats, codes: np.ndarray | None = None, dependence: float = 1.0) -> Mean:
    """Mean of values [rows], at least two.

    `codes` are groups [rows] of dependent rows, None for rows that are their own; `dependence` is the design
    effect of rows in order of time. The larger variance of both counts.

    >>> mean_of(np.array([1.0, 3.0]))
    Mean(value=2.0, variance=1.0, units=2)
    """
    covariance, units = _covariance(values[:, None], codes, dependence)
    return Mean(float(values.mean()), float(covariance[0, 0]), units)


def _covariance(values: Floats, codes: np.ndarray | None, dependence: float) -> tuple[Floats, int]:
    """Covariance of the means of values [rows, parts], and the units that it rests on."""
    parts = (values - values.mean(axis=0)) / len(values)
    rows: Floats = parts.T @ parts * (len(values) / (len(values) - 1) * dependence)
    if codes is None:
        return rows, len(values)
    names, places = np.unique(codes, return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, places, parts)
    groups: Floats = sums.T @ sums * (len(names) / max(len(names) - 1, 1))
    return (groups if np.trace(groups) > np.trace(rows) else rows), len(names)
