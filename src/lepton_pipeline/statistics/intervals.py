"""Intervals of rates, ranks and means that also hold for few rows, where those of a bootstrap are too narrow."""

from __future__ import annotations

from math import hypot, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from lepton_pipeline.statistics.ranks import Array, delong_variance, placements, variance_between

# Skewness of a mean that changes nothing but digits lost in a difference.
_STRAIGHT = 1e-6


class Interval(NamedTuple):
    """An estimate with the ends of its interval."""

    value: float
    low: float
    high: float


def normal_deviate(level: float) -> float:
    """Standard normal deviate of a two-sided interval.

    >>> round(normal_deviate(0.95), 3)
    1.96
    """
    return NormalDist().inv_cdf((1 + level) / 2)


def student_deviate(level: float, units: float) -> float:
    """Student's deviate of a two-sided interval of a mean of `units` independent values."""
    from scipy.special import stdtrit

    return float(stdtrit(units - 1, (1 + level) / 2))


def wilson(share: float, size: float, z: float) -> Interval:
    """Interval of a rate of `size` (effective) rows (Wilson 1927); holds for few rows, at 0 and 1.

    >>> low, high = wilson(0.0, 20, 1.96)[1:]
    >>> low, round(high, 3)
    (0.0, 0.161)
    """
    spread = z**2 / size
    centre = (share + spread / 2) / (1 + spread)
    reach = sqrt(spread * share * (1 - share) + spread**2 / 4) / (1 + spread)
    # At 0 and 1 only rounding keeps an end from being there.
    return Interval(share, max(0.0, min(share, centre - reach)), min(1.0, max(share, centre + reach)))


def share_interval(hits: np.ndarray, z: float, codes: np.ndarray | None = None) -> Interval:
    """Wilson's interval of the share of `hits` [rows], by the effective sample size of clustered rows.

    That size is p (1 - p) over the variance of the share between units, as for any ratio (Korn and Graubard
    1998, "Confidence intervals for proportions with small expected number of positive counts estimated from
    survey data"), or the number of units at 0 and 1. `codes` are the units [rows], None for independent rows;
    `z` as `normal_deviate` or `Sample.deviate` returns it.
    """
    share = float(hits.mean())
    size = float(len(hits))
    if codes is not None:
        variance = variance_between(codes, (hits - share) / size)
        size = min(size, share * (1 - share) / variance) if variance > 0 else float(len(np.unique(codes)))
    return wilson(share, size, z)


def auc_interval(labels: Array, probabilities: Array, z: float, codes: Array | None = None) -> Interval:
    """Area under the ROC curve with an interval that has a width also for a perfect ranking.

    Wilson's interval of a rate of as many rows as give DeLong's variance (see `delong_variance`), at most
    those of scores without skill: for a few nearly perfectly ranked rows DeLong's variance goes to 0. Both
    classes must be present; `z` and `codes` as in `share_interval`.
    """
    placed = placements(probabilities, labels)
    auc, variance = float(placed[0].mean()), delong_variance(placed, labels, codes)
    positives, negatives = map(len, placed)
    if codes is not None and not variance > 0:
        positives, negatives = (len(np.unique(codes[side])) for side in (labels != 0, labels == 0))
    most = 3 * positives * negatives / (positives + negatives + 1)
    size = min(most, auc * (1 - auc) / variance) if variance > 0 else most
    return wilson(auc, size, z)


def calibration_interval(
    labels: Array, probabilities: Array, z: float, codes: Array | None = None
) -> Interval:
    """Calibration in the large: mean probability less the observed rate.

    Wilson's interval of the rate for as many rows as have the variance of the residuals, or that implied by
    the probabilities if larger: residuals of few rows may be small by chance, and a normal interval is too
    short for a rare class. `z` and `codes` as in `share_interval`.
    """
    rate, mean = float((labels != 0).mean()), float(probabilities.mean())
    implied = float((probabilities * (1 - probabilities)).mean())
    residuals = labels - probabilities
    variance = max(implied, float(residuals.var(ddof=1))) / len(labels)
    if codes is not None:
        variance = max(variance, variance_between(codes, (residuals - residuals.mean()) / len(labels)))
    observed = wilson(rate, rate * (1 - rate) / variance, z) if variance > 0 else Interval(rate, rate, rate)
    return Interval(mean - rate, mean - observed.high, mean - observed.low)


def mean_interval(values: Array, z: float, codes: Array | None = None) -> Interval:
    """Mean of `values` [rows], corrected for their skewness, by the variance between rows or units, at least two.

    A normal interval of skewed values, such as losses and errors, misses the mean on the side of the tail too
    often: Hall 1992, "On the removal of skewness by transformation", section 2. `z` and `codes` as in
    `share_interval`.

    >>> mean_interval(np.array([1.0, 3.0]), z=1.0)
    Interval(value=2.0, low=1.0, high=3.0)
    """
    mean, rows = float(values.mean()), np.arange(len(values)) if codes is None else codes
    parts = np.bincount(rows, (values - mean) / len(values))
    error = sqrt(variance_between(rows, (values - mean) / len(values)))
    skewness = float((parts**3).sum()) / error**3 if error**3 > 0 else 0.0

    def deviate(at: float) -> float:
        if abs(skewness) < _STRAIGHT:
            return at
        return 3 / skewness * (float(np.cbrt(1 + skewness * (at - skewness / 6))) - 1)

    return Interval(mean, mean - error * deviate(z), mean - error * deviate(-z))


def difference(one: Interval, other: Interval) -> Interval:
    """`one` less `other` of independent rows, from intervals of the same level.

    Method 10 of Newcombe 1998, "Interval estimation for the difference between independent proportions"; see
    Zou and Donner 2008, "Construction of confidence limits about effect measures: A general approach".
    """
    value = one.value - other.value
    down = hypot(one.value - one.low, other.high - other.value)
    up = hypot(one.high - one.value, other.value - other.low)
    return Interval(value, value - down, value + up)


def percentile_interval(drawn: np.ndarray, level: float) -> tuple[float, float]:
    """Percentile interval of resamples (Efron, Tibshirani 1993, "An Introduction to the Bootstrap", ch. 13).

    >>> percentile_interval(np.arange(1, 40), 0.5)
    (10.0, 30.0)
    """
    tail = (1 - level) / 2
    # Other definitions of a quantile lie too far inside, by more the fewer resamples there are.
    low, high = np.quantile(drawn, [tail, 1 - tail], method="weibull")
    return float(low), float(high)
