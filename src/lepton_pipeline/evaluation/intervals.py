"""Intervals of rates and ranks that also hold for few rows and at 0 and 1, where a bootstrap interval has no width."""

from __future__ import annotations

from math import hypot, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """An estimate between the ends of its interval."""

    value: float
    low: float
    high: float


def deviate(level: float) -> float:
    """Standard normal deviate of a two-sided interval, 1.96 for `level` 0.95."""
    return NormalDist().inv_cdf((1 + level) / 2)


def rate_interval(share: float, size: float, z: float) -> Interval:
    """Wilson's interval of a rate (Wilson 1927), for which few rows, 0 and 1 are no exceptions.

    Args:
        share: observed rate, in [0, 1].
        size: number of rows, or as many as would be as informative.
        z: as `deviate` returns it.
    """
    spread = z**2 / size
    centre = (share + spread / 2) / (1 + spread)
    reach = sqrt(spread * share * (1 - share) + spread**2 / 4) / (1 + spread)
    # At 0 and 1 only rounding keeps an end from being there.
    return Interval(share, max(0.0, min(share, centre - reach)), min(1.0, max(share, centre + reach)))


def share_interval(hits: np.ndarray, z: float, codes: np.ndarray | None = None) -> Interval:
    """Wilson's interval of a share of rows, of as many rows as are as informative where they are of units.

    That number is p (1 - p) over the variance of the share, which is taken between units as for any ratio (Korn and
    Graubard 1998, "Confidence intervals for proportions with small expected number of positive counts estimated from
    survey data"); at 0 and 1, where it has none, it is the number of units.

    Args:
        hits: whether each row counts, shape [rows].
        z: as `Sample.deviate` returns it.
        codes: the unit of each row, shape [rows]; None where rows are independent.
    """
    share = float(hits.mean())
    size = float(len(hits))
    if codes is not None:
        variance = variance_between(codes, (hits - share) / size)
        size = min(size, share * (1 - share) / variance) if variance > 0 else float(len(np.unique(codes)))
    return rate_interval(share, size, z)


def auc_interval(labels: np.ndarray, probabilities: np.ndarray, z: float, codes: np.ndarray | None = None) -> Interval:
    """Area under the ROC curve with an interval that has a width also where all rows are ranked right.

    The variance is that of DeLong et al. (1988, "Comparing the areas under two or more correlated receiver operating
    characteristic curves"), or between units where rows are of these (Obuchowski 1997, "Nonparametric analysis of
    clustered ROC curve data"). It is turned into the number of rows of a rate that has the same variance, and Wilson's
    interval of that rate is taken. The number is bounded by that of scores without skill: where few rows are ranked
    nearly perfectly, DeLong's variance goes to 0.

    Args:
        labels: 0 or 1, both present, shape [rows].
        probabilities: shape [rows]; a tie counts one half.
        z: as `Sample.deviate` returns it.
        codes: the unit of each row, shape [rows]; None where rows are independent.
    """
    positive = labels != 0
    positives, negatives = probabilities[positive], probabilities[~positive]
    of_positives, of_negatives = _share_below(positives, negatives), 1 - _share_below(negatives, positives)
    auc = float(of_positives.mean())
    if codes is None:
        counts = [len(positives), len(negatives)]
        variance = sum(
            float(shares.var(ddof=1)) / len(shares) for shares in (of_positives, of_negatives) if len(shares) > 1
        )
    else:
        counts = [len(np.unique(codes[positive])), len(np.unique(codes[~positive]))]
        influence = np.empty(len(labels))
        influence[positive] = (of_positives - auc) / len(positives)
        influence[~positive] = (of_negatives - auc) / len(negatives)
        variance = variance_between(codes, influence)
    if variance > 0:
        counts = [len(positives), len(negatives)]
    most = 3 * counts[0] * counts[1] / (sum(counts) + 1)
    size = min(most, auc * (1 - auc) / variance) if variance > 0 else most
    return rate_interval(auc, size, z)


def calibration_interval(
    labels: np.ndarray, probabilities: np.ndarray, z: float, codes: np.ndarray | None = None
) -> Interval:
    """Mean probability less the observed rate.

    The better probabilities tell rows apart, the less chance is left in the rate. So it is given Wilson's interval for
    as many rows as have the variance of the residuals, or that which the probabilities imply if it is larger: seen in
    few rows, residuals may be small by chance. A normal interval is too short where one class is rare.

    Args:
        labels: 0 or 1, both present, shape [rows].
        probabilities: shape [rows].
        z: as `Sample.deviate` returns it.
        codes: the unit of each row, shape [rows]; None where rows are independent.
    """
    rate, mean = float((labels != 0).mean()), float(probabilities.mean())
    implied = float((probabilities * (1 - probabilities)).mean())
    residuals = labels - probabilities
    variance = max(implied, float(residuals.var(ddof=1))) / len(labels)
    if codes is not None:
        variance = max(variance, variance_between(codes, (residuals - residuals.mean()) / len(labels)))
    observed = rate_interval(rate, rate * (1 - rate) / variance, z) if variance > 0 else Interval(rate, rate, rate)
    return Interval(mean - rate, mean - observed.high, mean - observed.low)


def difference(one: Interval, other: Interval) -> Interval:
    """`one` less `other` of independent rows, from the interval of each at the same level.

    Each end is that of the two intervals which it depends on (Newcombe 1998, "Interval estimation for the difference
    between independent proportions", method 10; Zou and Donner 2008, "Construction of confidence limits about effect
    measures: A general approach").
    """
    value = one.value - other.value
    down = hypot(one.value - one.low, other.high - other.value)
    up = hypot(one.high - one.value, other.value - other.low)
    return Interval(value, value - down, value + up)


def variance_between(codes: np.ndarray, parts: np.ndarray) -> float:
    """Variance of a sum of parts, one a row, that sum up to 0, from their sums in units."""
    sums = np.bincount(codes, parts)
    units = len(np.unique(codes))
    return float(units / max(units - 1, 1) * (sums**2).sum())


def _share_below(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each row the share of the others that score lower, ties one half; shape [rows]."""
    ranked = np.sort(others)
    below, through = np.searchsorted(ranked, rows, side="left"), np.searchsorted(ranked, rows, side="right")
    shares: np.ndarray = (below + through) / (2 * len(ranked))
    return shares
