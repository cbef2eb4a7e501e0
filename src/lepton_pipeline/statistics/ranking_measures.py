"""Measures of ranked lists, one list a customer."""

from __future__ import annotations

import numpy as np

from lepton_pipeline.statistics.losses import Floats


def ndcg(hits: np.ndarray, relevant: np.ndarray, at: int = 10) -> Floats:
    """Normalised discounted cumulative gain of each list, the ideal one over min(at, relevant).

    Args:
        hits: whether each offer, best first, was right, [lists, at or more]; False where a list is shorter.
        relevant: how many items would be right, found or not, [lists], 1 or more.
        at: offers that count.

    Source: Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques".

    >>> ndcg(np.array([[True, False], [False, True]]), np.array([1, 3]), at=2).round(3).tolist()
    [1.0, 0.387]
    """
    discounts = 1 / np.log2(np.arange(2, at + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(relevant, at)]
    found: Floats = hits[:, :at] @ discounts[: hits[:, :at].shape[1]] / ideal
    return found


def recall(hits: np.ndarray, relevant: np.ndarray, at: int = 20) -> Floats:
    """Share of min(at, relevant) items that the first `at` offers of each list hold.

    >>> recall(np.array([[True, False], [False, True]]), np.array([1, 3]), at=2).tolist()
    [1.0, 0.5]
    """
    found: Floats = hits[:, :at].sum(axis=1) / np.minimum(relevant, at)
    return found


def hit_rate(hits: np.ndarray, at: int = 10) -> Floats:
    """1 for each list with a right offer among its first `at`, else 0.

    >>> hit_rate(np.array([[False, True], [False, False]]), at=2).tolist()
    [1.0, 0.0]
    """
    found: Floats = np.asarray(hits[:, :at].any(axis=1), dtype=np.float64)
    return found


def novelty(offered: np.ndarray, shares: np.ndarray, at: int = 10) -> Floats:
    """Mean surprise of the first `at` offers of each list: -log2 of the share of customers who bought the item.

    Args:
        offered: places of the items, best first, -1 where a list is shorter, [lists, at or more].
        shares: share of customers who bought each item, above 0.
        at: offers that count.

    Source: Vargas and Castells 2011, "Rank and relevance in novelty and diversity metrics for recommender systems".

    >>> novelty(np.array([[0, 1], [0, -1]]), np.array([0.5, 0.25]), at=2).tolist()
    [1.5, 1.0]
    """
    first = offered[:, :at]
    there = first >= 0
    surprise = np.where(there, -np.log2(shares)[np.where(there, first, 0)], 0.0)
    found: Floats = surprise.sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return found
