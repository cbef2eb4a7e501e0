from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.statistics.conformal import Conformal, fit_cqr, fit_residuals

LEVEL, REPETITIONS, LATER = 0.9, 150, 2000
Noise = Callable[[np.random.Generator, int], np.ndarray]
# Noise of one kind, and its 5 % and 95 % quantiles.
NOISES: dict[str, tuple[Noise, float, float]] = {
    "normal": (lambda random, rows: random.normal(size=rows), -1.645, 1.645),
    "skewed": (lambda random, rows: random.exponential(size=rows) - 1, -0.949, 1.996),
}


def simulate(noise: str, held_out: int, *, growing: bool) -> dict[str, np.ndarray]:
    """Mean covered, below, above, covered in both halves of x, and width, by method.

    The prediction is 0.1 too high, and the quantiles are too narrow by 30 %.
    """
    draw, low, high = NOISES[noise]
    random = np.random.default_rng(held_out)
    found: dict[str, list[list[float]]] = {"split": [], "cqr": []}
    for _ in range(REPETITIONS):
        x = random.uniform(0, 2, held_out + LATER)
        scale = 0.3 + x if growing else np.ones(len(x))
        predicted = x + 0.1
        truth = x + scale * draw(random, len(x))
        ends = {
            "split": (predicted, predicted),
            "cqr": (predicted + 0.7 * low * scale, predicted + 0.7 * high * scale),
        }
        known, new = np.arange(held_out), np.arange(held_out, len(x))
        for method, (lower, upper) in ends.items():
            if method == "split":
                conformal = fit_residuals(truth[known], predicted[known], LEVEL)
            else:
                conformal = fit_cqr(truth[known], lower[known], upper[known], LEVEL)
            lower, upper = conformal.interval(lower[new], upper[new])
            below, above, quiet = truth[new] < lower, truth[new] > upper, x[new] < 1
            covered = ~below & ~above
            shares = (covered, below, above, covered[quiet], covered[~quiet], upper - lower)
            found[method].append([float(each.mean()) for each in shares])
    return {method: np.mean(each, axis=0) for method, each in found.items()}


@pytest.mark.parametrize("held_out", [500, 2000])
@pytest.mark.parametrize("growing", [False, True], ids=["even", "growing"])
@pytest.mark.parametrize("noise", NOISES)
def test_intervals_cover_as_often_as_they_say(noise, growing, held_out):
    found = simulate(noise, held_out, growing=growing)
    for covered, below, above, *_ in found.values():
        assert 0.895 <= covered <= 0.91
        assert 0.045 <= below <= 0.055
        assert 0.045 <= above <= 0.055
    split, cqr = found.values()
    if growing:
        # Covered in each half of x, and the width.
        assert np.abs(cqr[3:5] - LEVEL).max() < np.abs(split[3:5] - LEVEL).max() - 0.02
        assert cqr[5] < split[5]


def test_ends_are_those_of_mapie():
    # MAPIE 1.6.0: SplitConformalRegressor with AbsoluteConformityScore(sym=False) and
    # ConformalizedQuantileRegressor, both prefit, for a new row where x is 0.
    expected = {60: (0.37216402, 2.71643455), 199: (0.36969981, 2.68892529)}
    for rows, ends in expected.items():
        t = np.arange(rows)
        x = np.sin(1.7 * t)
        y = x + np.exp(np.cos(0.37 * t * t))
        assert fit_residuals(y, x + 1.2, LEVEL).interval(1.2, 1.2) == pytest.approx(ends, abs=1e-8)
        assert fit_cqr(y, x + 0.8, x + 2.0, LEVEL).interval(0.8, 2.0) == pytest.approx(ends, abs=1e-8)


@pytest.mark.parametrize(("level", "needed"), [(0.5, 3), (0.8, 9), (0.9, 19), (0.95, 39), (0.99, 199)])
def test_least_number_of_rows_takes_the_extremes(level, needed):
    truth = np.arange(needed, dtype=np.float64)
    assert fit_residuals(truth, np.zeros(needed), level) == Conformal(below=0.0, above=needed - 1)
    with pytest.raises(DataError, match=rf"^{needed - 1} held-out rows are too few .* {needed} are needed"):
        fit_residuals(truth[1:], np.zeros(needed - 1), level)


