"""Decisions of least expected cost, where there is no threshold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.evaluation.costs import measure_costs
from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.parameters import ClassCosts, Dataset, ErrorCosts, Evaluation, Vertical
from lepton_pipeline.tasks.classes import HAND_OVER
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

SCORES = np.array([[0.9, 0.05, 0.05], [0.4, 0.35, 0.25], [0.1, 0.45, 0.45], [0.3, 0.3, 0.4]])


def decided(costs: ClassCosts | None) -> list[str]:
    task = Multiclass(["a", "b", "c"], costs)
    return list(task.predictions(SCORES, None)["decision"])


def test_without_costs_the_likeliest_class_is_decided_on():
    assert decided(None) == ["a", "a", "b", "c"]
    assert decided(ClassCosts(wrong=3.0)) == ["a", "a", "b", "c"]


def test_a_case_is_handed_over_where_every_class_would_cost_more():
    # Expected costs of the best class: .1, .6, .55 and .6 of a wrong one.
    assert decided(ClassCosts(wrong=10.0, hand_over=5.8)) == ["a", HAND_OVER, "b", HAND_OVER]


def test_a_class_that_is_dear_to_miss_is_decided_on_earlier():
    # To decide on a costs 30 * .25 where c comes, and 10 * .35 where b does.
    dear = ClassCosts(wrong=10.0, matrix={"c": {"a": 30.0, "b": 30.0}})
    expected = SCORES @ np.array([[0, 10, 10], [10, 0, 10], [30, 30, 0]])
    assert decided(dear) == ["abc"[place] for place in expected.argmin(axis=1)]
    assert decided(dear) == ["a", "c", "c", "c"]


def test_a_matrix_names_classes_that_there_are():
    table = pd.DataFrame({"y": list("abc") * 10})
    with pytest.raises(
        ConfigurationError, match=r"class_costs.matrix: 'aa' is no class; .*there are a, b, c"
    ):
        Multiclass.find(table, Dataset(target="y", classes="all"), ClassCosts(matrix={"aa": {"b": 1.0}}))


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (
            {"c": {"c": 30.0}},
            r"for class 'c' the right decision costs 30, .* 'a' only 10; lower c: {c: 30}",
        ),
        ({"a": {"b": -1.0}}, r"costs 0, and the wrong one 'b' only -1; .* or raise a: {b: -1}"),
    ],
)
def test_a_right_class_dearer_than_a_wrong_one_is_refused(matrix, message):
    table, dataset = pd.DataFrame({"y": list("abc") * 10}), Dataset(target="y", classes="all")
    with pytest.raises(ConfigurationError, match=message):
        Multiclass.find(table, dataset, ClassCosts(wrong=10.0, matrix=matrix))
    Multiclass.find(table, dataset, ClassCosts(wrong=10.0, matrix={"a": {"a": 2.0, "b": 2.0}}))


def test_classes_that_are_numbers_need_no_quotes_in_the_matrix():
    dear = ClassCosts.model_validate({"wrong": 10.0, "matrix": {1: {2: 30.0, 2.5: 30.0}}})
    assert dear.matrix == {"1": {"2": 30.0, "2.5": 30.0}}
    table = pd.DataFrame({"y": [1.0, 2.0, 2.5] * 10})
    assert Multiclass.find(table, Dataset(target="y", classes="all"), dear).costs == dear


def frame(labels: np.ndarray, scores: dict[str, np.ndarray]) -> pd.DataFrame:
    return pd.DataFrame({"part": ["validation", "test"] * (len(labels) // 2), "label": labels, **scores})


def priced(task, labels, scores, evaluation):
    target, found = Target(task), frame(labels, task.columns("model", scores))
    metrics = evaluate(found, target, evaluation)
    return measure_costs(found, target, metrics, pd.DataFrame(index=found.index), evaluation)


def test_classes_have_the_cost_of_a_thousand_cases_and_what_it_saves():
    costs = ClassCosts(wrong=10.0, hand_over=4.0, unit="EUR")
    evaluation = Evaluation(resamples=100, class_costs=costs)
    scores = np.tile([[0.9, 0.05, 0.05], [0.9, 0.05, 0.05], [0.4, 0.35, 0.25], [0.4, 0.35, 0.25]], (50, 1))
    # Each row twice, once in each part: right, then wrong, and handed over.
    labels = np.tile([0, 0, 1, 1], 50)
    found = priced(Multiclass(["a", "b", "c"], costs), labels, scores, evaluation)
    assert (found.declared, found.unit, found.threshold) == (True, "EUR", None)
    assert {name: each.value for name, each in found.policies.items()} == {
        "model": 2000.0,
        "likeliest": 5000.0,
        "hand_over": 4000.0,
    }
    assert {name: each.value for name, each in found.saving.items()} == {
        "likeliest": 3000.0,
        "hand_over": 2000.0,
    }
    low, high = found.saving["likeliest"].ends
    assert 0 < low < 3000 < high


def test_numbers_are_decided_on_at_the_quantile_of_least_cost():
    rng = np.random.default_rng(0)
    outputs, noise = rng.normal(size=4000), rng.normal(size=4000)
    labels = 10 + 2 * (outputs + noise)
    costs = ErrorCosts(under=3.0, over=1.0)
    task = Regression(centre=10.0, spread=2.0, costs=costs).with_intervals(outputs, labels)
    # The .75 quantile of a standard normal.
    assert task.decided == pytest.approx(0.674, abs=0.05)
    scores = task.from_outputs(outputs)
    predictions = pd.DataFrame(task.predictions(scores, None))
    assert list(predictions) == ["prediction", "low", "high", "decision"] == list(task.prediction_types())
    assert (predictions["decision"] - predictions["prediction"]).to_numpy() == pytest.approx(2 * task.decided)
    assert (labels <= predictions["decision"]).mean() == pytest.approx(0.75, abs=0.01)
    found = priced(task, labels, scores, Evaluation(resamples=100, error_costs=costs))
    short = labels[1::2] - predictions["decision"].to_numpy()[1::2]
    assert found.policies["model"].value == pytest.approx(1000 * np.maximum(3 * short, -short).mean())
    assert found.saving["prediction"].ends[0] > 0


def test_a_decision_on_a_logarithm_is_in_the_unit_of_the_target():
    rng = np.random.default_rng(1)
    outputs = rng.normal(size=2000)
    labels = np.exp(outputs + rng.normal(size=2000))
    task = Regression("log", costs=ErrorCosts(under=1.0, over=1.0)).with_intervals(outputs, labels)
    predicted = task.from_outputs(outputs)[:, 0]
    assert task.decide(predicted) == pytest.approx(predicted, rel=0.1)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"classes": "all"}, "evaluation.error_costs: it has no effect in multiclass"),
        ({"positive": 1}, "evaluation.error_costs: it has no effect in binary"),
    ],
)
def test_costs_fit_the_task(declared, message):
    with pytest.raises(ValueError, match=message):
        Vertical.model_validate(
            {
                "dataset": {"target": "y", **declared},
                "evaluation": {"error_costs": {"under": 1.0, "over": 2.0}},
            }
        )


def test_costs_leave_something_to_decide():
    with pytest.raises(ValueError, match="hand_over 0 must cost more than right 0"):
        ClassCosts(hand_over=0.0)
    with pytest.raises(ValueError, match="wrong 1 must cost more than right 2"):
        ClassCosts(right=2.0)
