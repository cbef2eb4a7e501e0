"""Thresholds that decide best."""

from __future__ import annotations

import numpy as np

from lepton_pipeline.errors import DataError

# Just above the highest probability, where no row counts as positive.
_NONE = float(np.nextafter(1.0, 2.0))
# Costs are added in the order of the scores; equal sums differ by no more than this part of what was added.
_ROUNDING = 1e-12


def best_f1_threshold(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Find the threshold in [0, 1] with the highest F1 on validation rows (never on those of the evaluation).

    Rows with a probability >= threshold are positive. The threshold lies halfway between neighbouring scores
    (or 0), robust to rounding; ties go to the highest threshold, which flags the fewest rows. A `DataError`
    says that no row is positive. `weights` [rows] say how much rows count.
    """
    counts = np.ones(len(labels)) if weights is None else weights
    positives = float(counts[labels != 0].sum())
    if positives == 0:
        raise DataError(
            f"0 of {len(labels)} rows are positive, so no threshold has an F1; give validation rows of both classes "
            "(a larger split.validation)."
        )
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    kept = _cuts(ranked)[1:]
    called = np.cumsum(counts[order])[kept - 1]
    found = np.cumsum(counts[order] * (labels[order] != 0))[kept - 1]
    return _halfway(ranked, int(kept[np.argmax(2 * found / (called + positives))]))


def least_cost_threshold(extra_costs: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the threshold with the least cost; just above 1 if not acting is best and a score is 1.

    `extra_costs` [rows] are those of acting less those of leaving. Position and ties are those of
    `best_f1_threshold`. The search allows for costs that differ by row; Elkan 2001, "The Foundations of
    Cost-Sensitive Learning", has the formula for constant costs and perfect probabilities.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    kept = _cuts(ranked)
    totals = np.append(0.0, np.cumsum(extra_costs[order]))[kept]
    best = np.flatnonzero(totals <= totals.min() + _ROUNDING * np.abs(extra_costs).sum())[0]
    return _halfway(ranked, int(kept[best]))


def capacity_threshold(probabilities: np.ndarray, share: float) -> float:
    """Find the lowest threshold that acts on at most a share of the rows; equal scores stay together.

    It lies between scores, see `best_f1_threshold`; above all of them if too many rows share the highest.
    """
    ranked = np.sort(probabilities)[::-1]
    kept = _cuts(ranked)
    # A share such as 0.29 of 100 rows is 28.999… in floating point.
    return _halfway(ranked, int(kept[kept <= share * len(ranked) * (1 + _ROUNDING)][-1]))


def _cuts(ranked: np.ndarray) -> np.ndarray:
    """Numbers of rows that a threshold can keep, since equal scores stay together."""
    return np.append(0, np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) + 1)


def _halfway(ranked: np.ndarray, kept: int) -> float:
    """The threshold that keeps the first `kept` rows by falling score."""
    lowest = float(ranked[kept - 1]) if kept else _NONE
    highest = float(ranked[kept]) if kept < len(ranked) else 0.0
    middle = highest + (lowest - highest) / 2
    # Between adjacent floating-point numbers there is no middle.
    return middle if middle > highest else lowest
