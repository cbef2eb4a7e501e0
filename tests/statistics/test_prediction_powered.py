"""Prediction-powered means: their intervals hold, whatever the predictions are like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lepton_pipeline.statistics.prediction_powered import Judged, Mean, mean_of

VALUES = np.array([1.0, 0.0, -1.0])
TIMES = 1500


def opinions(draw, rows, shift=0.0):
    """Probabilities of three classes, and labels that follow them; `shift` moves both."""
    logits = draw.normal(size=(rows, 3)) + np.array([shift, 0.0, 0.0])
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (truth.cumsum(axis=1) < draw.random((rows, 1))).sum(axis=1)
    return logits, np.eye(3)[labels]


def biased(logits):
    """Too certain, and far too fond of the first class."""
    logits = 3 * logits + [1.5, 0.0, 0.0]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("predict", [biased, lambda logits: np.full_like(logits, 1 / 3)])
def test_the_interval_covers_as_often_as_it_says_though_probabilities_are_biased(predict):
    draw = np.random.default_rng(1)
    # By symmetry of the first and last class where nothing is shifted.
    expected, held, naive = 0.0, 0, 0
    for _ in range(TIMES):
        judged, new = opinions(draw, 300), opinions(draw, 400)
        kept = Judged.of(predict(judged[0]), judged[1], None, 1.0)
        predicted = mean_of(predict(new[0]) @ VALUES)
        held += _holds(predicted.plus(kept.error(VALUES)), expected)
        naive += _holds(predicted, expected)
    assert held / TIMES == pytest.approx(0.95, abs=0.017)
    if predict is biased:
        assert naive == 0


def _holds(mean: Mean, expected: float) -> bool:
    _, low, high = mean.interval(0.95)
    return low <= expected <= high


def test_the_interval_covers_where_rows_come_in_groups():
    draw, held, independent = np.random.default_rng(2), 0, 0
    for _ in range(TIMES):
        parts = []
        for groups in (60, 50):
            codes = np.repeat(np.arange(groups), draw.integers(3, 12, groups))
            level, size = draw.normal(size=groups)[codes], len(codes)
            predicted = 5 + 0.5 * level + draw.normal(size=size)
            parts.append((predicted, predicted - 5 + 0.5 * level + draw.normal(size=size), codes))
        (judged, truth, codes), (new, _, of_new) = parts
        grouped = Judged.of(judged[:, None], truth[:, None], codes, 1.0)
        alone = Judged.of(judged[:, None], truth[:, None], None, 1.0)
        weight = np.ones(1)
        held += _holds(mean_of(new, of_new).plus(grouped.error(weight)), 0.0)
        independent += _holds(mean_of(new).plus(alone.error(weight)), 0.0)
        assert (grouped.units, alone.units) == (60, len(codes))
    assert held / TIMES == pytest.approx(0.95, abs=0.02)
    assert independent / TIMES < 0.85


def test_a_change_of_rows_like_those_that_were_judged_is_found_at_the_level_and_a_real_one_mostly():
    draw = np.random.default_rng(3)
    p_values = {shift: [] for shift in (0.0, 0.3)}
    for shift, found in p_values.items():
        for _ in range(TIMES):
            judged = opinions(draw, 300)
            kept = Judged.of(biased(judged[0]), judged[1], None, 1.0)
            new = mean_of(biased(opinions(draw, 400, shift)[0]) @ VALUES)
            found.append(new.minus(kept.predicted(VALUES)).p_value)
    assert np.mean(np.array(p_values[0.0]) <= 0.05) == pytest.approx(0.05, abs=0.017)
    assert np.mean(np.array(p_values[0.3]) <= 0.05) > 0.3


def test_of_the_judged_rows_themselves_it_is_the_mean_of_the_labels():
    draw = np.random.default_rng(4)
    logits, labels = opinions(draw, 200)
    kept = Judged.of(biased(logits), labels, None, 1.0)
    observed, own = kept.observed(VALUES), mean_of(labels @ VALUES)
    assert (observed.value, observed.variance) == pytest.approx((own.value, own.variance))
    assert kept.predicted(VALUES).value + kept.error(VALUES).value == pytest.approx(observed.value)
    assert kept.deviation(VALUES) == pytest.approx((labels @ VALUES).std(ddof=1))


def test_dependence_of_rows_in_order_widens_and_a_mean_that_never_varies_has_no_chance():
    values = np.arange(10.0)
    assert mean_of(values, dependence=4.0).variance == pytest.approx(4 * mean_of(values).variance)
    assert Mean(0.0, 0.0, 50).p_value == 1.0
    assert Mean(0.1, 0.0, 50).p_value == 0.0


def labelled(draw, rows, shares):
    """Biased probabilities of rows with classes of these shares, which look as ever, and the labels."""
    labels = draw.choice(3, rows, p=shares)
    return biased(draw.normal(size=(rows, 3)) / 3 + 0.6 * np.eye(3)[labels]), np.eye(3)[labels]


@pytest.mark.parametrize("shares", [(0.3, 0.4, 0.3), (0.4, 0.35, 0.25), (0.1, 0.1, 0.8)])
def test_where_shares_of_labels_change_steep_weights_cover_and_equal_ones_fall_short(shares):
    draw, steep, equal, means = np.random.default_rng(5), 0, 0, []
    expected = float(np.dot(shares, VALUES))
    for _ in range(TIMES):
        kept = Judged.of(*labelled(draw, 1000, (0.3, 0.4, 0.3)), None, 1.0)
        new, weights = labelled(draw, 400, shares)[0], kept.steep(VALUES)
        error = kept.error(VALUES, weights)
        found = mean_of(new @ weights).plus(error)
        found = replace(found, variance=found.variance + kept.leverage(new.mean(axis=0)) * error.variance)
        steep += _holds(found, expected)
        equal += _holds(mean_of(new @ VALUES).plus(kept.error(VALUES)), expected)
        means.append(found.value)
    assert np.mean(means) == pytest.approx(expected, abs=0.02)
    assert 0.92 < steep / TIMES < 0.97
    assert equal / TIMES < 0.9 or expected == 0


def test_predictions_that_are_the_labels_need_no_steeper_weights_and_constant_ones_have_none():
    labels = np.eye(3)[np.random.default_rng(6).integers(3, size=300)]
    exact = Judged.of(labels, labels, None, 1.0)
    weights = exact.steep(VALUES)
    assert labels @ weights - (labels @ weights).mean() == pytest.approx(
        labels @ VALUES - (labels @ VALUES).mean()
    )
    constant = Judged.of(np.full_like(labels, 1 / 3), labels, None, 1.0)
    assert constant.steep(VALUES) == pytest.approx(np.zeros(3))
