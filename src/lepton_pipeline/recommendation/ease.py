"""Weights of items on items: EASE in closed form, and cosine neighbours as its plain opponent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters.recommendation import MOST_ITEMS

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Neighbours of an item in the opponent.
NEIGHBOURS = 100


def fit_ease(interactions: csr_matrix, l2: float) -> np.ndarray:
    """Weights B of items on items that rebuild each customer's row from its other items.

    B = I - P / diag(P), P = inverse of (X'X + l2 I), with a diagonal of 0 (Steck 2019, "Embarrassingly shallow
    autoencoders for sparse data", section 3.1). X may be weighted; an item's weight then counts in its own row only.

    Args:
        interactions: X, one row a customer and one column an item.
        l2: penalty, above 0.

    Returns:
        float32 [items, items]; a customer's scores are its row of X times B.

    Raises:
        DataError: more items than the dense matrix can hold.
    """
    from scipy.linalg import lapack

    items = interactions.shape[1]
    require_few_items(items)
    gram = np.asfortranarray((interactions.T @ interactions).toarray(), dtype=np.float64)
    diagonal = np.diag_indices(items)
    gram[diagonal] += l2
    # A Cholesky factor and its inverse need half of the time and memory of a general inverse.
    factor, failed = lapack.dpotrf(gram, lower=1, overwrite_a=1)
    inverse, failed_too = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise DataError(
            f"recommendation.l2: {l2!r} is too small beside the {items:,} items; declare a larger one, such as 300."
        )
    scale = -1 / inverse[diagonal]
    weights: np.ndarray = np.tril(inverse, -1).astype(np.float32)
    weights += weights.T
    weights *= scale.astype(np.float32)
    return weights


def cosine_neighbours(interactions: csr_matrix, count: int = NEIGHBOURS) -> np.ndarray:
    """Cosine of the items' columns of 0 and 1, of the `count` nearest of each item; float32 [items, items].

    A customer's scores are its row times the result (item-kNN: Deshpande and Karypis 2004, "Item-based top-N
    recommendation algorithms").
    """
    items = interactions.shape[1]
    require_few_items(items)
    bought = interactions.astype(bool).astype(np.float32)
    found: np.ndarray = (bought.T @ bought).toarray()
    length = np.sqrt(found.diagonal())
    found /= length
    found /= length[:, None]
    found[np.diag_indices(items)] = 0
    if items > count:
        nearest = np.partition(found, items - count, axis=1)[:, items - count]
        found[found < nearest[:, None]] = 0
    return found


def require_few_items(items: int) -> None:
    """Raise DataError where the matrix of items by items would not fit."""
    if items > MOST_ITEMS:
        raise DataError(
            f"{items:,} items are more than the {MOST_ITEMS:,} that EASE can hold (a matrix of {items:,} x {items:,} "
            f"takes {8 * items**2 / 2**30:.0f} GiB): raise recommendation.min_customers, so that rare items are left "
            "out, or recommend groups of items."
        )
