import tracemalloc
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation import resampling
from lepton_pipeline.evaluation.metrics import (
    evaluate,
    measure_once,
    paired_differences,
    resample,
    score_rows,
)
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.estimates import Estimate, Metrics, Rows
from lepton_pipeline.statistics.measures import measure, rank
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.calibration import Calibration
from lepton_pipeline.tasks.find import Target

MODELS = ["model", "logistic_regression", "hist_gradient_boosting"]
QUICK = Evaluation(resamples=100)
BINARY = Target(Binary())


def ranked_rows(rows):
    return rank(rows["model"].to_numpy(), rows["label"].to_numpy(np.float64))


def logistic(values):
    return 1 / (1 + np.exp(-values))


def make_scores(rows=200, seed=0, decimals=16):
    """Half validation, half test rows; fewer decimals give more ties."""
    random = np.random.default_rng(seed)
    labels = (np.arange(rows) % 10 < 3).astype(np.int8)
    frame = pd.DataFrame(
        {"part": np.where(np.arange(rows) < rows // 2, "validation", "test"), "label": labels}
    )
    noise = random.normal(size=rows)
    columns = {
        name: np.round(logistic(lift * labels + noise + 0.3 * random.normal(size=rows) - 1), decimals)
        for name, lift in zip(MODELS, (1.2, 1.0, 1.1), strict=True)
    }
    return frame.assign(**columns)


def by_sklearn(labels, scores, threshold):
    return {
        "auc": sklearn_metrics.roc_auc_score(labels, scores),
        "f1": sklearn_metrics.f1_score(labels, scores >= threshold),
        "average_precision": sklearn_metrics.average_precision_score(labels, scores),
        "log_loss": sklearn_metrics.log_loss(labels, scores),
        "brier": sklearn_metrics.brier_score_loss(labels, scores),
    }


@pytest.mark.parametrize("decimals", [0, 1, 2, 16])
def test_values_are_those_of_scikit_learn(decimals):
    scores = make_scores(decimals=decimals)
    found = evaluate(scores, BINARY, QUICK)
    test = scores[scores["part"] == "test"]
    for model in MODELS:
        expected = by_sklearn(test["label"], test[model], found.thresholds[model])
        assert {name: found.test[model][name].value for name in expected} == pytest.approx(
            expected, rel=1e-12
        )


@pytest.mark.parametrize("decimals", [1, 16])
def test_weighted_rows_are_measured_as_repeated_rows(decimals):
    rows = make_scores(rows=60, decimals=decimals)
    random = np.random.default_rng(1)
    weights = random.integers(0, 4, size=(8, 60)).astype(float)
    weights[0, rows["model"].to_numpy().argsort()[-20:]] = 0
    ranked = ranked_rows(rows)
    found = measure(ranked, 0.4, weights)
    for position, weight in enumerate(weights.astype(int)):
        repeated = rows.loc[rows.index.repeat(weight)]
        expected = by_sklearn(repeated["label"], repeated["model"], 0.4)
        assert {name: found[name][position] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_calibration_error_of_a_case_worked_by_hand():
    # Ten bins of two rows. Observed rates are 0.5 in the five lower bins, 1 in the five upper ones.
    scores = np.repeat(np.arange(10) / 10 + 0.05, 2)
    labels = np.array([0, 1] * 5 + [1, 1] * 5)
    lower, upper = np.abs(0.5 - scores[:10]).sum(), (1 - scores[10:]).sum()
    ranked = rank(scores, labels)
    assert measure(ranked, 0.5, np.ones((1, 20)))["ece"][0] == pytest.approx((lower + upper) / 20)


def test_calibration_bins_keep_ties_together_in_any_row_order():
    rows = pd.DataFrame({"label": [1, 0] * 10, "model": [0.9] * 12 + [0.2] * 8})
    ranked = ranked_rows(rows)
    assert ranked.bin_starts.tolist() == [0, 12]
    shuffled = ranked_rows(rows.sample(frac=1, random_state=2))
    once = np.ones((1, 20))
    assert measure(ranked, 0.5, once)["ece"] == pytest.approx(measure(shuffled, 0.5, once)["ece"])


def test_equal_scores_have_no_skill():
    found = evaluate(make_scores(rows=400).assign(model=0.3), BINARY, QUICK).model
    assert found["auc"].low < found["auc"].value == 0.5 < found["auc"].high
    assert found["average_precision"].value == pytest.approx(0.3)
    assert found["ece"].value == pytest.approx(0, abs=1e-12)


def test_certain_scores_have_a_finite_log_loss():
    scores = make_scores()
    found = evaluate(scores.assign(model=1.0 - scores["label"]), BINARY, QUICK).model
    assert found["auc"].value == 0
    assert found["log_loss"].value == pytest.approx(-np.log(np.finfo(float).eps))


def test_thresholds_come_from_validation_rows_only():
    scores = make_scores()
    test = scores["part"] == "test"
    other = scores.assign(**{model: scores[model].where(~test, 1 - scores[model]) for model in MODELS})
    assert evaluate(other, BINARY, QUICK).thresholds == evaluate(scores, BINARY, QUICK).thresholds


def test_metrics_come_from_test_rows_only():
    scores = make_scores()
    test = scores["part"] == "test"
    # Squared scores keep their order, so only the threshold moves with them.
    other = scores.assign(model=scores["model"].where(test, scores["model"] ** 2))
    before, after = evaluate(scores, BINARY, QUICK).model, evaluate(other, BINARY, QUICK).model
    assert {**before, "f1": None} == {**after, "f1": None}


def test_result_is_json_and_counts_rows():
    found = evaluate(make_scores(), BINARY, QUICK)
    assert from_json(Metrics, to_json(found)) == found
    assert found.rows == {"validation": Rows(100, 30), "test": Rows(100, 30)}
    assert found.resamples == 100
    assert found.threshold == found.thresholds["model"]
    assert list(found.test) == MODELS


def test_every_value_lies_in_its_interval():
    for metrics in evaluate(make_scores(rows=1000), BINARY, QUICK).test.values():
        for name, metric in metrics.items():
            assert metric.low < metric.value < metric.high, name


def test_same_seed_same_intervals_other_seed_other_intervals():
    scores = make_scores()
    assert evaluate(scores, BINARY, QUICK) == evaluate(scores, BINARY, QUICK)
    assert evaluate(scores, BINARY, QUICK) != evaluate(scores, BINARY, Evaluation(resamples=100, seed=8))


def test_chunks_do_not_change_the_resamples(monkeypatch):
    scores = make_scores()
    whole = evaluate(scores, BINARY, QUICK)
    monkeypatch.setattr(resampling, "CELLS", 700)
    for model, metrics in evaluate(scores, BINARY, QUICK).test.items():
        for name, metric in metrics.items():
            assert vars(metric) == pytest.approx(vars(whole.test[model][name]), rel=1e-12)


def test_models_are_compared_on_the_same_resamples():
    test = make_scores().query("part == 'test'").assign(hist_gradient_boosting=lambda rows: rows["model"])
    drawn = resample(test, dict.fromkeys(MODELS, 0.4), QUICK, Sample.of(test["label"]))
    for metric, values in drawn["model"].items():
        assert values.shape == (100,)
        np.testing.assert_array_equal(values, drawn["hist_gradient_boosting"][metric])
    # The models share noise, so their difference varies less than it would between independent resamples.
    model, baseline = drawn["model"]["auc"], drawn["logistic_regression"]["auc"]
    assert (model - baseline).std() < 0.7 * np.hypot(model.std(), baseline.std())


def test_memory_does_not_grow_with_the_resamples():
    scores = make_scores(rows=40_000)
    tracemalloc.start()
    evaluate(scores, BINARY, Evaluation(resamples=200))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All weights at once would take 32 MB in one array, and more than ten such arrays are needed.
    assert peak < 48e6


@pytest.mark.parametrize("part", ["validation", "test"])
def test_refuses_a_part_with_one_class(part):
    scores = make_scores()
    one_class = scores.assign(label=scores["label"].where(scores["part"] != part, 0))
    with pytest.raises(
        DataError, match=rf"part '{part}' has 100 rows, 0 of them positive, but measuring needs rows of both"
    ):
        evaluate(one_class, BINARY, QUICK)


def test_refuses_a_part_without_rows():
    with pytest.raises(DataError, match="part 'test' has 0 rows, 0 of them positive, but"):
        evaluate(make_scores().query("part == 'validation'"), BINARY, QUICK)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.1])
def test_refuses_scores_that_are_no_probabilities(value):
    scores = make_scores()
    broken = scores.assign(
        logistic_regression=scores["logistic_regression"].where(scores.index != 150, value)
    )
    with pytest.raises(
        DataError, match=r"logistic_regression scored 1 of 200 rows outside \[0, 1\], .* in row 150"
    ):
        evaluate(broken, BINARY, QUICK)


def test_leaves_its_argument_alone():
    scores = make_scores()
    before = scores.copy()
    evaluate(scores, BINARY, QUICK)
    pd.testing.assert_frame_equal(scores, before)


def test_what_calibration_changed_is_told_and_is_no_model():
    scores = make_scores()
    found = evaluate(scores.assign(uncalibrated=scores["model"] ** 2), BINARY, QUICK)
    assert found.test == evaluate(scores, BINARY, QUICK).test
    test = scores[scores["part"] == "test"]
    expected = by_sklearn(test["label"], test["model"] ** 2, 0.5)
    assert found.uncalibrated["log_loss"] == pytest.approx(expected["log_loss"], rel=1e-12)
    assert found.uncalibrated["ece"] != found.model["ece"].value
    assert evaluate(scores, BINARY, QUICK).uncalibrated == {}


CUTS = {"one": 0.5, "other": 0.5}


def two_models(seed, positives, negatives, strong=1.2, weak=0.9, common=0.6):
    """Rows on which `one` is stronger; scores are normal within each class and correlated across models."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([1, 0], [positives, negatives])
    shared = rng.standard_normal(len(labels)) * np.sqrt(common)
    own = rng.standard_normal((2, len(labels))) * np.sqrt(1 - common)
    scores = [strength * labels + shared + noise for strength, noise in zip((strong, weak), own, strict=True)]
    one, other = (1 / (1 + np.exp(-score)) for score in scores)
    return pd.DataFrame({"label": labels, "one": one, "other": other})


def difference(rows, resamples, groups=None, metric="auc"):
    units = None if groups is None else pd.DataFrame({"group": groups}, index=rows.index)
    sample = Sample.of(rows["label"], units)
    return paired_differences(rows, "one", "other", CUTS, Evaluation(resamples=resamples), sample)[metric]


def compare(rows, cuts=CUTS):
    """All differences of two models of independent rows."""
    return paired_differences(rows, "one", "other", cuts, QUICK, Sample.of(rows["label"]))


def midranks(values):
    """Ranks from 1; tied values share their mean rank."""
    order = np.argsort(values)
    ordered = values[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    ends = np.append(starts[1:], len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((starts + ends + 1) / 2, ends - starts)
    return ranks


def delong(rows):
    """Difference of two correlated AUCs and its standard error.

    DeLong, DeLong and Clarke-Pearson 1988; by midranks: Sun and Xu 2014, "Fast Implementation of DeLong's Algorithm".
    """
    positive = rows["label"].to_numpy() == 1
    m, n = positive.sum(), (~positive).sum()
    aucs, of_positives, of_negatives = [], [], []
    for model in ("one", "other"):
        scores = rows[model].to_numpy()
        everywhere = midranks(scores)
        aucs.append((everywhere[positive].sum() - m * (m + 1) / 2) / (m * n))
        of_positives.append((everywhere[positive] - midranks(scores[positive])) / n)
        of_negatives.append(1 - (everywhere[~positive] - midranks(scores[~positive])) / m)
    covariance = np.cov(of_positives) / m + np.cov(of_negatives) / n
    contrast = np.array([1, -1])
    return aucs[0] - aucs[1], float(np.sqrt(contrast @ covariance @ contrast))


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_agrees_with_delongs(seed):
    rows = two_models(seed, positives=200, negatives=500).round(3)  # with ties
    value, error = delong(rows)
    found = difference(rows, resamples=4000)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.low == pytest.approx(value - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(value + 1.96 * error, abs=0.15 * error)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Binormal scores have a known AUC: the normal distribution function of strength / sqrt(2)."""
    truth = NormalDist().cdf(1.2 / np.sqrt(2)) - NormalDist().cdf(0.9 / np.sqrt(2))
    covered = 0
    for seed in range(200):
        found = difference(two_models(1000 + seed, positives=50, negatives=100), resamples=300)
        covered += found.low <= truth <= found.high
    # Of 200 intervals with a coverage of 95 %, 181 to 198 hold the truth in 99.7 % of such experiments.
    assert 181 <= covered <= 198


def test_pairing_makes_the_interval_narrower_than_the_models_own_intervals():
    rows = two_models(1, 200, 500, common=0.95)
    alone = difference(rows.assign(other=0.5), resamples=500)
    paired = difference(rows, resamples=500)
    assert paired.high - paired.low < (alone.high - alone.low) / 2


def test_a_model_does_not_differ_from_itself():
    rows = two_models(2, 40, 60)
    found = compare(rows.assign(other=rows["one"]))
    assert set(found) == {"auc", "f1", "average_precision", "log_loss", "brier"}
    assert all(each == Estimate(0.0, 0.0, 0.0, True) for each in found.values())


def test_each_model_is_measured_at_its_own_threshold():
    rows = two_models(3, 40, 60)
    cuts = {"one": 0.6, "other": 0.4}
    found = compare(rows, cuts)["f1"].value
    assert (
        found
        == measure_once(Binary(), rows, "one", 0.6)["f1"] - measure_once(Binary(), rows, "other", 0.4)["f1"]
    )


def test_rows_that_stand_several_times_in_a_group_tell_nothing_more():
    rows = two_models(4, 100, 150)
    repeated = pd.concat([rows] * 9, ignore_index=True)
    groups = np.tile(np.arange(len(rows)), 9)
    once, by_row, by_group = (
        difference(rows, 1000),
        difference(repeated, 1000),
        difference(repeated, 1000, groups),
    )
    width = {name: each.high - each.low for name, each in (("1", once), ("row", by_row), ("group", by_group))}
    assert width["group"] == pytest.approx(width["1"], rel=0.15)
    assert width["row"] == pytest.approx(width["1"] / 3, rel=0.15)


def test_where_there_are_too_few_cases_a_difference_has_no_interval():
    rows = two_models(5, 9, 60)
    found = compare(rows)
    assert all(each.low is each.high is None for each in found.values())
    few = compare(two_models(5, 10, 60))
    assert all(each.low <= each.high and each.approximate for each in few.values())


SPLIT = pd.DataFrame(
    {"part": ["train", "test", "validation"], "label": [1, 0, 1], "fold": [0, -1, 1]}, index=[4, 7, 9]
)
ENCODED = pd.DataFrame({"x": [0.1, 0.2, 0.3]}, index=[4, 7, 9])
BASELINES = pd.DataFrame({"logistic_regression": [0.6, 0.5]}, index=[9, 7])
IN_USE = pd.DataFrame(index=BASELINES.index)
PARTS = ("model", "uncalibrated", "network", "boosting")
HELD_OUT = pd.DataFrame({name: [0.7 + place / 100, 0.8] for place, name in enumerate(PARTS)}, index=[9, 4])


@dataclass
class Doubled:
    """Scores twice what it reads."""

    boosting: tuple = ()
    task: Binary = field(default_factory=Binary)
    calibration: Calibration = field(default_factory=Calibration)

    def scores(self, features, scale=None):
        assert scale is None
        return pd.DataFrame(dict.fromkeys(PARTS, 2 * features["x"]))


def test_validation_rows_keep_the_scores_from_before_they_were_learnt_from():
    scores = score_rows(Doubled(), ENCODED, SPLIT, HELD_OUT, BASELINES, IN_USE)
    assert scores.to_dict("index") == {
        7: {"part": "test", "label": 0, "model": 0.4, "logistic_regression": 0.5},
        9: {"part": "validation", "label": 1, "model": 0.7, "logistic_regression": 0.6},
    }


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (Doubled(calibration=Calibration(slope=0.9)), ["model", "uncalibrated"]),
        (Doubled(boosting=(object(),)), ["model", "network"]),
    ],
)
def test_parts_are_shown_where_they_differ_from_the_model(model, columns):
    scores = score_rows(model, ENCODED, SPLIT, HELD_OUT, BASELINES, IN_USE)
    assert list(scores.columns)[: len(columns) + 3] == ["part", "label", *columns, "logistic_regression"]
    assert np.isfinite(scores[columns].to_numpy()).all()


