import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation import resampling
from lepton_pipeline.evaluation.metrics import evaluate, rank_rows, resample
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.estimates import Metrics, Rows
from lepton_pipeline.statistics.measures import measure
from lepton_pipeline.system.records import from_json, to_json

MODELS = ["model", "logistic_regression", "hist_gradient_boosting"]
QUICK = Evaluation(resamples=100)


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
    found = evaluate(scores, QUICK)
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
    ranked = rank_rows(rows, "model")
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
    ranked = rank_rows(pd.DataFrame({"label": labels, "model": scores}), "model")
    assert measure(ranked, 0.5, np.ones((1, 20)))["ece"][0] == pytest.approx((lower + upper) / 20)


def test_calibration_bins_keep_ties_together_in_any_row_order():
    rows = pd.DataFrame({"label": [1, 0] * 10, "model": [0.9] * 12 + [0.2] * 8})
    ranked = rank_rows(rows, "model")
    assert ranked.bin_starts.tolist() == [0, 12]
    shuffled = rank_rows(rows.sample(frac=1, random_state=2), "model")
    once = np.ones((1, 20))
    assert measure(ranked, 0.5, once)["ece"] == pytest.approx(measure(shuffled, 0.5, once)["ece"])


def test_equal_scores_have_no_skill():
    found = evaluate(make_scores(rows=400).assign(model=0.3), QUICK).model
    assert found["auc"].low < found["auc"].value == 0.5 < found["auc"].high
    assert found["average_precision"].value == pytest.approx(0.3)
    assert found["ece"].value == pytest.approx(0, abs=1e-12)


def test_certain_scores_have_a_finite_log_loss():
    scores = make_scores()
    found = evaluate(scores.assign(model=1.0 - scores["label"]), QUICK).model
    assert found["auc"].value == 0
    assert found["log_loss"].value == pytest.approx(-np.log(np.finfo(float).eps))


def test_thresholds_come_from_validation_rows_only():
    scores = make_scores()
    test = scores["part"] == "test"
    other = scores.assign(**{model: scores[model].where(~test, 1 - scores[model]) for model in MODELS})
    assert evaluate(other, QUICK).thresholds == evaluate(scores, QUICK).thresholds


def test_metrics_come_from_test_rows_only():
    scores = make_scores()
    test = scores["part"] == "test"
    # Squared scores keep their order, so only the threshold moves with them.
    other = scores.assign(model=scores["model"].where(test, scores["model"] ** 2))
    before, after = evaluate(scores, QUICK).model, evaluate(other, QUICK).model
    assert {**before, "f1": None} == {**after, "f1": None}


def test_result_is_json_and_counts_rows():
    found = evaluate(make_scores(), QUICK)
    assert from_json(Metrics, to_json(found)) == found
    assert found.rows == {"validation": Rows(100, 30), "test": Rows(100, 30)}
    assert found.resamples == 100
    assert found.threshold == found.thresholds["model"]
    assert list(found.test) == MODELS


def test_every_value_lies_in_its_interval():
    for metrics in evaluate(make_scores(rows=1000), QUICK).test.values():
        for name, metric in metrics.items():
            assert metric.low < metric.value < metric.high, name


def test_same_seed_same_intervals_other_seed_other_intervals():
    scores = make_scores()
    assert evaluate(scores, QUICK) == evaluate(scores, QUICK)
    assert evaluate(scores, QUICK) != evaluate(scores, Evaluation(resamples=100, seed=8))


def test_chunks_do_not_change_the_resamples(monkeypatch):
    scores = make_scores()
    whole = evaluate(scores, QUICK)
    monkeypatch.setattr(resampling, "CELLS", 700)
    for model, metrics in evaluate(scores, QUICK).test.items():
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
    evaluate(scores, Evaluation(resamples=200))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All weights at once would take 32 MB in one array, and more than ten such arrays are needed.
    assert peak < 48e6


@pytest.mark.parametrize("part", ["validation", "test"])
def test_refuses_a_part_with_one_class(part):
    scores = make_scores()
    one_class = scores.assign(label=scores["label"].where(scores["part"] != part, 0))
    with pytest.raises(DataError, match=rf"the {part} rows hold 0 positives and 100 negatives"):
        evaluate(one_class, QUICK)


def test_refuses_a_part_without_rows():
    with pytest.raises(DataError, match="the test rows hold 0 positives and 0 negatives"):
        evaluate(make_scores().query("part == 'validation'"), QUICK)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.1])
def test_refuses_scores_that_are_no_probabilities(value):
    scores = make_scores()
    broken = scores.assign(
        logistic_regression=scores["logistic_regression"].where(scores.index != 150, value)
    )
    with pytest.raises(
        DataError, match=r"logistic_regression scored 1 of 200 rows outside \[0, 1\], .* in row 150"
    ):
        evaluate(broken, QUICK)


def test_leaves_its_argument_alone():
    scores = make_scores()
    before = scores.copy()
    evaluate(scores, QUICK)
    pd.testing.assert_frame_equal(scores, before)


def test_what_calibration_changed_is_told_and_is_no_model():
    scores = make_scores()
    found = evaluate(scores.assign(uncalibrated=scores["model"] ** 2), QUICK)
    assert found.test == evaluate(scores, QUICK).test
    test = scores[scores["part"] == "test"]
    expected = by_sklearn(test["label"], test["model"] ** 2, 0.5)
    assert found.uncalibrated["log_loss"] == pytest.approx(expected["log_loss"], rel=1e-12)
    assert found.uncalibrated["ece"] != found.model["ece"].value
    assert evaluate(scores, QUICK).uncalibrated == {}
