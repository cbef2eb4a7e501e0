"""Monitoring of a champion that tells classes apart, and of one that predicts a number."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from other_tasks import CLASSES, NUMBER, ROWS, draw, make_champion
from sklearn.metrics import log_loss, root_mean_squared_error

from lepton_pipeline.errors import DataError
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.monitoring.new_rows import score_new_rows
from lepton_pipeline.operations.monitoring.page import render_page
from lepton_pipeline.operations.monitoring.summary import quality_text
from lepton_pipeline.parameters import About, Dataset, Gate
from lepton_pipeline.reporting.report.formats import metric_name
from lepton_pipeline.system.records import from_json, to_plain

BY_LOSS = Gate(metric="log_loss", at_least=None)
BY_ERROR = Gate(metric="rmse", at_least=None)


@pytest.fixture(scope="module")
def classes():
    return make_champion(CLASSES)


@pytest.fixture(scope="module")
def number():
    return make_champion(NUMBER)


def scored(watched, later):
    """New rows with the scores of the champion's task."""
    table = pd.concat([watched.table, later[list(watched.table)]], ignore_index=True)
    dataset = watched.dataset.model_copy(update={"present": "2035-01-01"})
    champion = watched.champion
    return score_new_rows(table, champion.model, watched.seen, champion.reference.span, dataset)


def check(result):
    """It is JSON without NaN, from which it can be read again, and a page."""
    plain = json.dumps(to_plain(result), allow_nan=False)
    assert from_json(MonitoringResult, plain) == result
    return render_page(result, About())


def test_classes_that_are_told_apart_as_before_are_neither_drift_nor_decay(classes):
    later = draw(400, seed=2, first=ROWS)
    result = classes.watch(later, BY_LOSS)
    assert (result.drifted, result.decayed, result.coverage) == (False, False, None)
    assert (result.scores.column, result.scores.test) == ("decision", "chi-square")
    # Where lower is better, the worse end is the high one.
    assert result.bound == classes.champion.version.test["log_loss"].high
    new = scored(classes, later)
    task = classes.champion.model.task
    probabilities = task.scores(new, "model")
    first = new["time"] <= new["time"].min() + 199 * 86400
    expected = log_loss(new["label"][first], probabilities[first], labels=range(3))
    assert result.windows[0].rows == first.sum() == 200
    assert result.windows[0].value == pytest.approx(expected)
    assert result.windows[0].score_mean == pytest.approx(probabilities[first].max(axis=1).mean())
    page = check(result)
    assert f"{metric_name('log_loss')} is above" in page
    assert page.count("Mean probability of the likeliest class") == 2
    # There is no positive class.
    assert "Positive" not in page
    assert "positives" not in to_plain(result)["windows"][0]


def test_rows_of_a_new_class_are_labelled_left_out_and_told(classes):
    later = draw(400, seed=2, first=ROWS)
    strange = later.assign(kind=later["kind"].where(later.index >= 30, "castle"))
    strange.loc[30:32, "kind"] = "of Ann Lee, 5 Elm St"
    result = classes.watch(strange, BY_LOSS)
    (note,) = result.notes
    assert note == (
        "33 new rows have a class that the champion does not know: castle; quality is measured without them. "
        "Train again: kedro run --pipelines shop."
    )
    assert (result.rows_new, result.rows_mature_new) == (400, 400)
    assert [window.mature for window in result.windows] == [200, 200]
    known = classes.watch(later[33:], BY_LOSS)
    assert result.windows[1] == known.windows[-1]
    assert result.windows[0].value == pytest.approx(scored_loss(classes, later.iloc[33:200]))
    assert note in check(result)


def scored_loss(watched, later):
    new = scored(watched, later)
    return log_loss(new["label"], watched.champion.model.task.scores(new, "model"), labels=range(3))


def test_other_shares_of_decided_classes_are_drift_of_the_scores(classes):
    later = draw(2400, seed=3, first=ROWS)
    # Fewer villas, as there are.
    villa = (later["kind"] == "villa").to_numpy()
    fewer = later[~villa | (np.arange(2400) % 8 == 0)][:400]
    result = classes.watch(fewer, BY_LOSS)
    assert result.scores.flagged
    assert "villa" in result.scores.change
    assert f"those of the test: {result.scores.change}" in check(result)


def test_classes_that_no_longer_follow_are_decay(classes):
    later = draw(400, seed=4, first=ROWS)
    turned = later.assign(kind=later["kind"].replace({"cottage": "villa", "villa": "cottage"}))
    result = classes.watch(turned, BY_LOSS)
    assert [window.below for window in result.windows] == [True, True]
    assert result.decayed is True
    assert all(window.low > result.bound for window in result.windows)
    assert quality_text(result).startswith("decayed: log_loss")
    assert "Quality has decayed" in check(result)


