import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    recall_score,
    roc_auc_score,
    root_mean_squared_error,
)

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation import slices as module
from lepton_pipeline.evaluation.slices import Gap, Slice, Slices, flagged_gaps, measure_slices, slice_rows
from lepton_pipeline.parameters import Dataset, Evaluation
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.statistics.intervals import normal_deviate, wilson
from lepton_pipeline.system.records import from_plain, to_plain
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

BINARY = Target(Binary())
QUICK = Evaluation(resamples=100)
METRICS = {
    "auc",
    "f1",
    "average_precision",
    "base_rate",
    "selection_rate",
    "recall",
    "false_positive_rate",
    "calibration_in_the_large",
    "ece",
}


def make_scores(rows, seed, rate=0.2):
    """Test rows whose labels are drawn from the model's probabilities, so that it is perfectly calibrated."""
    random = np.random.default_rng(seed)
    model = random.beta(1, 1 / rate - 1, rows)
    return pd.DataFrame(
        {"part": "test", "label": (random.random(rows) < model).astype(np.int8), "model": model}
    )


def make_labels(seed, index, levels=(2, 3, 8)):
    random = np.random.default_rng(seed + 10_000)
    columns = {f"of_{count}": random.integers(0, count, len(index)).astype(str) for count in levels}
    return pd.DataFrame(columns, index=index).astype("category")


def measured(threshold):
    return Metrics(threshold, {"model": threshold}, {}, 100, {"model": {}})


def measure(scores, labels, sensitive=(), threshold=0.3):
    dataset = Dataset(target="y", positive=1, sensitive=list(sensitive))
    return to_plain(measure_slices(scores, BINARY, measured(threshold), labels, dataset, QUICK))


def flagged(found):
    return [
        (each["column"], each["value"], metric)
        for each in found["slices"]
        for metric, gap in each["gaps"].items()
        if gap["flagged"]
    ]


def test_a_slice_is_measured_as_its_rows_alone():
    scores = make_scores(1000, 0)
    found = measure(scores, make_labels(0, scores.index), sensitive=["of_2"])
    assert found["columns"] == ["of_2", "of_3", "of_8"]
    first = found["slices"][0]
    rows = scores[make_labels(0, scores.index)["of_2"] == "0"]
    called = rows["model"] >= 0.3
    values = {metric: figure["value"] for metric, figure in first["metrics"].items()}
    assert set(values) == METRICS
    assert (first["column"], first["value"], first["rows"], first["positives"]) == (
        "of_2",
        "0",
        len(rows),
        rows["label"].sum(),
    )
    assert values["auc"] == pytest.approx(roc_auc_score(rows["label"], rows["model"]))
    assert values["f1"] == pytest.approx(f1_score(rows["label"], called))
    assert values["recall"] == pytest.approx(recall_score(rows["label"], called))
    assert values["false_positive_rate"] == pytest.approx(called[rows["label"] == 0].mean())
    assert values["selection_rate"] == pytest.approx(called.mean())
    assert values["base_rate"] == pytest.approx(rows["label"].mean())
    assert values["calibration_in_the_large"] == pytest.approx(rows["model"].mean() - rows["label"].mean())
    for metric, figure in first["metrics"].items():
        assert figure["low"] < figure["high"], metric
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_gap_is_that_to_all_other_rows():
    scores = make_scores(1000, 1)
    labels = make_labels(1, scores.index)
    gap = measure(scores, labels)["slices"][3]["gaps"]["recall"]
    positives = scores[scores["label"] == 1]
    inside = (labels.loc[positives.index, "of_3"] == "1").to_numpy()
    called = (positives["model"] >= 0.3).to_numpy()
    assert gap["value"] == pytest.approx(called[inside].mean() - called[~inside].mean())


def test_selection_is_compared_for_sensitive_columns_only():
    scores = make_scores(1000, 2)
    found = measure(scores, make_labels(2, scores.index), sensitive=["of_3"])
    compared = {
        each["column"]: (each["sensitive"], "selection_rate" in each["gaps"]) for each in found["slices"]
    }
    assert compared == {"of_2": (False, False), "of_3": (True, True), "of_8": (False, False)}
    # Two slices are one comparison: 4 + 3 * 5 + 8 * 4.
    assert found["comparisons"] == 51


