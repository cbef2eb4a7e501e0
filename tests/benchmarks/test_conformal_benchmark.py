"""What the benchmark simulates, on a few rows; MAPIE is not needed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def conformal(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("conformal")


def test_cover_counts_both_sides_and_halves(conformal):
    x, truth = np.array([[0.5], [0.5], [1.5], [1.5]]), np.array([-2.0, 0.0, 0.5, 3.0])
    found = conformal.cover((np.full(4, -1.0), np.full(4, 1.0)), (x, truth))
    assert found == conformal.Cover(covered=0.5, below=0.25, above=0.25, quiet=0.5, loud=0.5, width=2.0)


def test_two_offsets_miss_skewed_errors_on_both_sides(conformal, monkeypatch):
    monkeypatch.setattr(conformal, "MODELS", 1)
    found = conformal.simulate(conformal.draw_skewed, 500, 10)
    assert found["quantiles as predicted"].covered < 0.85
    for method in ("split", "CQR"):
        both, one = found[method], found[f"{method}, one offset"]
        assert both.covered == pytest.approx(0.9, abs=0.02)
        assert one.covered == pytest.approx(0.9, abs=0.02)
        assert abs(both.above - both.below) < 0.02 < one.above - one.below
