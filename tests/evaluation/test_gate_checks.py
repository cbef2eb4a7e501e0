import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.evaluation.gate_checks import (
    above,
    check_baseline,
    check_bounds,
    check_champion,
    check_slices,
    first_reason,
    incomparable,
    too_few,
)
from lepton_pipeline.parameters import Bound, Evaluation, Gate

QUICK = Evaluation(resamples=200)
CUTS = {"challenger": 0.5, "champion": 0.5}


def measured(auc, baseline=0.7, ece=0.03):
    figures = {"auc": {"value": auc, "low": auc - 0.1, "high": auc + 0.1}, "ece": {"value": ece}}
    return {
        "test": {"model": figures, "hist_gradient_boosting": {"auc": {"value": baseline}}},
        "thresholds": {"model": 0.5, "hist_gradient_boosting": 0.5},
    }


def scored(noise, seed=7, rows=200):
    """Labels, and a score for each of the named models: the more noise, the worse."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    shared = rng.standard_normal(rows)
    models = {
        name: 1 / (1 + np.exp(-(labels + shared + each * rng.standard_normal(rows)))) for name, each in noise.items()
    }
    return pd.DataFrame({"part": "test", "label": labels, **models})


def texts(checks):
    return [(check["passed"], check["text"]) for check in checks]


def test_every_bound_is_checked_also_after_one_failed():
    gate = Gate(at_least=0.75, bounds={"ece": Bound(at_most=0.02), "auc": Bound(at_most=0.99)})
    checks = check_bounds(measured(0.7), gate)
    assert texts(checks) == [
        (False, "auc 0.7000 is below the declared 0.75"),
        (False, "ece 0.0300 is above the declared 0.02"),
        (True, "auc 0.7000 is at most 0.99"),
    ]
    assert checks[0] == {
        "name": "bound auc",
        "passed": False,
        "text": "auc 0.7000 is below the declared 0.75",
        "value": 0.7,
        "low": pytest.approx(0.6),
        "high": pytest.approx(0.8),
        "limit": 0.75,
    }


@pytest.mark.parametrize(("auc", "passed"), [(0.75, True), (0.7499, False)])
def test_a_bound_may_be_met_exactly(auc, passed):
    assert check_bounds(measured(auc), Gate(at_least=0.75))[0]["passed"] is passed


def a_slice(value, auc, rows=500, small=False):
    return {"column": "SEX", "value": value, "rows": rows, "small": small, "metrics": {"auc": auc and {"value": auc}}}


def test_slices_that_are_large_enough_must_reach_the_floor():
    slices = {
        "slices": [a_slice("1", 0.8), a_slice("2", 0.6), a_slice("3", 0.1, 12, small=True), a_slice("4", None, 9)]
    }
    assert check_slices(slices, Gate()) == []
    checks = check_slices(slices, Gate(slice_at_least=0.7))
    assert texts(checks) == [
        (True, "auc 0.8000 of slice SEX=1 (500 rows) is at least 0.7"),
        (False, "auc 0.6000 of slice SEX=2 (500 rows) is below the declared 0.7"),
        (True, "slice SEX=3 is too small to tell (12 rows), so it was not checked"),
        (True, "slice SEX=4 is too small to tell (9 rows), so it was not checked"),
    ]
    assert checks[1]["name"] == "slice SEX=2"


def test_a_floor_without_a_slice_is_no_silent_pass():
    (check,) = check_slices({"slices": []}, Gate(slice_at_least=0.7))
    assert not check["passed"]
    assert "name columns in evaluation.slices" in check["text"]


def test_a_model_may_be_worse_than_boosting_only_by_the_margin():
    scores = scored({"model": 1.2, "hist_gradient_boosting": 0.2})
    refused = check_baseline(scores, measured(0.7), Gate(), QUICK)
    assert not refused["passed"]
    assert refused["value"] < refused["limit"] == -0.02
    assert refused["rows"] == 200
    assert "below baseline hist_gradient_boosting on 200 rows" in refused["text"]
    assert "gate.baseline_margin 0.02" in refused["text"]
    wide = Gate(baseline_margin=0.5)
    assert check_baseline(scores, measured(0.7), wide, QUICK)["passed"]
    exact = Gate(baseline_margin=-refused["low"])
    assert check_baseline(scores, measured(0.7), exact, QUICK)["passed"]


def test_a_refusal_names_the_strongest_baseline():
    scores = scored({"model": 1.2, "hist_gradient_boosting": 0.2})
    metrics = measured(0.6)
    assert "strongest" not in check_baseline(scores, metrics, Gate(), QUICK)["text"]
    metrics["test"]["logistic_regression"] = {"auc": {"value": 0.72}}
    assert check_baseline(scores, metrics, Gate(), QUICK)["text"].endswith(
        "; the strongest baseline is logistic_regression, 0.7200"
    )
    metrics["test"]["logistic_regression"] = {"auc": {"value": 0.9}}
    assert "a copy of dataset.time" in check_baseline(scores, metrics, Gate(), QUICK)["text"]


def test_rows_of_a_group_are_drawn_together():
    scores = scored({"model": 0.8, "hist_gradient_boosting": 0.8})
    repeated = pd.concat([scores] * 4, ignore_index=True)
    groups = pd.DataFrame({"group": np.tile(np.arange(200), 4)})
    by_row = check_baseline(repeated, measured(0.7), Gate(), QUICK)
    by_group = check_baseline(repeated, measured(0.7), Gate(), QUICK, groups)
    assert by_group["high"] - by_group["low"] > 1.6 * (by_row["high"] - by_row["low"])
    assert by_group["value"] == by_row["value"]


def test_only_a_challenger_that_is_better_beyond_doubt_replaces_the_champion():
    rows = scored({"challenger": 0.1, "champion": 2.0})
    better = check_champion(rows, CUTS, 3, Gate(), QUICK)
    assert better["passed"]
    assert better["low"] > 0
    assert better["text"].endswith("above champion version 3 on 200 rows new to both")
    worse = check_champion(
        rows.rename(columns={"challenger": "champion", "champion": "challenger"}), CUTS, 3, Gate(), QUICK
    )
    assert not worse["passed"]
    assert worse["value"] == pytest.approx(-better["value"])
    assert "below champion version 3" in worse["text"]


def test_an_equal_challenger_is_refused_unless_a_margin_is_declared():
    rows = scored({"challenger": 1.0})
    rows = rows.assign(champion=rows["challenger"])
    refused = check_champion(rows, CUTS, 3, Gate(), QUICK)
    assert (refused["passed"], refused["value"], refused["limit"]) == (False, 0.0, 0.0)
    assert refused["text"].endswith("so it is not above 0 beyond doubt")
    assert check_champion(rows, CUTS, 3, Gate(margin=0.001), QUICK)["passed"]


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ([0, 1] * 24, "only 48 test rows, 24 of them positive, are new to both; it takes 50, and 10 of each class"),
        ([0] * 91 + [1] * 9, "only 100 test rows, 9 of them positive"),
        ([1] * 91 + [0] * 9, "only 100 test rows, 91 of them positive"),
        ([0, 1] * 25, ""),
    ],
)
def test_too_few_rows_say_nothing(labels, problem):
    assert too_few(pd.Series(labels), None).startswith(problem)
    assert bool(too_few(pd.Series(labels), None)) == bool(problem)


def test_too_few_groups_say_nothing():
    labels, groups = pd.Series([0, 1] * 30), pd.DataFrame({"group": np.arange(60) % 9})
    assert "of only 9 groups; it takes 10" in too_few(labels, groups)
    rows = pd.DataFrame({"label": labels, "challenger": 0.5, "champion": 0.5})
    check = check_champion(rows, CUTS, 3, Gate(), QUICK, groups, "do this")
    assert not check["passed"]
    assert check["rows"] == 60
    assert check["text"].endswith("; do this")
    assert too_few(labels, pd.DataFrame({"group": np.arange(60) % 10})) == ""


def passed(name, text):
    return {"name": name, "passed": True, "text": text}


def test_the_reason_is_the_first_failure_and_the_names_of_the_others():
    checks = [passed("a", "fine"), passed("b", "bad") | {"passed": False}, passed("c", "worse") | {"passed": False}]
    assert first_reason(checks, measured(0.8), Gate()) == "bad; also failed: c"


def test_the_reason_of_a_promotion_is_its_bound_and_its_rival():
    first = [passed("bound auc", "auc 0.8000 is at least 0.75"), passed("baseline", "fine")]
    assert first_reason(first, measured(0.8), Gate()) == "auc 0.8000 is at least 0.75, the first champion"
    second = [*first, passed("champion", "auc is better")]
    assert first_reason(second, measured(0.8), Gate()) == "auc 0.8000 is at least 0.75; auc is better"


def test_a_model_behind_a_baseline_is_not_promoted_silently():
    metrics = measured(0.8, baseline=0.81)
    metrics["test"]["network"] = {"auc": {"value": 0.9}}
    reason = first_reason([passed("bound auc", "fine")], metrics, Gate())
    assert reason == "fine, the first champion; note that baseline hist_gradient_boosting reaches 0.8100"


def test_a_long_reason_does_not_flood_and_keeps_the_way_out():
    check = incomparable(3, "columns are missing: " + ", ".join(map(str, range(1000))), "do this")
    assert check["text"].startswith("it cannot be compared with champion version 3: columns are missing: 0, 1")
    assert check["text"].endswith("…; do this")
    assert len(first_reason([check], measured(0.8), Gate())) <= 400


def test_a_difference_reads_the_same_from_both_sides():
    assert above({"value": 0.0123, "low": -0.001, "high": 0.024}) == "0.0123 [-0.0010, 0.0240] above"
    assert above({"value": -0.0123, "low": -0.024, "high": 0.001}) == "0.0123 [-0.0010, 0.0240] below"
    assert above({"value": 0.0, "low": 0.0, "high": 0.0}) == "0.0000 [0.0000, 0.0000] above"