def test_numbers_that_are_predicted_as_before_hold_and_so_do_their_intervals(number):
    later = draw(400, seed=2, first=ROWS)
    result = number.watch(later, BY_ERROR)
    assert (result.drifted, result.decayed, result.coverage.decayed) == (False, False, False)
    test = number.champion.version.test
    assert (result.bound, result.coverage.bound) == (test["rmse"].high, test["coverage"].low)
    new = scored(number, later)
    predicted, low, high = number.champion.model.task.scores(new, "model")[:200].T
    truth = later["price"].to_numpy()[:200]
    window = result.windows[0]
    assert window.value == pytest.approx(root_mean_squared_error(truth, predicted))
    assert window.coverage.value == np.mean((low <= truth) & (truth <= high))
    assert window.score_mean == pytest.approx(predicted.mean())
    assert result.series[0]["realised.coverage"] == window.coverage.value
    assert (result.scores.column, result.score) == ("prediction", "prediction")
    page = check(result)
    assert "Prediction intervals hold." in page
    assert page.count("Coverage of intervals") == 1
    assert page.count("Mean prediction") == 2
    # Not to the thousandth, as a probability.
    assert f'<td class="n">{window.score_mean:,.1f}</td>' in page


@pytest.mark.parametrize(
    ("drifted", "decayed", "uncovered", "headline"),
    [
        (False, False, False, "New rows are like those of the training"),
        (False, True, False, "Quality has decayed"),
        (None, True, False, "Quality has decayed"),
        (False, False, True, "Prediction intervals no longer hold"),
        (True, True, True, "New rows differ from those of the training"),
    ],
)
def test_the_headline_says_decay_where_there_is_no_drift(number, drifted, decayed, uncovered, headline):
    result = number.watch(draw(400, seed=2, first=ROWS), BY_ERROR)
    coverage = replace(result.coverage, decayed=uncovered)
    page = check(replace(result, drifted=drifted, decayed=decayed, coverage=coverage))
    assert re.findall("<h2>(.*?)</h2>", page)[0] == headline


def test_intervals_that_no_longer_hold_are_decay_beside_an_error_that_holds(number):
    later = draw(400, seed=5, first=ROWS)
    lenient = Gate(metric="mae", at_least=None)
    # One target in four is off by as little as the intervals are wide: most predictions stay as good.
    off = np.where(np.arange(400) % 4 == 0, 14.0, 0.0)
    wide = number.watch(later.assign(price=later["price"] + off), lenient)
    held = replace(wide, decayed=False)
    assert [window.coverage_below for window in wide.windows] == [True, True]
    assert wide.coverage.decayed is True
    assert held.quality_decayed is True
    assert all(window.coverage.high < wide.coverage.bound for window in wide.windows)
    assert f"coverage decayed: {100 * wide.windows[-1].coverage.value:.2f} % [" in quality_text(wide)
    assert "Prediction intervals no longer hold" in check(wide)
    assert wide.figures["coverage.windows_below"] == 2


def test_larger_errors_are_decay_and_told_by_the_whole_interval(number):
    result = number.watch(draw(400, seed=6, first=ROWS, noise=3.0), BY_ERROR)
    assert result.decayed is True
    assert result.drifted is False
    assert all(window.low > result.bound for window in result.windows)
    assert f"{metric_name('rmse')} is above" in check(result)


def test_a_target_without_a_logarithm_is_left_out_where_logarithms_were_learnt(number):
    task = replace(number.champion.model.task, transform="log")
    later = draw(60, seed=7, first=ROWS).assign(price=[0.0] * 6 + [-1.0] + [5.0] * 53)
    labels = task.later_labels(later, NUMBER)
    assert labels.isna().tolist() == [True] * 7 + [False] * 53
    assert number.champion.model.task.later_labels(later, NUMBER).notna().all()


def test_a_champion_of_another_task_is_told_to_be_trained_again(classes):
    dataset = Dataset(target="kind", positive="villa", id="id", time="day")
    champion = classes.champion
    with pytest.raises(DataError, match=r"another task, multiclass of cottage, house, villa, than binary"):
        score_new_rows(classes.table, champion.model, classes.seen, champion.reference.span, dataset)


def test_where_nothing_is_new_there_are_columns_for_scores_all_the_same(classes, number):
    none = draw(0, seed=1, first=ROWS)
    assert list(scored(classes, none))[:3] == ["model: cottage", "model: house", "model: villa"]
    assert list(scored(number, none))[:3] == ["model", "model: low", "model: high"]
    assert classes.watch(none, BY_LOSS).rows_new == 0