@pytest.mark.parametrize(
    ("rows", "rate", "threshold", "levels"), [(1200, 0.2, 0.3, (2, 3, 8)), (1500, 0.03, 0.1, (2, 3, 4))]
)
def test_without_gaps_hardly_ever_one_is_flagged(monkeypatch, rows, rate, threshold, levels, exhaustive):
    # Figures of a slice alone, which no gap is made of, would only cost time.
    monkeypatch.setattr(module, "_metrics", lambda rows, evaluation, level: {})
    runs, false = 120 if exhaustive else 60, 0
    for seed in range(runs):
        scores = make_scores(rows, seed, rate)
        found = measure(scores, make_labels(seed, scores.index, levels), ["of_3"], threshold)
        false += bool(flagged(found))
    # Of the whole family of up to 51 comparisons; as many as chance leaves at a true rate of 5 %.
    assert false <= binom.ppf(0.95, runs, 0.05)


def test_uncorrected_intervals_would_flag_gaps_that_are_none(monkeypatch):
    monkeypatch.setattr(module, "_metrics", lambda rows, evaluation, level: {})
    monkeypatch.setattr(module, "_count_comparisons", lambda pairs: 1)
    frames = [make_scores(1200, seed) for seed in range(10)]
    assert sum(bool(flagged(measure(scores, make_labels(1, scores.index)))) for scores in frames) >= 5


def test_a_real_gap_is_flagged():
    scores = make_scores(4000, 3)
    labels = make_labels(3, scores.index)
    # For one of eight the order of scores says nothing any more.
    worse = labels["of_8"] == "5"
    random = np.random.default_rng(0)
    scores.loc[worse, "model"] = random.permutation(scores.loc[worse, "model"])
    found = measure(scores, labels)
    assert ("of_8", "5", "auc") in flagged(found)
    assert {each[:2] for each in flagged(found)} == {("of_8", "5")}


def test_groups_that_are_selected_unequally_are_flagged():
    scores = make_scores(3000, 4)
    labels = make_labels(4, scores.index)
    favoured = labels["of_2"] == "1"
    scores["model"] = np.clip(scores["model"] + 0.15 * favoured, 0, 1)
    told = flagged(measure(scores, labels, sensitive=["of_2"]))
    assert ("of_2", "1", "selection_rate") in told
    assert ("of_2", "1", "calibration_in_the_large") in told


def test_small_slices_are_said_to_be_small_and_never_flagged():
    scores = make_scores(1000, 5).astype({"label": "int64"})
    scores.loc[:39, "label"] = np.arange(40) % 2
    # All wrong: every positive of the forty scores below every negative.
    scores.loc[:39, "model"] = 0.9 - 0.8 * scores.loc[:39, "label"]
    labels = pd.DataFrame({"x": np.where(scores.index < 40, "few", "many")}).astype("category")
    few, many = measure(scores, labels)["slices"]
    assert (few["small"], many["small"]) == (True, False)
    assert few["metrics"]["auc"]["value"] == 0
    assert few["gaps"]["auc"]["high"] < 0
    assert not any(gap["flagged"] for gap in [*few["gaps"].values(), *many["gaps"].values()])


def test_metrics_that_need_a_class_are_null_where_it_is_rare():
    scores = make_scores(600, 6).astype({"label": "int64"})
    labels = pd.DataFrame({"x": np.where(scores.index < 100, "rare", "rest")}).astype("category")
    scores.loc[:99, "label"] = 0
    scores.loc[:8, "label"] = 1
    rare = measure(scores, labels)["slices"][0]
    assert rare["small"]
    known = {metric for metric, figure in rare["metrics"].items() if figure is not None}
    assert known == {"base_rate", "selection_rate", "false_positive_rate"}
    assert set(rare["gaps"]) == {"false_positive_rate"}


