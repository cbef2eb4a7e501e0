"""Intervals of rates and ranks that also hold for few rows and at 0 and 1, where a bootstrap interval has no width."""

from __future__ import annotations

from math import hypot, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from lepton_pipeline.statistics.ranks import delong_variance, placements, variance_between


class Interval(NamedTuple):
    """An estimate between the ends of its interval."""

    value: float
    low: float
    high: float


def normal_deviate(level: float) -> float:
    """Standard normal deviate of a two-sided interval.

    >>> round(normal_deviate(0.95), 3)
    1.96
    """
    return NormalDist().inv_cdf((1 + level) / 2)


def student_deviate(level: float, units: int) -> float:
    """Student's deviate of a two-sided interval of a mean of `units` independent values."""
    from scipy.special import stdtrit

    return float(stdtrit(units - 1, (1 + level) / 2))


def wilson(share: float, size: float, z: float) -> Interval:
    """Wilson's interval of a rate (Wilson 1927), which also holds for few rows and at 0 and 1.

    Args:
        share: observed rate, in [0, 1].
        size: number of rows, or as many as would be as informative.
        z: as `normal_deviate` returns it.

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
    """Wilson's interval of a share of rows, of as many rows as are as informative where they are of units.

    That number is p (1 - p) over the variance of the share, which is taken between units as for any ratio
    (Korn and Graubard 1998, "Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data"); at 0 and 1, where it has none, it is the number of units.

    Args:
        hits: whether each row counts, shape [rows].
        z: as `normal_deviate` or `Sample.deviate` returns it.
        codes: the unit of each row, shape [rows]; None where rows are independent.
    """
    share = float(hits.mean())
    size = float(len(hits))
    if codes is not None:
        variance = variance_between(codes, (hits - share) / size)
        size = min(size, share * (1 - share) / variance) if variance > 0 else float(len(np.unique(codes)))
    return wilson(share, size, z)


def auc_interval(
    labels: np.ndarray, probabilities: np.ndarray, z: float, codes: np.ndarray | None = None
) -> Interval:
    """Area under the ROC curve with an interval that has a width also where all rows are ranked right.

    The variance (see `delong_variance`) is turned into the number of rows of a rate that has the same
    variance, and Wilson's interval of that rate is taken. That number is at most the one of scores without
    skill: where few rows are ranked nearly perfectly, DeLong's variance goes to 0.

    Args:
        labels: 0 or 1, both present, shape [rows].
        probabilities: shape [rows]; a tie counts one half.
        z: as `normal_deviate` or `Sample.deviate` returns it.
        codes: the unit of each row, shape [rows]; None where rows are independent.
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
    labels: np.ndarray, probabilities: np.ndarray, z: float, codes: np.ndarray | None = None
) -> Interval:
    """Mean probability less the observed rate.

    The better probabilities tell rows apart, the less chance is left in the rate. So it is given Wilson's
    interval for as many rows as have the variance of the residuals, or that which the probabilities imply if
    it is larger: seen in few rows, residuals may be small by chance. A normal interval is too short where one
    class is rare.

    Args:
        labels: 0 or 1, both present, shape [rows].
        probabilities: shape [rows].
        z: as `normal_deviate` or `Sample.deviate` returns it.
        codes: the unit of each row, shape [rows]; None where rows are independent.
    """
    rate, mean = float((labels != 0).mean()), float(probabilities.mean())
    implied = float((probabilities * (1 - probabilities)).mean())
    residuals = labels - probabilities
    variance = max(implied, float(residuals.var(ddof=1))) / len(labels)
    if codes is not None:
        variance = max(variance, variance_between(codes, (residuals - residuals.mean()) / len(labels)))
    observed = wilson(rate, rate * (1 - rate) / variance, z) if variance > 0 else Interval(rate, rate, rate)
    return Interval(mean - rate, mean - observed.high, mean - observed.low)


def difference(one: Interval, other: Interval) -> Interval:
    """`one` less `other` of independent rows, from the interval of each at the same level.

    Each end is that of the two intervals which it depends on (Newcombe 1998, "Interval estimation for the
    difference between independent proportions", method 10; Zou and Donner 2008, "Construction of confidence
    limits about effect
    measures: A general approach").
    """
    value = one.value - other.value
    down = hypot(one.value - one.low, other.high - other.value)
    up = hypot(one.high - one.value, other.value - other.low)
    return Interval(value, value - down, value + up)


def percentile_interval(drawn: np.ndarray, level: float) -> tuple[float, float]:
    """Ends of a percentile interval (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13).

    Args:
        drawn: values of the resamples, shape [resamples].
        level: of the interval.

    >>> percentile_interval(np.arange(1, 40), 0.5)
    (10.0, 30.0)
    """
    tail = (1 - level) / 2
    # Other definitions of a quantile lie too far inside, by more the fewer resamples there are.
    low, high = np.quantile(drawn, [tail, 1 - tail], method="weibull")
    return float(low), float(high)
