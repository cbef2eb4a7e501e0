"""Choose the probability from which a row counts as positive."""

from __future__ import annotations

import numpy as np

from lepton_pipeline.errors import DataError

# Just above the highest probability, where no row counts as positive.
_NONE = float(np.nextafter(1.0, 2.0))
# Costs are added in the order of the scores; equal sums differ by no more than this part of what was added.
_ROUNDING = 1e-12


def best_f1_threshold(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the threshold with the highest F1 on the rows given.

    A row is positive where its probability is >= threshold. The threshold lies halfway between the lowest
    score that counts as positive and its lower neighbour (0 where there is none), so that a probability moved
    by a rounding error does not change sides. Of several best thresholds the highest is taken: it flags the
    fewest rows.

    Args:
        labels: 0 or 1, shape [rows]; the validation rows, never the rows that the model is judged on.
        probabilities: of the positive class, in [0, 1], shape [rows].

    Returns:
        The threshold, in [0, 1].

    Raises:
        DataError: no row is positive, so F1 is not defined.
    """
    positives = int(np.count_nonzero(labels))
    if positives == 0:
        raise DataError(
            f"0 of {len(labels)} rows are positive, so no threshold has an F1; give validation rows of both classes "
            "(a larger split.validation)."
        )
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    kept = _cuts(ranked)
    found = np.cumsum(labels[order] != 0)[kept - 1]
    return _halfway(ranked, int(kept[np.argmax(2 * found / (kept + positives))]))


def least_cost_threshold(extra_costs: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the threshold with the least cost on the rows given.

    A row is acted on where its probability is >= threshold; the threshold lies between two scores as that of
    `best_f1_threshold` does, and of several best thresholds the highest is taken: it acts on the fewest rows.
    Costs that differ from row to row are why the threshold is searched for, not computed from the costs
    (Elkan 2001, "The Foundations of Cost-Sensitive Learning", has the formula for constant costs and perfect
    probabilities).

    Args:
        extra_costs: what acting on a row costs more than leaving it, negative where acting pays, shape
            [rows].
        probabilities: of the positive class, in [0, 1], shape [rows].

    Returns:
        The threshold, in [0, 1], or just above 1 where acting on no row costs least and a score is 1.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    kept = np.append(0, _cuts(ranked))
    totals = np.append(0.0, np.cumsum(extra_costs[order]))[kept]
    best = np.flatnonzero(totals <= totals.min() + _ROUNDING * np.abs(extra_costs).sum())[0]
    return _halfway(ranked, int(kept[best]))


def capacity_threshold(probabilities: np.ndarray, share: float) -> float:
    """Find the lowest threshold that acts on no more than a share of the rows; equal scores are not parted.

    Args:
        probabilities: of the positive class, in [0, 1], shape [rows].
        share: largest fraction of the rows that can be acted on, in (0, 1].

    Returns:
        The threshold, between two scores as that of `best_f1_threshold`; above all scores where even the
        highest is shared by too many rows.
    """
    ranked = np.sort(probabilities)[::-1]
    kept = np.append(0, _cuts(ranked))
    # A share such as 0.29 of 100 rows is 28.999… in floating point.
    return _halfway(ranked, int(kept[kept <= share * len(ranked) * (1 + _ROUNDING)][-1]))


def _cuts(ranked: np.ndarray) -> np.ndarray:
    """How many rows can be kept, from the highest score down: a threshold cannot part equal scores."""
    return np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) + 1


def _halfway(ranked: np.ndarray, kept: int) -> float:
    """The threshold that keeps the first `kept` of the rows, ranked from the highest score down."""
    lowest = float(ranked[kept - 1]) if kept else _NONE
    highest = float(ranked[kept]) if kept < len(ranked) else 0.0
    middle = highest + (lowest - highest) / 2
    # Between adjacent floating-point numbers there is no middle.
    return middle if middle > highest else lowest
