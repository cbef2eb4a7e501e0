"""Weights of items on items."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from lepton_pipeline.errors import DataError
from lepton_pipeline.recommendation import ease
from lepton_pipeline.recommendation.ease import cosine_neighbours, fit_ease

X = csr_matrix(np.array([[1.0, 1, 0], [1, 1, 0], [1, 0, 1], [0, 0, 1]], dtype=np.float32))


def test_the_weights_are_those_of_the_closed_form():
    weights = fit_ease(X, 0.5)
    inverse = np.linalg.inv((X.T @ X).toarray() + 0.5 * np.eye(3))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    assert np.allclose(weights, expected, atol=1e-6)


def test_they_minimise_the_squared_error_without_an_items_own_weight():
    """The first row of the normal equations by hand: items 1 and 2 rebuild item 0."""
    others = X.toarray()[:, 1:]
    solved = np.linalg.solve(others.T @ others + 0.5 * np.eye(2), others.T @ X.toarray()[:, 0])
    assert np.allclose(fit_ease(X, 0.5)[1:, 0], solved, atol=1e-6)


def test_neighbours_are_cosines_of_the_nearest():
    found = cosine_neighbours(X, count=1)
    assert found[0, 1] == pytest.approx(2 / np.sqrt(3 * 2))
    assert found[0, 2] == 0
    assert np.diag(found).tolist() == [0, 0, 0]


def test_more_items_than_it_can_hold_are_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(ease, "MOST_ITEMS", 2)
    with pytest.raises(
        DataError, match=r"3 items are more than the 2 that EASE can hold .* raise recommendation.min_"
    ):
        fit_ease(X, 0.5)
