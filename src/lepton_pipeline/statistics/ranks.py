"""How well scores rank rows: the area under the ROC curve, and its variance.

The variance is that of DeLong et al. (1988, "Comparing the areas under two or more correlated receiver
operating characteristic curves"), or between units where rows are of these (Obuchowski 1997, "Nonparametric
analysis of clustered ROC curve data").
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lepton_pipeline.statistics.losses import Floats

Array = npt.NDArray[Any]
Placements = tuple[Floats, Floats]


def auc(scores: Array, labels: Array) -> float:
    """Area under the ROC curve: the share of pairs whose positive row scores higher, ties one half.

    Args:
        scores: shape [rows].
        labels: 0 or 1, both present, shape [rows].

    >>> auc(np.array([0.9, 0.4, 0.4, 0.1]), np.array([1, 1, 0, 0]))
    0.875
    """
    positives, negatives = scores[labels != 0], np.sort(scores[labels == 0])
    pairs = negatives.searchsorted(positives) + negatives.searchsorted(positives, "right")
    return float(pairs.sum() / (2 * len(positives) * len(negatives)))


def placements(scores: Array, labels: Array) -> Placements:
    """For each positive row the share of negatives it beats, for each negative the share of positives it loses to.

    A tie counts one half; the mean of either is the AUC.

    >>> placements(np.array([0.9, 0.4, 0.4, 0.1]), np.array([1, 1, 0, 0]))
    (array([1.  , 0.75]), array([0.75, 1.  ]))
    """
    positive = labels != 0
    distinct, groups = np.unique(scores, return_inverse=True)
    counts = np.stack([np.bincount(groups[side], minlength=len(distinct)) for side in (~positive, positive)])
    above, below = _placements_by_score(counts)
    return above[groups[positive]], below[groups[~positive]]


def _placements_by_score(counts: Array) -> Placements:
    negative, positive = counts
    above = (negative.cumsum() - negative / 2) / negative.sum()
    return above, 1 - (positive.cumsum() - positive / 2) / positive.sum()


def delong_variance(of_rows: Placements, labels: Array, codes: Array | None = None) -> float:
    """Variance of the mean of placements, or of differences of placements.

    Args:
        of_rows: as `placements` returns them.
        labels: 0 or 1, both present, shape [rows].
        codes: the unit of each row, shape [rows]; None where rows are independent.
    """
    if codes is None:
        return sum(float(shares.var(ddof=1)) / len(shares) for shares in of_rows if len(shares) > 1)
    mean, influence = float(of_rows[0].mean()), np.empty(len(labels))
    for side, shares in zip((labels != 0, labels == 0), of_rows, strict=True):
        influence[side] = (shares - mean) / len(shares)
    return variance_between(codes, influence)


def delong(counts: Array) -> tuple[float, float]:
    """AUC and its standard error from rows counted by score.

    Args:
        counts: negative and positive rows by ascending score, shape [2, scores].

    >>> delong(np.array([[3, 1, 0], [0, 1, 3]]))[0]
    0.96875
    """
    placed = _placements_by_score(counts)
    auc = float(counts[1] @ placed[0] / counts[1].sum())
    variance = sum(
        rows @ (each - auc) ** 2 / (rows.sum() * (rows.sum() - 1))
        for rows, each in zip(counts[::-1], placed, strict=True)
    )
    return auc, float(np.sqrt(variance))


def variance_between(codes: Array, parts: Array) -> float:
    """Variance of a sum of parts, one a row, that sum up to 0, from their sums in units."""
    sums = np.bincount(codes, parts)
    units = len(np.unique(codes))
    return float(units / max(units - 1, 1) * (sums**2).sum())
