"""Metrics, differences and the gate where there are several classes, or a number."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as theirs

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.gate_checks import (
    Judged,
    above,
    check_baseline,
    check_bounds,
    check_cases,
    check_champion,
    first_reason,
    too_few,
)
from lepton_pipeline.evaluation.metrics import evaluate, paired_differences
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.parameters import Bound, Evaluation, Gate
from lepton_pipeline.statistics.estimates import Estimate, Evidence, Metrics, Rows
from lepton_pipeline.system.readable import four_digits
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

QUICK = Evaluation(resamples=100)
KINDS = Target(Multiclass(["a", "b", "c"]))
PRICES = Target(Regression())
each_target = pytest.mark.parametrize("target", [KINDS, PRICES], ids=["classes", "number"])


def make_scores(target, rows=600, seed=0, **noise):
    """Half validation, half test rows; each named model has its own noise."""
    rng = np.random.default_rng(seed)
    task, columns = target.task, {}
    common = rng.normal(size=rows)
    prices, places = np.exp(rng.normal(3.0, 0.5, rows)), rng.integers(0, 3, rows).astype(np.int16)
    labels = places if target is KINDS else prices
    for name, each in (noise or {"model": 1.0}).items():
        if target is KINDS:
            logits = 1.5 * np.eye(3)[labels] + each * rng.normal(size=(rows, 3)) + 0.3 * common[:, None]
            columns |= task.columns(name, task.from_outputs(logits))
        else:
            predicted = labels + each * (common + 2 * rng.normal(size=rows))
            ends = (predicted - 3, predicted + 3)
            columns |= task.columns(
                name, np.column_stack([predicted, *ends]) if name == "model" else predicted
            )
    part = np.where(np.arange(rows) % 2, "test", "validation")
    return pd.DataFrame({"part": part, "label": labels, **columns})


@each_target
def test_metrics_have_values_of_scikit_learn_and_intervals_around_them(target):
    scores = make_scores(target, model=1.0, network=1.5)
    found = evaluate(scores, target, QUICK)
    assert found.threshold is None
    assert found.thresholds == {"model": None, "network": None}
    assert found.rows["test"] == Rows(300)
    test = scores[scores["part"] == "test"]
    given = target.task.scores(test, "model")
    if target is KINDS:
        decided = given.argmax(axis=1)
        expected = {
            "log_loss": theirs.log_loss(test["label"], given),
            "accuracy": theirs.accuracy_score(test["label"], decided),
            "macro_f1": theirs.f1_score(
                test["label"], decided, labels=np.unique(test["label"]), average="macro"
            ),
        }
        assert found.evidence == Evidence(
            300 - int(test["label"].value_counts().max()), 300, "row", "beside the most frequent class"
        )
    else:
        expected = {
            "rmse": theirs.root_mean_squared_error(test["label"], given[:, 0]),
            "mae": theirs.mean_absolute_error(test["label"], given[:, 0]),
            "coverage": (np.abs(test["label"] - given[:, 0]) <= 3).mean(),
        }
        assert found.evidence == Evidence(300, 300, "row", "with a known target")
        # Only the model itself has intervals.
        assert "coverage" not in found.test["network"]
    assert {name: found.model[name].value for name in expected} == pytest.approx(expected, rel=1e-12)
    for name, figure in found.model.items():
        assert figure.low < figure.value < figure.high or name == "width", name
    assert from_json(Metrics, to_json(found)) == found


@each_target
def test_units_are_drawn_together(target):
    scores = pd.concat([make_scores(target, 300)] * 4, ignore_index=True)
    units = pd.DataFrame({"group": np.tile(np.arange(300), 4)})
    by_row, by_group = (evaluate(scores, target, QUICK, units=each) for each in (None, units))
    metric = target.task.shown[0]
    widths = [each.model[metric].high - each.model[metric].low for each in (by_row, by_group)]
    assert widths[1] > 1.6 * widths[0]
    assert by_group.evidence.units == 150


@each_target
def test_a_part_that_cannot_be_measured_is_refused(target):
    scores = make_scores(target)
    same = scores.assign(label=scores["label"].where(scores["part"] == "test", scores["label"].iloc[0]))
    lacking = "a second class" if target is KINDS else "a second value of the target"
    with pytest.raises(DataError, match=rf"part 'validation' has 300 rows.*, but measuring needs {lacking}"):
        evaluate(same, target, QUICK)


@each_target
def test_above_nought_the_first_is_ahead_whatever_the_direction(target):
    scores = make_scores(target, model=0.5, other=2.0)
    sample = Sample.of(scores["label"], task=target.task)
    cuts = dict.fromkeys(("model", "other"))
    ahead = paired_differences(scores, "model", "other", cuts, QUICK, sample)
    behind = paired_differences(scores, "other", "model", cuts, QUICK, sample)
    better = {"log_loss", "accuracy", "macro_f1"} if target is KINDS else {"rmse", "mae", "r2", "mape"}
    for metric in better:
        assert ahead[metric].low > 0, metric
        assert behind[metric].high < 0, metric
    assert "ece" not in ahead
    # Without intervals on both sides, they have nothing to compare.
    assert not {"coverage", "width"} & set(ahead)


def test_a_lead_reads_as_the_metric_does():
    assert above(Estimate(0.5, 0.25, 0.75), "rmse") == "0.5 [0.25, 0.75] below"
    assert above(Estimate(-0.5, -0.75, -0.25), "rmse") == "0.5 [0.25, 0.75] above"
    assert above(Estimate(0.5, 0.25, 0.75), "accuracy") == "0.5000 [0.2500, 0.7500] above"


def judged(target, **noise):
    scores = make_scores(target, **noise)
    return Judged(target.task, scores, evaluate(scores, target, QUICK))


@each_target
def test_a_margin_of_what_is_better_if_lower_is_a_share(target):
    metric = target.task.shown[0]
    both = judged(target, model=1.05, hist_gradient_boosting=1.0)
    theirs_ = both.metrics.test["hist_gradient_boosting"][metric].value
    wide = check_baseline(both, Gate(metric=metric, at_least=None, baseline_margin=0.5), QUICK)
    assert wide.passed
    assert wide.limit == pytest.approx(-0.5 * theirs_)
    worse = judged(target, model=3.0, hist_gradient_boosting=0.5)
    refused = check_baseline(worse, Gate(metric=metric, at_least=None, baseline_margin=0.02), QUICK)
    assert not refused.passed
    assert "above baseline hist_gradient_boosting on 300 rows, so it is worse by more than" in refused.text
    assert "gate.baseline_margin 0.02, " in refused.text


@each_target
def test_a_challenger_of_every_task_must_be_better(target):
    metric = target.task.shown[0]
    rows = make_scores(target, champion=2.0, challenger=0.5)
    cuts = dict.fromkeys(("champion", "challenger"))
    sample = Sample.of(rows["label"], task=target.task)
    gate = Gate(metric=metric, at_least=None)
    better = check_champion(rows, cuts, 3, gate, QUICK, sample)
    assert better.passed
    assert "below champion version 3 on 600 rows new to both" in better.text
    worse = make_scores(target, champion=0.5, challenger=2.0)
    assert not check_champion(worse, cuts, 3, gate, QUICK, sample).passed


def test_a_figure_that_is_better_if_lower_is_held_from_above():
    metrics = judged(PRICES, model=1.0).metrics
    figure = metrics.model["rmse"]
    gate = Gate(
        metric="rmse", at_least=None, at_most=figure.high + 0.1, bounds={"coverage": Bound(at_least=0.99)}
    )
    rmse, coverage = check_bounds(metrics, gate)
    assert (rmse.name, rmse.passed) == ("bound rmse", True)
    assert rmse.text.endswith(f"is at most {figure.high + 0.1:g}")
    assert (coverage.name, coverage.passed) == ("bound coverage", False)
    assert "the declared 99 %" in coverage.text
    (refused,) = check_bounds(metrics, Gate(metric="rmse", at_least=None, at_most=figure.value))
    assert not refused.passed
    assert "gate.at_most" in refused.next


def test_a_model_behind_a_baseline_of_lower_error_is_not_promoted_silently():
    both = judged(PRICES, model=2.0, ridge_regression=1.0)
    reached = both.metrics.test["ridge_regression"]["rmse"].value
    gate = Gate(metric="rmse", at_least=None, at_most=99.0)
    reason = first_reason(check_bounds(both.metrics, gate), both.metrics, gate)
    assert reason.endswith(f"; note that baseline ridge_regression reaches {four_digits(reached)}")


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (KINDS, "only 6 test rows beside the most frequent class; it takes 10"),
        (PRICES, "only 6 test rows with a known target; it takes 10"),
    ],
)
def test_too_few_rows_to_judge_by_are_told_in_the_words_of_the_task(target, text):
    evidence = Evidence(6, 60, "row", target.task.case)
    metrics = Metrics(None, {}, {"test": Rows(60)}, 100, {}, evidence=evidence)
    (check,) = check_cases(metrics)
    assert check.text == f"the model cannot be judged: {text}"
    assert check.next == f"bring more rows {target.task.case}, or enlarge split.test"


def test_too_few_rows_to_compare_by_are_told_in_the_words_of_the_task():
    labels = pd.Series([0] * 55 + [1, 2] * 2)
    assert too_few(Sample.of(labels, task=KINDS.task)) == (
        "only 59 test rows, 4 of them beside the most frequent class, are new to both; it takes 50, and 10 of these"
    )
    assert too_few(Sample.of(pd.Series(np.arange(50.0)), task=PRICES.task)) == ""
    assert "only 49 test rows, 49 of them with a known target" in too_few(
        Sample.of(pd.Series(np.arange(49.0)), task=PRICES.task)
    )
