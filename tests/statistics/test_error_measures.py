from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    d2_pinball_score,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_pinball_loss,
    r2_score,
    root_mean_squared_error,
)

from lepton_pipeline.statistics.error_measures import (
    compare,
    measure_errors,
    pinball_losses,
    rows_without_percentage,
)

LEVELS = (0.05, 0.5, 0.95)


def draw(rows: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.normal(3, 2, rows)
    predicted = truth + random.normal(0.2, 1, rows)
    return truth, predicted, predicted[:, None] + np.array([-1.5, 0.0, 1.0])


def test_metrics_of_weighted_rows_are_those_of_scikit_learn_on_repeated_rows():
    truth, predicted, quantiles = draw()
    rows = compare(
        truth, predicted, ends=(quantiles[:, 0], quantiles[:, 2]), quantiles=quantiles, levels=LEVELS
    )
    weights = np.random.default_rng(1).integers(0, 4, (20, len(truth)))
    measured = measure_errors(rows, weights.astype(np.float64))
    for resample, counts in enumerate(weights):
        y, p, q = np.repeat(truth, counts), np.repeat(predicted, counts), np.repeat(quantiles, counts, axis=0)
        pinball = [mean_pinball_loss(y, q[:, i], alpha=level) for i, level in enumerate(LEVELS)]
        expected = {
            "rmse": root_mean_squared_error(y, p),
            "mae": mean_absolute_error(y, p),
            "r2": r2_score(y, p),
            "bias": p.mean() - y.mean(),
            "mape": mean_absolute_percentage_error(y, p),
            "wape": np.abs(p - y).sum() / np.abs(y).sum(),
            "coverage": ((q[:, 0] <= y) & (y <= q[:, 2])).mean(),
            "width": 2.5,
            "wql": 2 * np.mean(pinball) * len(y) / np.abs(y).sum(),
        }
        found = {name: values[resample] for name, values in measured.items()}
        assert found == pytest.approx(expected)


def test_fractions_of_weights_change_nothing():
    truth, predicted, _ = draw()
    weights = np.random.default_rng(2).integers(0, 4, (5, len(truth))).astype(np.float64)
    whole, half = (measure_errors(compare(truth, predicted), each) for each in (weights, weights / 2))
    for metric, values in whole.items():
        assert half[metric] == pytest.approx(values)


def test_truth_of_zero_has_no_percentage():
    rows = compare(np.array([0.0, 2.0, -4.0]), np.array([1.0, 1.0, -3.0]))
    assert rows_without_percentage(rows) == 1
    measured = measure_errors(rows, np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]))
    assert measured["mape"] == pytest.approx([(0.5 + 0.25) / 2, np.nan], nan_ok=True)
    assert measured["wape"] == pytest.approx([3 / 6, np.nan], nan_ok=True)
    without = measure_errors(compare(np.zeros(3), np.ones(3)), np.ones((1, 3)))
    assert {"mape", "wape"}.isdisjoint(without)


@pytest.mark.parametrize("truth", [0.1, 1e9])
def test_truth_that_does_not_vary_has_the_determination_of_scikit_learn(truth):
    y = np.append(np.full(5, truth), truth + 1)
    predicted = y + np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    # All six rows, five that are equal, and three that are predicted right.
    weights = np.array([[1.0] * 6, [1.0, 1.0, 1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    found = measure_errors(compare(y, predicted), weights)["r2"]
    kept = [weights[resample] > 0 for resample in range(3)]
    assert found == pytest.approx([r2_score(y[each], predicted[each]) for each in kept])


def test_determination_keeps_its_figures_far_from_zero():
    truth, predicted, _ = draw()
    near = measure_errors(compare(truth, predicted), np.ones((1, len(truth))))["r2"]
    far = measure_errors(compare(truth + 1e8, predicted + 1e8), np.ones((1, len(truth))))["r2"]
    assert far == pytest.approx(near, abs=1e-6)


def test_pinball_loss_judges_a_quantile_as_scikit_learn_does():
    truth, _, quantiles = draw()
    loss = pinball_losses(truth, quantiles[:, :1], LEVELS[:1]).mean()
    constant = pinball_losses(truth, np.full((len(truth), 1), np.quantile(truth, 0.05)), [0.05]).mean()
    assert 1 - loss / constant == pytest.approx(d2_pinball_score(truth, quantiles[:, 0], alpha=0.05))
