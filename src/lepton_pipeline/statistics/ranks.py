"""Area under the ROC curve and its variance.

DeLong et al. (1988, "Comparing the areas under two or more correlated receiver operating characteristic
curves"); between clusters, Obuchowski (1997, "Nonparametric analysis of clustered ROC curve data").
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lepton_pipeline.statistics.losses import Floats

Array = npt.NDArray[Any]
Placements = tuple[Floats, Floats]


def auc(scores: Array, labels: Array) -> float:
    """Area under the ROC curve: share of pairs whose positive row scores higher, ties one half.

    >>> auc(np.array([0.9, 0.4, 0.4, 0.1]), np.array([1, 1, 0, 0]))
    0.875
    """
    positives, negatives = scores[labels != 0], np.sort(scores[labels == 0])
    pairs = negatives.searchsorted(positives) + negatives.searchsorted(positives, "right")
    return float(pairs.sum() / (2 * len(positives) * len(negatives)))


def placements(scores: Array, labels: Array) -> Placements:
    """Share of negatives that each positive row beats, and of positives that each negative row loses to.

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
    """Variance of the mean of placements, or of their differences; `codes` are clusters, if any."""
    if codes is None:
        return sum(float(shares.var(ddof=1)) / len(shares) for shares in of_rows if len(shares) > 1)
    mean, influence = float(of_rows[0].mean()), np.empty(len(labels))
    for side, shares in zip((labels != 0, labels == 0), of_rows, strict=True):
        influence[side] = (shares - mean) / len(shares)
    return variance_between(codes, influence)


def delong(counts: Array) -> tuple[float, float]:
    """AUC and standard error from negative and positive rows counted by ascending score, [2, scores].

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
    """Variance of a sum of parts, one a row, that sum up to 0, from their sums by cluster."""
    sums = np.bincount(codes, parts)
    units = len(np.unique(codes))
    return float(units / max(units - 1, 1) * (sums**2).sum())
