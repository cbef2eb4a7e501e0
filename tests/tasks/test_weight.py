"""`dataset.weight`: a row of weight 2 counts as two equal rows, in every fit and figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import ConfigurationError, DataError, SplitError
from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.model.baseline import score_baselines
from lepton_pipeline.model.boosting.fit import Targets, boost
from lepton_pipeline.model.boosting.trees import Trees
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import Dataset, Evaluation, Split, Training
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.statistics.thresholds import best_f1_threshold
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.calibration import fit_line
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.tasks.split import row_weights, split_rows

RNG = np.random.default_rng(5)
WEIGHTS = RNG.integers(1, 4, 400).astype(float)
TWICE = np.repeat(np.arange(400), WEIGHTS.astype(int))
LABELS = {
    "binary": (RNG.random(400) < 0.4).astype(int),
    "classes": RNG.integers(0, 3, 400),
    "number": RNG.normal(size=400),
}
TASKS = {"binary": Binary(), "classes": Multiclass(["a", "b", "c"]), "number": Regression()}
TINY = Training(networks=1, members=1, width=8, layers=1, epochs=3, dropout=0.0)


def scores_of(name: str) -> np.ndarray:
    logits = RNG.normal(size=(400, 3))
    if name == "classes":
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return 1 / (1 + np.exp(-logits[:, 0])) if name == "binary" else LABELS[name] + logits[:, 0]


@pytest.mark.parametrize("name", TASKS)
def test_metrics_of_weighted_rows_are_those_of_repeated_rows(name):
    task, scores = TASKS[name], scores_of(name)
    rows = pd.DataFrame({"label": LABELS[name], **task.columns("model", scores)})
    once = pd.concat([rows.assign(part="test"), rows.assign(part="validation")], ignore_index=True)
    counts = np.tile(WEIGHTS, 2)
    evaluation = Evaluation(resamples=100)
    weighted = evaluate(once.assign(weight=counts), Target(task), evaluation)
    repeated = evaluate(once.loc[np.repeat(once.index, counts.astype(int))], Target(task), evaluation)
    assert weighted.threshold == repeated.threshold
    # The bins of the calibration error hold equally many rows, whatever they count.
    for metric in weighted.model.keys() - {"ece"}:
        one, other = weighted.model[metric], repeated.model[metric]
        assert one.value == pytest.approx(other.value), metric
        # Rows are drawn, not their copies: the interval is the wider one.
        assert one.ends[1] - one.ends[0] > other.ends[1] - other.ends[0], metric


def test_a_threshold_counts_rows_by_their_weight():
    labels, scores = np.array([1, 0, 1]), np.array([0.9, 0.6, 0.3])
    assert best_f1_threshold(labels, scores) == pytest.approx(0.15)
    # The false one now outweighs the one behind it.
    assert best_f1_threshold(labels, scores, np.array([1.0, 9.0, 1.0])) == pytest.approx(0.75)


def test_a_line_through_logits_counts_rows_by_their_weight():
    logits, labels = RNG.normal(size=400), LABELS["binary"]
    weighted, repeated = fit_line(logits, labels, WEIGHTS), fit_line(logits[TWICE], labels[TWICE])
    assert (weighted.slope, weighted.intercept) == pytest.approx((repeated.slope, repeated.intercept))


@pytest.mark.parametrize("name", TASKS)
def test_boosting_and_linear_models_count_rows_by_their_weight(name):
    task, columns = (
        TASKS[name],
        pd.DataFrame(RNG.normal(size=(400, 3)), columns=list("xyz")).astype("float32"),
    )
    shift = np.where(np.arange(400) < 200, 0.0, 3.0)
    labels = LABELS[name] if name != "number" else LABELS[name] + shift
    targets = task.targets(labels)
    heavy = np.where(np.arange(400) < 200, 1.0, 1e-9)
    for booster in task.boosters:
        light, _ = boost(columns, Targets(targets, heavy), TINY, trees=5, booster=booster)
        kept, _ = boost(
            columns.iloc[:200], Targets(targets[:200]), TINY, trees=5, booster=booster, learning_rate=0.03
        )
        one, other = (Trees.average([(model, 1)]).baseline for model in (light, kept))
        assert one == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("name", TASKS)
def test_a_model_learns_from_rows_by_their_weight(name):
    columns = pd.DataFrame({"x": np.linspace(-1, 1, 400)}).astype("float32")
    # Two thirds say one thing, and a third, of ten times the weight, another.
    odd = np.arange(400) % 3 == 0
    labels = (
        np.where(odd, 1, 0) if name != "number" else np.where(odd, 4.0, 0.0) + columns["x"].to_numpy() / 10
    )
    if name == "classes":
        labels = np.where(np.arange(400) % 40 == 1, 2, labels)
    part = np.where(np.arange(400) % 5 == 4, "validation", np.where(np.arange(400) % 5 == 3, "test", "train"))
    split = pd.DataFrame({"part": part, "label": labels, "fold": np.int8(-1)})
    weighted = split.assign(weight=np.where(odd, 10.0, 1.0))
    training = TINY.model_copy(update={"epochs": 20, "learning_rate": 0.02})
    means = []
    for rows in (split, weighted):
        model, *_ = train_model(columns, rows, Target(TASKS[name]), training)
        baseline = score_baselines(columns, rows, Target(TASKS[name]), training)
        own = model.predict(columns)
        means.append(
            [
                own.mean() if own.ndim == 1 else own[:, 1 if name == "classes" else 0].mean(),
                baseline[f"{model.task.linear}{': b' * (name == 'classes')}"].mean(),
            ]
        )
    (plain, linear), (heavy, linear_heavy) = means
    assert heavy > plain + 0.2
    assert linear_heavy > linear + 0.2


def test_the_column_is_no_feature_and_stands_beside_the_parts():
    declared = {"dataset": {"target": "y", "positive": 1, "weight": "w"}}
    vertical = read_vertical("shop", declared)
    table = pd.DataFrame({"y": [0, 1] * 50, "w": np.arange(100.0), "x": range(100)})
    split = split_rows(table, Target(Binary()), vertical.dataset, Split())
    assert split["weight"].tolist() == table["w"].tolist()
    assert list(split) == ["part", "label", "fold", "weight"]
    with pytest.raises(ConfigurationError, match="declared as"):
        read_vertical("shop", {"dataset": {**declared["dataset"], "numeric": ["w"], "exclude": ["w"]}})


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -2.0] * 50, r"holds -2.0 in row 1, one of 50 rows without a weight of 0 or more"),
        ([1.0, np.nan] * 50, r"holds nan in row 1, one of 50"),
        ([0.0] * 100, r"is 0 in every row; name another column"),
        (
            [1.0, 1e300] * 50,
            r"holds 1 in row 0 and 1e\+300 in row 1, but weights must lie within .* cap them",
        ),
        ([1e300] * 100, r"holds 1e\+300 in row 0"),
        ([0.0, 3e-5, 1e8] * 33 + [0.0], r"holds 3e-05 in row 1 and 1e\+08 in row 2"),
        (["much"] * 100, r"holds \['much'\], no number"),
    ],
)
def test_weights_are_numbers_of_nought_or_more(weights, message):
    table = pd.DataFrame({"y": [0, 1] * 50, "w": weights})
    with pytest.raises(DataError, match=message):
        split_rows(table, Target(Binary()), Dataset(target="y", positive=1, weight="w"), Split())


def test_weights_of_any_usual_unit_are_taken():
    for unit in (1e-9, 1.0, 1e9):
        weights = pd.DataFrame({"w": unit * np.array([0.0, 1.0, 900.0])})
        assert row_weights(weights, "w").tolist() == weights["w"].tolist()


def test_rows_without_weight_teach_and_test_nothing():
    table = pd.DataFrame({"y": ["a", "b", "c"] * 30, "w": [1.0, 2.0, 0.0] * 30})
    dataset = Dataset(target="y", classes="all", weight="w")
    with pytest.raises(
        SplitError,
        match=r"but needs class 'c' of a w \(dataset.weight\) above 0; give more rows of the rarest class a",
    ):
        split_rows(table, Target(Multiclass(["a", "b", "c"])), dataset, Split())
    table = pd.DataFrame({"y": np.arange(100.0), "t": np.arange(100), "w": [1.0] * 80 + [0.0] * 20})
    dataset = Dataset(target="y", task="regression", time="t", weight="w")
    with pytest.raises(
        SplitError,
        match=r"part 'test' has 0 rows .* needs 10 rows of a w .* above 0; give more rows a weight",
    ):
        split_rows(table, Target(Regression()), dataset, Split(strategy="time"))