def test_rows_without_weight_are_no_rows():
    truth, nothing = np.arange(40.0), np.repeat([1.0, 0.0], [25, 15])
    assert fit_residuals(truth, np.zeros(40), LEVEL, nothing) == fit_residuals(
        truth[:25], np.zeros(25), LEVEL
    )
    few = np.repeat([1.0, 0.1], [10, 30])
    with pytest.raises(DataError, match=r"^40 held-out rows \(which weigh as much as 13.0 equal ones\)"):
        fit_residuals(truth, np.zeros(40), LEVEL, few)
    for weights in (np.zeros(40), np.zeros(0)):
        with pytest.raises(DataError, match="too few"):
            fit_residuals(truth[: len(weights)], np.zeros(len(weights)), LEVEL, weights)


def test_weights_are_relative():
    truth = np.random.default_rng(0).normal(size=50)
    weights = np.random.default_rng(1).uniform(0.5, 1, 50)
    found = fit_residuals(truth, np.zeros(50), LEVEL, weights)
    assert fit_residuals(truth, np.zeros(50), LEVEL, 8 * weights) == found
    plain = fit_residuals(truth, np.zeros(50), LEVEL)
    assert fit_residuals(truth, np.zeros(50), LEVEL, np.full(50, 0.3)) == plain


def test_weighted_quantile_by_hand():
    # Three quarters of 3.5 + 1 is 3.375; the sums from below are 1, 2, 3, 3.5, from above .5, 1.5, 2.5, 3.5.
    weights = np.array([1.0, 1.0, 1.0, 0.5])
    found = fit_residuals(np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4), 0.5, weights)
    assert found == Conformal(below=-1.0, above=4.0)
    # Three quarters of 5.5 + 1 is 4.875: the sums are 1, 2, 3, 4, 5, 5.5 and .5, 1.5, 2.5, 3.5, 4.5, 5.5.
    weights, truth = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.5]), np.arange(1.0, 7.0)
    assert fit_residuals(truth, np.zeros(6), 0.5, weights) == Conformal(below=-1.0, above=5.0)


def test_recent_rows_that_weigh_more_follow_noise_that_grows():
    covered = {"equal": 0.0, "recent": 0.0}
    random = np.random.default_rng(3)
    age = np.arange(1000)[::-1]
    for _ in range(REPETITIONS):
        truth, later = random.normal(size=1000) * (2 - age / 1000), 2 * random.normal(size=LATER)
        for name, weights in (("equal", None), ("recent", 0.5 ** (age / 100))):
            low, high = fit_residuals(truth, np.zeros(1000), LEVEL, weights).interval(
                np.zeros(LATER), np.zeros(LATER)
            )
            covered[name] += float(((low <= later) & (later <= high)).mean()) / REPETITIONS
    assert covered["equal"] < 0.82
    assert 0.88 < covered["recent"] < 0.92


def test_quantiles_are_sorted_and_never_cross():
    low, high = np.array([1.0, 5.0, 0.0]), np.array([3.0, 4.0, 0.5])
    found = Conformal(below=-0.5, above=0.25).interval(low, high)
    # The last interval would be from .5 to .75; a stronger correction lets ends cross, which meet half-way.
    assert [each.tolist() for each in found] == [[1.5, 4.5, 0.5], [3.25, 5.25, 0.75]]
    found = Conformal(below=-1.0, above=-0.5).interval(low, high)
    assert [each.tolist() for each in found] == [[2.0, 4.75, 0.5], [2.5, 4.75, 0.5]]
    truth = np.random.default_rng(4).normal(size=100)
    swapped = fit_cqr(truth, np.ones(100), -np.ones(100), LEVEL)
    assert swapped == fit_cqr(truth, -np.ones(100), np.ones(100), LEVEL)