def test_the_floor_of_a_slice_is_corrected_for_the_number_of_slices():
    scores = make_scores(3000, 10)
    alone = measure(scores, pd.DataFrame({"x": ["all"] * 3000}).astype("category"))["slices"][0]["metrics"]
    for metric in ("auc", "f1", "average_precision"):
        assert alone[metric]["floor_low"] == pytest.approx(alone[metric]["low"])
    labels = make_labels(10, scores.index)
    for each in measure(scores, labels)["slices"]:
        for metric in ("auc", "f1", "average_precision"):
            figure = each["metrics"][metric]
            assert 0 < figure["floor_low"] < figure["low"]
        # 13 slices: the deviate of 1 - 0.05 / 13 is 2.89.
        f1 = each["metrics"]["f1"]
        assert f1["value"] - f1["floor_low"] == pytest.approx(
            2.890 / 1.960 * (f1["value"] - f1["low"]), rel=1e-3
        )


def test_rows_of_a_group_widen_the_intervals_of_a_slice_unless_it_is_that_group():
    scores = make_scores(400, 11)
    repeated = pd.concat([scores] * 5, ignore_index=True)
    labels = pd.DataFrame({"x": np.where(np.arange(2000) % 400 < 200, "a", "b")}).astype("category")
    units = pd.DataFrame({"group": np.arange(2000) % 400})
    metrics, dataset = measured(0.3), Dataset(target="y", positive=1)

    def width(found, metric):
        return found["slices"][0]["metrics"][metric]["high"] - found["slices"][0]["metrics"][metric]["low"]

    by_row, by_group = (
        to_plain(measure_slices(repeated, BINARY, metrics, labels, dataset, QUICK, each))
        for each in (None, units)
    )
    for metric in ("auc", "f1", "selection_rate", "recall", "calibration_in_the_large"):
        assert width(by_group, metric) == pytest.approx(width(by_row, metric) * np.sqrt(5), rel=0.3), metric
    same = pd.DataFrame({"group": np.arange(2000) % 400 < 200}).astype(int)
    of_group = to_plain(measure_slices(repeated, BINARY, metrics, labels, dataset, QUICK, same))["slices"][0][
        "metrics"
    ]
    assert of_group["auc"] == by_row["slices"][0]["metrics"]["auc"]


def test_one_slice_has_nothing_to_be_compared_with():
    scores = make_scores(200, 7)
    found = measure(scores, pd.DataFrame({"x": ["all"] * 200}).astype("category"))
    assert found["comparisons"] == 0
    assert found["slices"][0]["gaps"] == {}


def test_without_columns_there_are_no_slices(tmp_path):
    scores = make_scores(200, 8)
    # A file of no columns does not keep how many rows it had.
    pd.DataFrame(index=scores.index).to_parquet(tmp_path / "labels.parquet")
    found = measure(scores, pd.read_parquet(tmp_path / "labels.parquet"))
    assert found == {"columns": [], "comparisons": 0, "slices": []}


def test_validation_rows_are_not_measured():
    scores = make_scores(400, 9)
    labels = make_labels(9, scores.index, levels=(2,))
    other = scores.assign(part="validation", label=0).set_index(scores.index + 1000)
    assert measure(pd.concat([other, scores]), labels) == measure(scores, labels)