def test_the_boosting_inside_of_a_model_is_its_baseline():
    scores = score_rows(Doubled(boosting=(object(),)), ENCODED, SPLIT, HELD_OUT, BASELINES, IN_USE)
    assert list(scores.columns)[-2:] == ["logistic_regression", "hist_gradient_boosting"]
    # The test row by the part, the validation row by fits that had not learnt from it.
    assert scores["hist_gradient_boosting"].to_dict() == {7: 0.4, 9: 0.73}


def test_a_score_in_use_is_a_model_beside_the_others():
    in_use = pd.DataFrame({"today": [0.3, 0.9]}, index=[7, 9])
    scores = score_rows(Doubled(), ENCODED, SPLIT, HELD_OUT, BASELINES, in_use)
    assert scores["today"].to_dict() == {7: 0.3, 9: 0.9}


@pytest.mark.parametrize("grouped", [False, True])
def test_resamples_of_a_part_of_many_rows_tell_as_much_as_those_of_all(monkeypatch, caplog, grouped):
    scores = make_scores(6000)
    codes = np.arange(6000) // (3 if grouped else 1)
    units = pd.DataFrame({"group": codes}) if grouped else None
    whole = evaluate(scores, BINARY, Evaluation(resamples=400), units=units)
    assert whole.resampled_rows is None
    assert "resampled_rows" not in to_json(whole)
    monkeypatch.setattr(resampling, "MOST_ROWS", 900)
    monkeypatch.setattr(resampling, "FEWEST_DRAWN", 100)
    with caplog.at_level("INFO"):
        part = evaluate(scores, BINARY, Evaluation(resamples=400), units=units)
    assert part.resampled_rows == 900
    assert "a sample of 900 of 3,000 test rows" in caplog.text
    for metric, figure in whole.model.items():
        found = part.model[metric]
        assert found.value == figure.value
        (low, high), (first, last) = figure.ends, found.ends
        assert last - first == pytest.approx(high - low, rel=0.3)
        assert found.low < figure.value < found.high or metric == "ece"
    differences = paired_differences(
        scores[scores["part"] == "test"],
        *MODELS[:2],
        part.thresholds,
        Evaluation(resamples=100),
        Sample.of(scores.loc[scores["part"] == "test", "label"], units),
    )
    assert differences["auc"].low < differences["auc"].value < differences["auc"].high


def test_all_rows_are_drawn_from_where_a_part_would_have_few_cases_or_units(monkeypatch):
    monkeypatch.setattr(resampling, "MOST_ROWS", 2000)
    rare = pd.Series((np.arange(20_000) % 1000 == 0).astype(int))
    assert Sample.of(rare).drawn_from is None
    even = pd.Series(np.arange(20_000) % 2)
    assert Sample.of(even).drawn_from.sum() == 2000
    few = pd.DataFrame({"group": np.arange(20_000) // 20})
    assert Sample.of(even, few).drawn_from is None
