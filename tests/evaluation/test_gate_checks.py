from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.evaluation.decision import Check
from lepton_pipeline.evaluation.gate_checks import (
    NEW_BY_VALUES,
    Judged,
    above,
    check_baseline,
    check_beaten,
    check_bounds,
    check_cases,
    check_champion,
    check_slices,
    first_reason,
    incomparable,
    same_model,
    too_few,
)
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.evaluation.slices import Slice, SliceEstimate, Slices
from lepton_pipeline.parameters import Bound, Evaluation, Gate
from lepton_pipeline.statistics.estimates import Estimate, Metrics, Rows
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.regression import Regression

QUICK = Evaluation(resamples=200)
CUTS = {"challenger": 0.5, "champion": 0.5}


def measured(auc, baseline=0.7, ece=0.03, half=0.1, **others):
    figures = {
        name: Estimate(value, value - half, value + half) for name, value in (("auc", auc), ("ece", ece))
    }
    models = {"model": figures, "hist_gradient_boosting": {"auc": Estimate(baseline)}} | others
    thresholds = dict.fromkeys(("model", "hist_gradient_boosting", "logistic_regression", "today"), 0.5)
    return Metrics(0.5, thresholds, {}, 100, models)


def scored(noise, seed=7, rows=200):
    """Labels, and a score for each of the named models: the more noise, the worse."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    shared = rng.standard_normal(rows)
    models = {
        name: 1 / (1 + np.exp(-(labels + shared + each * rng.standard_normal(rows))))
        for name, each in noise.items()
    }
    return pd.DataFrame({"part": "test", "label": labels, **models})


def judged(scores, metrics, units=None):
    counted = {"test": Rows(len(scores), int(scores["label"].sum()))}
    return Judged(Binary(), scores, replace(metrics, rows=counted), units)


def of(rows, units=None):
    return Sample.of(rows["label"], units)


def texts(checks):
    return [(check.passed, check.text) for check in checks]


@pytest.mark.parametrize(
    ("rows", "positives", "text"),
    [
        (60, 9, "only 9 of 60 test rows are positive; it takes 10"),
        (1200, 1199, "only 1 of 1,200 test rows are negative"),
        (20, 10, ""),
    ],
)
def test_a_model_is_not_judged_by_a_handful_of_cases(rows, positives, text):
    checks = check_cases(Metrics(0.5, {}, {"test": Rows(rows, positives)}, 100, {}))
    assert bool(checks) == bool(text)
    for check in checks:
        assert not check.passed
        assert check.text.startswith(f"the model cannot be judged: {text}")
        assert check.next.endswith("or enlarge split.test")


def test_every_bound_is_checked_also_after_one_failed_by_the_worse_end():
    gate = Gate(at_least=0.75, bounds={"ece": Bound(at_most=0.02), "auc": Bound(at_most=0.99)})
    checks = check_bounds(measured(0.7, half=0.01), gate)
    assert texts(checks) == [
        (False, "auc 0.7000 [0.6900, 0.7100] is below the declared 0.75"),
        (False, "ece 0.0300 [0.0200, 0.0400] is above the declared 0.02"),
        (True, "auc 0.7000 [0.6900, 0.7100] is at most 0.99"),
    ]
    assert checks[1] == Check(
        "bound ece",
        False,
        "ece 0.0300 [0.0200, 0.0400] is above the declared 0.02",
        value=0.03,
        low=pytest.approx(0.02),
        high=pytest.approx(0.04),
        limit=0.02,
        next="bring more rows or better columns, or declare in gate.bounds.ece.at_most what is good enough",
    )


@pytest.mark.parametrize(("floor", "passed"), [(0.7, True), (0.7001, False)])
def test_the_lower_end_must_reach_the_floor_and_may_meet_it_exactly(floor, passed):
    metrics = measured(0.8, model={"auc": Estimate(0.8, 0.7, 0.9)})
    check = check_bounds(metrics, Gate(at_least=floor))[0]
    assert check.passed is passed
    words = "is at least 0.7" if passed else "reaches below the declared 0.7001"
    assert check.text == f"auc 0.8000 [0.7000, 0.9000] {words}"


def test_a_figure_without_an_interval_cannot_be_judged():
    metrics = measured(0.8, model={"auc": Estimate(0.99)})
    (check,) = check_bounds(metrics, Gate(at_least=0.5))
    assert not check.passed
    assert check.text == "auc 0.9900 has no interval, so it cannot be judged"
    assert "split.test" in check.next


def a_slice(value, auc, rows=500, small=False, **ends):
    figure = auc and SliceEstimate(auc, auc - 0.05, auc + 0.05, **ends)
    return Slice("SEX", value, rows, 100, sensitive=False, small=small, metrics={"auc": figure}, gaps={})


def test_slices_that_are_large_enough_must_reach_the_floor():
    slices = Slices(
        slices=[
            a_slice("1", 0.8),
            a_slice("2", 0.6),
            a_slice("3", 0.1, 12, small=True),
            a_slice("4", None, 9),
            a_slice("5", 0.8, floor_low=0.69),
        ]
    )
    assert check_slices(slices, Gate()) == []
    checks = check_slices(slices, Gate(slice_at_least=0.7))
    assert texts(checks) == [
        (True, "auc 0.8000 [0.7500, 0.8500] of slice SEX=1 (500 rows) is at least 0.7"),
        (False, "auc 0.6000 [0.5500, 0.6500] of slice SEX=2 (500 rows) is below the declared 0.7"),
        (True, "slice SEX=3 is too small to tell (12 rows), so it was not checked"),
        (True, "slice SEX=4 is too small to tell (9 rows), so it was not checked"),
        (False, "auc 0.8000 [0.6900, 0.8500] of slice SEX=5 (500 rows) reaches below the declared 0.7"),
    ]
    assert checks[1].name == "slice SEX=2"
    assert all(bool(check.next) != check.passed for check in checks)


def test_a_floor_without_a_slice_is_no_silent_pass():
    (check,) = check_slices(Slices(), Gate(slice_at_least=0.7))
    assert not check.passed
    assert check.next == "name columns in evaluation.slices"


def test_a_model_may_be_worse_than_boosting_only_by_the_margin():
    scores = scored({"model": 1.2, "hist_gradient_boosting": 0.2})
    refused = check_baseline(judged(scores, measured(0.7)), Gate(), QUICK)
    assert not refused.passed
    assert refused.value < refused.limit == -0.02
    assert refused.rows == 200
    assert "below baseline hist_gradient_boosting on 200 rows" in refused.text
    assert "gate.baseline_margin 0.02" in refused.text
    wide = Gate(baseline_margin=0.5)
    assert check_baseline(judged(scores, measured(0.7)), wide, QUICK).passed
    exact = Gate(baseline_margin=-refused.low)
    assert check_baseline(judged(scores, measured(0.7)), exact, QUICK).passed


def test_without_a_champion_only_what_is_shown_to_be_worse_is_refused():
    """The same difference, that may be chance: refused beside a champion, promoted where there is none."""
    scores = scored({"model": 1.0, "hist_gradient_boosting": 0.8})
    doubtful = check_baseline(judged(scores, measured(0.7)), Gate(), QUICK)
    assert doubtful.low < -0.02 < doubtful.high
    assert not doubtful.passed
    assert doubtful.text.endswith("so it may be worse by more than gate.baseline_margin 0.02")
    first = check_baseline(judged(scores, measured(0.7)), Gate(), QUICK, first=True)
    assert first.passed
    assert "may be worse" in first.text
    worse = scored({"model": 4.0, "hist_gradient_boosting": 0.2})
    refused = check_baseline(judged(worse, measured(0.7)), Gate(), QUICK, first=True)
    assert refused.high < -0.02
    assert not refused.passed
    assert "so it is worse by more than" in refused.text
    assert "gate.baseline_margin" in refused.next


def test_a_model_must_be_significantly_better_than_what_it_is_to_beat():
    assert check_beaten(judged(scored({"model": 1.0}), measured(0.7)), Gate(), QUICK) == []
    gate = Gate(beat=["today"])
    (ahead,) = check_beaten(judged(scored({"model": 0.2, "today": 4.0}), measured(0.7)), gate, QUICK)
    assert (ahead.name, ahead.passed, ahead.next) == ("beat today", True, None)
    assert "above baseline today on 200 rows" in ahead.text
    (level,) = check_beaten(judged(scored({"model": 1.0, "today": 1.0}), measured(0.7)), gate, QUICK)
    assert level.low < 0 < level.high
    assert not level.passed
    assert level.text.endswith("on 200 rows, so it is not significantly better")
    assert "take it out of gate.beat" in level.next


def test_boosting_alone_is_compared_with_the_linear_baseline():
    scores = scored({"model": 4.0, "logistic_regression": 0.2})
    scores = scores.assign(hist_gradient_boosting=scores["model"])
    assert check_baseline(judged(scores, measured(0.7)), Gate(), QUICK).passed
    metrics = measured(0.7, logistic_regression={"auc": Estimate(0.75)})
    check = check_baseline(judged(scores, metrics), Gate(), QUICK, baseline="logistic_regression")
    assert not check.passed
    assert "below baseline logistic_regression" in check.text


def test_a_refusal_names_the_strongest_baseline():
    scores = scored({"model": 1.2, "hist_gradient_boosting": 0.2})
    metrics = measured(0.6)
    assert "strongest" not in check_baseline(judged(scores, metrics), Gate(), QUICK).text
    metrics = measured(0.6, logistic_regression={"auc": Estimate(0.72)})
    assert check_baseline(judged(scores, metrics), Gate(), QUICK).text.endswith(
        "; the strongest baseline is logistic_regression, 0.7200"
    )
    metrics = measured(0.6, logistic_regression={"auc": Estimate(0.9)})
    assert "a copy of dataset.time" in check_baseline(judged(scores, metrics), Gate(), QUICK).text


def test_rows_of_a_group_are_drawn_together():
    scores = scored({"model": 0.8, "hist_gradient_boosting": 0.8})
    repeated = pd.concat([scores] * 4, ignore_index=True)
    groups = pd.DataFrame({"group": np.tile(np.arange(200), 4)})
    by_row = check_baseline(judged(repeated, measured(0.7)), Gate(), QUICK)
    by_group = check_baseline(judged(repeated, measured(0.7), groups), Gate(), QUICK)
    assert by_group.high - by_group.low > 1.6 * (by_row.high - by_row.low)
    assert by_group.value == by_row.value


def test_only_a_challenger_that_is_better_beyond_doubt_replaces_the_champion():
    rows = scored({"challenger": 0.1, "champion": 2.0})
    better = check_champion(rows, CUTS, 3, Gate(), QUICK, of(rows))
    assert better.passed
    assert better.low > 0
    assert better.text.endswith("above champion version 3 on 200 rows new to both")
    by_values = check_champion(rows, CUTS, 3, Gate(), QUICK, of(rows), new=NEW_BY_VALUES)
    assert "on 200 rows new to both by their values (declare dataset.id" in by_values.text
    swapped = rows.rename(columns={"challenger": "champion", "champion": "challenger"})
    worse = check_champion(swapped, CUTS, 3, Gate(), QUICK, of(rows))
    assert not worse.passed
    assert worse.value == pytest.approx(-better.value)
    assert "below champion version 3" in worse.text


def test_an_equal_challenger_is_refused_unless_a_margin_is_declared():
    rows = scored({"challenger": 1.0})
    rows = rows.assign(champion=rows["challenger"])
    refused = check_champion(rows, CUTS, 3, Gate(), QUICK, of(rows))
    assert (refused.passed, refused.value, refused.limit) == (False, 0.0, 0.0)
    assert refused.text.endswith("so it is not significantly above 0")
    assert check_champion(rows, CUTS, 3, Gate(margin=0.001), QUICK, of(rows)).passed


@pytest.mark.parametrize(
    ("margin", "doubt"),
    [
        (0.0, "so it is not significantly below 0"),
        (0.01, "so it may be worse by more than gate.margin 0.01, 0.02"),
    ],
)
def test_a_metric_that_is_better_if_lower_says_so_in_its_own_direction(margin, doubt):
    rng = np.random.default_rng(7)
    label = rng.standard_normal(100)
    error = np.where(np.arange(100) % 2, 2.0, -2.0)
    rows = pd.DataFrame({"label": label, "champion": label + error, "challenger": label + 1.5 * error})
    sample = Sample.of(rows["label"], None, Regression())
    cuts = {"challenger": None, "champion": None}
    refused = check_champion(rows, cuts, 3, Gate(metric="mae", margin=margin), QUICK, sample)
    # Errors of 3 instead of 2 in each row.
    assert (refused.passed, refused.value, refused.limit) == (
        False,
        pytest.approx(-1),
        pytest.approx(-2 * margin),
    )
    assert refused.text == f"mae is 1 [1, 1] above champion version 3 on 100 rows new to both, {doubt}"


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (
            [0, 1] * 24,
            "only 48 test rows, 24 of them positive, are new to both; it takes 50, and 10 of each class",
        ),
        ([0] * 91 + [1] * 9, "only 100 test rows, 9 of them positive"),
        ([1] * 91 + [0] * 9, "only 100 test rows, 91 of them positive"),
        ([0, 1] * 25, ""),
    ],
)
def test_too_few_rows_say_nothing(labels, problem):
    assert too_few(Sample.of(pd.Series(labels))).startswith(problem)
    assert bool(too_few(Sample.of(pd.Series(labels)))) == bool(problem)


def test_too_few_groups_say_nothing():
    labels, groups = pd.Series([0, 1] * 30), pd.DataFrame({"group": np.arange(60) % 9})
    assert "of only 9 groups; it takes 10" in too_few(Sample.of(labels, groups))
    rows = pd.DataFrame({"label": labels, "challenger": 0.5, "champion": 0.5})
    check = check_champion(rows, CUTS, 3, Gate(), QUICK, of(rows, groups))
    assert not check.passed
    assert check.rows == 60
    assert too_few(Sample.of(labels, pd.DataFrame({"group": np.arange(60) % 10}))) == ""


def passed(name, text):
    return Check(name, True, text)


def test_the_reason_is_the_first_failure_and_the_names_of_the_others():
    checks = [passed("a", "fine"), Check("b", False, "bad"), Check("c", False, "worse")]
    assert first_reason(checks, measured(0.8), Gate()) == "bad; also failed: c"


def test_the_reason_of_a_promotion_is_its_bound_and_its_rival():
    first = [passed("bound auc", "auc 0.8000 is at least 0.75"), passed("baseline", "fine")]
    assert first_reason(first, measured(0.8), Gate()) == "auc 0.8000 is at least 0.75, the first champion"
    second = [*first, passed("champion", "auc is better")]
    assert first_reason(second, measured(0.8), Gate()) == "auc 0.8000 is at least 0.75; auc is better"


def test_a_model_behind_a_baseline_is_not_promoted_silently():
    metrics = measured(0.8, baseline=0.81, network={"auc": Estimate(0.9)})
    reason = first_reason([passed("bound auc", "fine")], metrics, Gate())
    assert reason == "fine, the first champion; note that baseline hist_gradient_boosting reaches 0.8100"


def test_a_long_reason_does_not_flood_and_keeps_the_way_out():
    check = replace(
        incomparable(3, f"columns are missing: {', '.join(map(str, range(1000)))}"), next="do this"
    )
    assert check.text.startswith("it cannot be compared with champion version 3: columns are missing: 0, 1")
    assert check.text.endswith("…")
    others = [Check(f"slice {number}", False, "low") for number in range(100)]
    reason = first_reason([check, *others], measured(0.8), Gate())
    assert len(reason) == 400
    assert reason.endswith("…; do this")


def test_the_same_model_is_no_reason_to_refuse():
    assert texts([same_model(3)]) == [
        (True, "it is the same model as champion version 3, so nothing changes")
    ]


def test_a_difference_reads_the_same_from_both_sides():
    assert above(Estimate(0.0123, -0.001, 0.024), "auc") == "0.0123 [-0.0010, 0.0240] above"
    assert above(Estimate(-0.0123, -0.024, 0.001), "auc") == "0.0123 [-0.0010, 0.0240] below"
    assert above(Estimate(0.0, 0.0, 0.0), "auc") == "0.0000 [0.0000, 0.0000] above"
    # Shares are per cent, and what lies between them points.
    said = above(Estimate(0.0123, -0.001, 0.024), "mape")
    assert said == "1.23 points [-0.10 points, 2.40 points] below"


def test_a_share_and_its_bound_are_in_per_cent():
    figures = {"mape": Estimate(0.1225, 0.1189, 0.1268)}
    gate = Gate(metric="mape", at_least=None, at_most=0.125)
    (check,) = check_bounds(replace(measured(0.8), test={"model": figures}), gate)
    assert check.text == "mape 12.25 % [11.89 %, 12.68 %] reaches above the declared 12.5 %"
    assert check.limit == 0.125