def make_classes(rows, seed):
    """Test rows of three classes, drawn from the model's probabilities."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([1.5, 1, 0.5], rows)
    classes = (random.random(rows)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)
    task = Multiclass(["a", "b", "c"])
    return Target(task), pd.DataFrame(
        {"part": "test", "label": classes, **task.columns("model", probabilities)}
    )


def make_numbers(rows, seed):
    """Test rows whose errors are skewed, with intervals that hold two thirds of them."""
    random = np.random.default_rng(seed)
    predicted, task = random.normal(size=rows), Regression()
    scores = np.column_stack([predicted, predicted - 0.8, predicted + 0.8])
    truth = predicted + random.gamma(4, size=rows) / 2 - 2
    return Target(task), pd.DataFrame({"part": "test", "label": truth, **task.columns("model", scores)})


def measure_task(made, labels, units=None):
    target, scores = made
    metrics, dataset = Metrics(None, {"model": None}, {}, 100, {}), Dataset(target="y", positive=1)
    return measure_slices(scores, target, metrics, labels, dataset, QUICK, units)


@pytest.mark.parametrize("make", [make_classes, make_numbers])
def test_slices_of_other_tasks_are_measured_as_their_rows_alone(make):
    target, scores = made = make(900, 20)
    labels = make_labels(20, scores.index)
    found = measure_task(made, labels)
    rows = scores[labels["of_3"] == "1"]
    each = found.slices[3]
    assert (each.value, each.rows, each.positives, each.small) == ("1", len(rows), None, False)
    model, truth = target.task.scores(rows, "model"), rows["label"]
    if make is make_classes:
        decided = model.argmax(axis=1)
        expected = {
            "accuracy": accuracy_score(truth, decided),
            "log_loss": log_loss(truth, model),
            "macro_f1": f1_score(truth, decided, labels=np.unique(truth), average="macro"),
        }
    else:
        expected = {
            "mae": mean_absolute_error(truth, model[:, 0]),
            "rmse": root_mean_squared_error(truth, model[:, 0]),
            "bias": (model[:, 0] - truth).mean(),
            "coverage": ((model[:, 1] <= truth) & (truth <= model[:, 2])).mean(),
        }
    assert {metric: figure.value for metric, figure in each.metrics.items()} == pytest.approx(expected)
    assert all(figure.low < figure.value < figure.high for figure in each.metrics.values())
    assert from_plain(Slices, to_plain(found)) == found


@pytest.mark.parametrize(("make", "share"), [(make_classes, "accuracy"), (make_numbers, "coverage")])
def test_shares_of_other_tasks_have_wilson_intervals(make, share):
    made = make(300, 21)
    figure = measure_task(made, one_slice(300)).slices[0].metrics[share]
    assert (figure.low, figure.high) == pytest.approx(wilson(figure.value, 300, normal_deviate(0.95))[1:])


def test_gaps_of_other_tasks_are_flagged_where_a_slice_is_worse():
    for make, metrics in (
        (make_classes, {"accuracy", "log_loss"}),
        (make_numbers, {"mae", "bias", "coverage"}),
    ):
        target, scores = make(2000, 22)
        labels = make_labels(22, scores.index)
        assert flagged(to_plain(measure_task((target, scores), labels))) == []
        worse = labels["of_8"] == "5"
        # Another class than the likeliest; a prediction that is too high.
        wrong = scores.loc[worse, "label"] + 1
        scores.loc[worse, "label"] = wrong % 3 if make is make_classes else wrong - 3
        found = measure_task((target, scores), labels)
        assert set(found.slices[0].gaps) == metrics
        # The others are flagged, too, as they are compared with rows that hold these.
        assert {("of_8", "5", metric) for metric in metrics} <= set(flagged(to_plain(found)))
        # Two slices are one comparison: (1 + 3 + 8) times the metrics.
        assert found.comparisons == 12 * len(metrics)


@pytest.mark.parametrize("make", [make_classes, make_numbers])
def test_without_gaps_other_tasks_hardly_ever_flag_one(monkeypatch, make, exhaustive):
    monkeypatch.setattr(module, "_metrics", lambda rows, evaluation, level: {})
    runs, false = 100 if exhaustive else 30, 0
    for seed in range(runs):
        made = make(1200, seed)
        false += bool(flagged(to_plain(measure_task(made, make_labels(seed, made[1].index)))))
    assert false <= binom.ppf(0.95, runs, 0.05)


def test_the_end_that_a_gate_holds_to_a_bound_is_corrected():
    higher, lower = {"accuracy", "macro_f1"}, {"log_loss", "mae", "rmse"}
    for make in (make_classes, make_numbers):
        made = make(2000, 23)
        for each in measure_task(made, make_labels(23, made[1].index)).slices:
            for metric, figure in each.metrics.items():
                assert (figure.floor_low is not None) == (metric in higher)
                assert (figure.floor_high is not None) == (metric in lower)
                assert figure.floor_low is None or 0 < figure.floor_low < figure.low
                assert figure.floor_high is None or figure.high < figure.floor_high
        rmse = each.metrics.get("rmse")
    assert rmse.floor_high - rmse.value == pytest.approx(2.890 / 1.960 * (rmse.high - rmse.value), rel=1e-3)


def test_rows_of_a_group_widen_the_intervals_of_means():
    target, scores = make_numbers(300, 24)
    repeated = target, pd.concat([scores] * 5, ignore_index=True)
    units = pd.DataFrame({"group": np.arange(1500) % 300})
    by_row, by_group = (measure_task(repeated, one_slice(1500), each).slices[0] for each in (None, units))
    for metric in ("mae", "bias", "coverage", "rmse"):
        one, other = (each.metrics[metric] for each in (by_row, by_group))
        assert other.high - other.low == pytest.approx((one.high - one.low) * np.sqrt(5), rel=0.3), metric


def test_a_slice_of_one_class_or_few_rows_is_small():
    target, scores = make_classes(600, 25)
    few, one = np.arange(600) < 40, np.arange(600) >= 450
    scores.loc[one, "label"] = 0
    labels = pd.DataFrame({"x": np.select([few, one], ["few", "one"], "rest")}).astype("category")
    found = {each.value: each for each in measure_task((target, scores), labels).slices}
    assert {value: each.small for value, each in found.items()} == {"few": True, "one": True, "rest": False}
    assert found["one"].metrics["accuracy"].low is not None
    assert found["one"].metrics["macro_f1"] is None
    assert not any(gap.flagged for each in found.values() for gap in each.gaps.values())


def one_slice(rows):
    return pd.DataFrame({"x": ["all"] * rows}).astype("category")


def name(values, **roles):
    """Slices of one column, by name the values in each."""
    column = pd.Series(values)
    table = pd.DataFrame({"x": column})
    split = pd.DataFrame({"part": "test"}, index=table.index)
    labels = slice_rows(table, split, Dataset(target="y", positive=1, **roles), Evaluation(slices=["x"]))["x"]
    return {value: column[labels == value].tolist() for value in labels.cat.categories}


def test_numbers_fall_into_quarters_named_by_their_ends():
    slices = name([1000 * row for row in range(1, 13)])
    assert slices == {
        "1,000 to 3,000": [1000, 2000, 3000],
        "4,000 to 6,000": [4000, 5000, 6000],
        "7,000 to 9,000": [7000, 8000, 9000],
        "10,000 to 12,000": [10000, 11000, 12000],
    }


def test_a_value_that_many_rows_share_stands_in_one_slice():
    slices = name([0] * 30 + list(range(1, 11)))
    assert list(slices) == ["0", "1 to 10"]
    assert len(slices["0"]) == 30


def test_fractions_are_shown_with_as_many_digits_as_tell_them_apart():
    assert list(name(np.linspace(0.01, 0.2, 20))) == [
        "0.01 to 0.05",
        "0.06 to 0.1",
        "0.11 to 0.15",
        "0.16 to 0.2",
    ]
    # Rounded, all quarters would have one name.
    assert len(name(1 + np.arange(20) / 1e9)) == 4


def test_few_numbers_are_categories_in_their_order():
    assert list(name([10, 9, 9, 10, 1])) == ["1", "9", "10"]
    assert list(name([1.0, 0.0, np.nan])) == ["0", "1", "(missing)"]
    assert list(name(range(9), categorical=["x"])) == [str(value) for value in range(9)]


def test_codes_of_a_categorical_column_keep_their_digits_and_have_no_separators():
    assert list(name([98103, 98042], categorical=["x"])) == ["98042", "98103"]
    assert list(name([1234567.0, np.nan, 0.5], categorical=["x"])) == ["0.5", "1234567", "(missing)"]
    assert list(name([1250, 1251])) == ["1,250", "1,251"]


def test_missing_values_are_a_slice_of_their_own():
    slices = name(["b", None, "a"])
    assert list(slices) == ["a", "b", "(missing)"]
    assert len(slices["(missing)"]) == 1
    assert list(name([None, None])) == ["(missing)"]


def test_of_many_categories_the_largest_stand_alone():
    values = [letter for size, letter in enumerate("abcdefghijkl", start=1) for _ in range(size)]
    slices = name(values)
    assert list(slices) == [*"lkjihgfe", "(4 others)"]
    assert set(slices["(4 others)"]) == set("abcd")
    assert list(name(list("abcdefghi"))) == list("abcdefghi")


def test_truth_values_and_mixed_values_are_categories():
    assert list(name([True, False, True])) == ["False", "True"]
    assert list(name(pd.Series([1, "a", 2.5], dtype="object"))) == ["1", "2.5", "a"]


def test_labels_name_values_in_the_order_of_these():
    column = pd.Series([3.0, 1.0, 2.0, 1.0, np.nan, 4.0])
    labels = {1: "men", "2": "women", 3: "2"}
    table = pd.DataFrame({"x": column})
    split = pd.DataFrame({"part": "test"}, index=table.index)
    dataset = Dataset(target="y", positive=1, labels={"x": labels})
    named = slice_rows(table, split, dataset, Evaluation(slices=["x"]))["x"]
    assert list(named.cat.categories) == ["men", "women", "2", "4", "(missing)"]
    assert named.tolist() == ["2", "men", "women", "men", "(missing)", "4"]


def test_a_label_that_is_another_value_hides_no_slice():
    table = pd.DataFrame({"x": [1, 2, 2]})
    split = pd.DataFrame({"part": "test"}, index=table.index)
    dataset = Dataset(target="y", positive=1, labels={"x": {1: "2"}})
    assert slice_rows(table, split, dataset, Evaluation(slices=["x"]))["x"].nunique() == 2


def test_many_numbers_with_labels_are_categories_too():
    table = pd.DataFrame({"x": np.arange(12)})
    split = pd.DataFrame({"part": "test"}, index=table.index)
    dataset = Dataset(target="y", positive=1, labels={"x": {0: "none", 11: "all"}})
    named = slice_rows(table, split, dataset, Evaluation(slices=["x"]))["x"]
    assert "(4 others)" in list(named.cat.categories)


@pytest.mark.parametrize("zone", [None, "Europe/Oslo"])
def test_dates_fall_into_quarters(zone):
    days = pd.date_range("2024-01-01", periods=12, tz=zone)
    assert next(iter(name(days))) == "2024-01-01 to 2024-01-03"
    assert list(name(days + pd.Timedelta("6h")))[-1] == "2024-01-10 06:00 to 2024-01-12 06:00"
    assert list(name(days[:2])) == ["2024-01-01", "2024-01-02"]


def test_only_test_rows_are_named_by_every_sensitive_and_every_declared_column(tmp_path):
    table = pd.DataFrame({"sex": ["f", "m", "f"], "age": [30, 40, 50], "y": [0, 1, 0]}, index=[4, 6, 8])
    split = pd.DataFrame({"part": ["test", "train", "test"]}, index=table.index)
    dataset = Dataset(target="y", positive=1, sensitive=["sex"])
    labels = slice_rows(table, split, dataset, Evaluation(slices=["age", "sex"]))
    assert labels.astype(str).to_dict("index") == {4: {"sex": "f", "age": "30"}, 8: {"sex": "f", "age": "50"}}
    labels.to_parquet(tmp_path / "labels.parquet")
    back = pd.read_parquet(tmp_path / "labels.parquet")
    assert list(back["age"].cat.categories) == ["30", "50"]


def test_without_columns_there_is_nothing_to_name():
    table, split = pd.DataFrame({"y": [0, 1]}), pd.DataFrame({"part": ["test"] * 2})
    assert slice_rows(table, split, Dataset(target="y", positive=1), Evaluation()).shape == (2, 0)


def test_a_column_that_is_absent_is_named():
    table = pd.DataFrame({"city": ["a"], "y": [1]})
    split = pd.DataFrame({"part": ["test"]})
    with pytest.raises(
        DataError, match=r"no column 'citi', which evaluation\.slices declares; did you mean 'city'"
    ):
        slice_rows(table, split, Dataset(target="y", positive=1), Evaluation(slices=["citi"]))


def test_gaps_are_ranked_by_the_end_next_to_0_and_two_sides_of_a_column_told_once():
    def of(column, value, **gaps):
        return Slice(column, value, 100, 30, sensitive=False, small=False, metrics={}, gaps=gaps)

    slices = [
        of("sex", "1", auc=Gap(0.2, 0.01, 0.39, flagged=True), recall=Gap(0.1, 0.05, 0.15, flagged=True)),
        of(
            "sex",
            "2",
            auc=Gap(-0.2, -0.39, -0.01, flagged=True),
            recall=Gap(-0.1, -0.15, -0.05, flagged=True),
        ),
        of("town", "Graz", auc=Gap(-0.08, -0.09, -0.07, flagged=True), recall=Gap(0.3, -0.1, 0.7)),
    ]
    told = [(each.column, each.value, metric) for each, metric, _ in flagged_gaps(slices)]
    assert told == [("town", "Graz", "auc"), ("sex", "1", "recall"), ("sex", "1", "auc")]
