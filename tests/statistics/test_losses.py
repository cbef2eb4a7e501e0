from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax as reference
from sklearn.metrics import log_loss

from lepton_pipeline.statistics.losses import class_log_losses, fit_temperature, log_softmax, softmax


def test_softmax_is_that_of_scipy_also_for_large_logits():
    logits = np.random.default_rng(0).normal(scale=300, size=(50, 7))
    assert log_softmax(logits) == pytest.approx(reference(logits, axis=1))
    assert softmax(logits).sum(axis=1) == pytest.approx(np.ones(50))


def test_log_losses_of_classes_are_those_of_scikit_learn():
    random = np.random.default_rng(1)
    labels, probabilities = random.integers(0, 5, 40), softmax(random.normal(size=(40, 5)))
    probabilities[0] = np.arange(5) == (labels[0] + 1) % 5
    found = class_log_losses(probabilities, labels).mean()
    assert found == pytest.approx(log_loss(labels, probabilities, labels=range(5)))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_is_found_again(temperature):
    random = np.random.default_rng(2)
    logits = random.normal(scale=2, size=(20_000, 4))
    labels = (softmax(logits).cumsum(axis=1) < random.random(20_000)[:, None]).sum(axis=1)
    assert fit_temperature(temperature * logits, labels) == pytest.approx(1 / temperature, rel=0.03)


def test_temperature_has_the_lowest_weighted_log_loss():
    random = np.random.default_rng(3)
    logits, labels = random.normal(size=(300, 5)), random.integers(0, 5, 300)
    logits[np.arange(300), labels] += 1
    weights = random.integers(0, 4, 300)
    found = fit_temperature(logits, labels, weights.astype(np.float64))

    def loss(slope: float) -> float:
        return float((weights * class_log_losses(softmax(slope * logits), labels)).sum())

    assert found == pytest.approx(minimize_scalar(loss, bounds=(0.05, 5), method="bounded").x, abs=1e-4)
    repeated = fit_temperature(np.repeat(logits, weights, axis=0), np.repeat(labels, weights))
    assert found == pytest.approx(repeated, abs=1e-8)


def test_temperature_has_bounds():
    right = np.eye(3)
    assert fit_temperature(right, np.arange(3)) == 5.0
    assert fit_temperature(right, (np.arange(3) + 1) % 3) == 0.05
    assert fit_temperature(np.full((3, 3), 0.1), np.arange(3)) == 1.0
