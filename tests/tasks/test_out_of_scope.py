"""Rows of no class: they are not learnt from, and choose when to hand over."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from lepton_pipeline.data.labels import NO_LABEL, OUTSIDE
from lepton_pipeline.errors import ConfigurationError, DataError, SplitError
from lepton_pipeline.parameters import ClassCosts, Dataset, Evaluation, Split, Training, Vertical
from lepton_pipeline.system.records import from_plain, to_plain
from lepton_pipeline.tasks.classes import HAND_OVER
from lepton_pipeline.tasks.find import Target, find_target, known_labels, out_of_scope, unread_targets
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.split import NO_FOLD, split_rows

ROWS = 600
COSTS = ClassCosts(wrong=1.0, hand_over=0.3)
DATASET = Dataset(target="intent", classes="all", out_of_scope=["oos"], time="when", group="who")


def requests(rows=ROWS, seed=0):
    """One request an hour, five of a customer, a fifth of no intent, in no order."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "when": pd.date_range("2026-01-01", periods=rows, freq="h"),
            "who": np.arange(rows) // 5,
            "intent": rng.choice(["bill", "card", "loan", "oos"], rows, p=[0.3, 0.3, 0.2, 0.2]),
            "part": rng.choice(["train", "dev", "test"], rows, p=[0.6, 0.2, 0.2]),
        }
    )
    return table.sample(frac=1, random_state=1)


def divide(table, dataset=DATASET, **declared):
    target = find_target(table, dataset, Training(), Evaluation(class_costs=COSTS))
    return split_rows(table, target, dataset, Split(**declared))


@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"strategy": "time"},
        {"strategy": "time", "gap": "30h"},
        {"strategy": "group"},
        {"strategy": "time_group"},
        {"strategy": "column", "column": "part", "validation": ["dev"], "test": ["test"]},
    ],
    ids=lambda declared: "-".join(map(str, declared.values())) or "stratified",
)
def test_they_have_parts_of_their_own_and_change_nothing_for_others(declared):
    table = requests()
    outside = table["intent"] == "oos"
    dataset = DATASET.model_copy(update={"weight": "count"})
    if declared.get("strategy") == "column":
        dataset = dataset.model_copy(update={"time": None, "group": None})
    table["count"] = np.arange(len(table)) % 3 + 1.0
    split = divide(table, dataset, **declared)
    assert split.index.equals(table.index)
    strangers = split[outside]
    assert {OUTSIDE["validation"], OUTSIDE["test"]} <= set(strangers["part"]) <= set(OUTSIDE.values())
    assert set(strangers["label"]) == {NO_LABEL}
    assert set(strangers["fold"]) == {NO_FOLD}
    assert split["weight"].equals(table["count"])
    alone = divide(table[~outside], dataset.model_copy(update={"out_of_scope": []}), **declared)
    pd.testing.assert_frame_equal(split[~outside], alone)


def test_at_random_the_test_has_its_share():
    strangers = divide(requests(), test=0.25)["part"].value_counts()
    found = strangers[OUTSIDE["test"]] / strangers[[OUTSIDE["test"], OUTSIDE["validation"]]].sum()
    assert found == pytest.approx(0.25, abs=0.005)


def test_in_a_slice_they_are_as_many_as_in_the_table():
    table = requests(2000)
    part = divide(table, rows=800)["part"]
    assert part.isin(["train", "validation", "test"]).sum() == 800
    outside = (table["intent"] == "oos").sum()
    kept = part.isin([OUTSIDE["validation"], OUTSIDE["test"]]).sum()
    assert kept / 800 == pytest.approx(outside / (2000 - outside), abs=0.002)


def test_rows_without_a_weight_may_all_be_out_of_scope():
    table = requests()
    table["count"] = (table["intent"] != "oos").astype(float)
    split = divide(table, DATASET.model_copy(update={"weight": "count"}))
    assert split["weight"].equals(table["count"])


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (
            ["oos", "lone"],
            ConfigurationError,
            r"no row has 'lone' in 'intent'; did you mean 'loan'\? it holds",
        ),
        ([False], ConfigurationError, r"no row has 'False' in 'intent' \(YAML reads a bare yes or no"),
        (["oos", "bill", "card", "loan"], DataError, "all 600 rows are out of scope"),
    ],
)
def test_a_value_that_no_row_has_is_refused(values, error, message):
    with pytest.raises(error, match=message):
        divide(requests(), DATASET.model_copy(update={"out_of_scope": values}))


def test_by_time_none_of_the_test_is_earlier_than_what_chose_the_threshold():
    table = requests()
    part = divide(table, strategy="time")["part"]
    times = {name: table.loc[part == name, "when"] for name in part.unique()}
    assert times[OUTSIDE["validation"]].max() < times["test"].min() <= times[OUTSIDE["test"]].min()


def test_by_group_a_group_is_on_one_side():
    table = requests()
    table.loc[table["who"] < 5, "intent"] = "oos"
    part = divide(table, strategy="group")["part"]
    tested = part.isin(["test", OUTSIDE["test"]])
    assert not set(table.loc[tested, "who"]) & set(table.loc[~tested, "who"])


def test_too_few_of_them_are_said():
    table = requests()
    outside = table.index[table["intent"] == "oos"]
    message = r"of \d+ rows are out of scope \(intent is 'oos'\) in part 'test', but 10 are needed"
    with pytest.raises(SplitError, match=message):
        divide(table.drop(outside[30:]))


def test_later_ones_have_no_label_and_are_not_unread():
    table = requests()
    target = find_target(table, DATASET, Training(), Evaluation(class_costs=COSTS))
    table.iloc[0, table.columns.get_loc("intent")] = "stocks"
    labels = known_labels(table, DATASET, target.task)
    outside = out_of_scope(table, DATASET)
    assert labels[outside].isna().all()
    assert labels[~outside].isna().sum() == 1
    unread = unread_targets(table, DATASET, labels)
    assert unread.dropna().tolist() == ["stocks"]


@pytest.mark.parametrize(
    ("declared", "costs", "message"),
    [
        ({"classes": "all", "out_of_scope": "oos"}, None, "'oos': say what handing a row over costs"),
        ({"classes": "all", "out_of_scope": "oos"}, {"wrong": 1.0}, "say what handing a row over costs"),
        (
            {"classes": "all", "out_of_scope": "oos"},
            {"wrong": 9.0, "hand_over": 0.3, "out_of_scope": 0.2},
            "hand_over: 0.3 must cost less than deciding on a class out of scope, 0.2",
        ),
        ({"classes": ["a", "b", "oos"], "out_of_scope": "oos"}, None, "'oos' is one of classes, too"),
        ({"positive": 1, "out_of_scope": "oos"}, None, "out_of_scope: it has no effect without classes"),
        ({"positive": 1, "replies": {"1": "Yes."}}, None, "replies: it has no effect without classes"),
        ({"classes": "all"}, {"share_out_of_scope": 0.1}, "it has no effect without dataset.out_of_scope"),
    ],
)
def test_what_does_not_go_together_is_refused_before_data_is_read(declared, costs, message):
    with pytest.raises(ValidationError, match=message):
        Vertical.model_validate(
            {"dataset": {"target": "y", **declared}, "evaluation": {"class_costs": costs}}
        )


def drawn(rows, classes, sharp, seed):
    """Probabilities, as sure as `sharp`, that are right as often as they say, and their labels."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.full(classes, 1 / sharp), rows)
    return scores, (scores.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)


@pytest.mark.parametrize("share", [None, 0.02, 0.4])
def test_the_threshold_costs_least_at_the_declared_share(share):
    costs = COSTS.model_copy(update={"share_out_of_scope": share, "out_of_scope": 2.0})
    scores, labels = drawn(2000, 5, 8, seed=0)
    outside, _ = drawn(500, 5, 2, seed=1)
    task = Multiclass(list("abcde"), costs).with_hand_over(scores, labels, outside)
    both = np.concatenate([scores, outside])
    right = np.append(scores.argmax(axis=1) == labels, np.zeros(500, bool))
    price = np.where(right, 0.0, np.append(np.ones(2000), np.full(500, 2.0)))
    part = 0.2 if share is None else share
    counts = np.append(np.full(2000, (1 - part) / 2000), np.full(500, part / 500))

    def cost(threshold):
        return counts @ np.where(both.max(axis=1) < threshold, 0.3, price)

    assert cost(task.answered_from) == pytest.approx(min(map(cost, [*both.max(axis=1), 2.0])))
    counts_of_task = task.shares(np.append(labels, np.full(500, -1)))
    if share is not None:
        assert counts_of_task[2000:].sum() / counts_of_task.sum() == pytest.approx(share)


def test_rows_that_count_for_nothing_have_no_share():
    task = Multiclass(list("abc"), COSTS.model_copy(update={"share_out_of_scope": 0.1}))
    weights = np.array([1.0, 2.0, 0.0])
    assert task.shares(np.array([0, 1, -1]), weights) is weights


def test_more_of_them_raise_the_threshold():
    scores, labels = drawn(2000, 5, 8, seed=0)
    outside, _ = drawn(500, 5, 2, seed=1)

    def chosen(share):
        costs = COSTS.model_copy(update={"share_out_of_scope": share})
        return Multiclass(list("abcde"), costs).with_hand_over(scores, labels, outside).answered_from

    assert chosen(0.01) < chosen(0.2) < chosen(0.6)


def test_below_the_threshold_a_row_is_handed_over_and_has_no_reply():
    task = Multiclass(list("abc"), COSTS, replies={"a": "Aye.", "c": "Sea."}, answered_from=0.5)
    scores = np.array([[0.8, 0.1, 0.1], [0.45, 0.45, 0.1], [0.1, 0.8, 0.1], [0.2, 0.3, 0.5]])
    found = pd.DataFrame(task.predictions(scores, None))
    assert found["decision"].tolist() == ["a", HAND_OVER, "b", "c"]
    assert found["reply"].tolist() == ["Aye.", "", "", "Sea."]
    assert found["probability"].tolist() == [0.8, 0.45, 0.8, 0.5]
    assert list(found) == list(task.prediction_types())


def test_costs_count_them_as_declared():
    task = Multiclass(list("abc"), COSTS.model_copy(update={"out_of_scope": 5.0}), answered_from=0.5)
    scores = np.array([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.4, 0.3, 0.3], [0.8, 0.1, 0.1]])
    found = task.policies(np.array([0, 1, -1, -1]), scores)
    assert {name: costs.tolist() for name, costs in found.items()} == {
        "model": [0.0, 1.0, 0.3, 5.0],
        "likeliest": [0.0, 1.0, 5.0, 5.0],
        "hand_over": [0.3, 0.3, 0.3, 0.3],
    }


def test_a_reply_to_no_class_is_refused():
    dataset = Dataset.model_validate(
        {"target": "intent", "classes": "all", "out_of_scope": "oos", "replies": {True: "Yes."}}
    )
    with pytest.raises(ConfigurationError, match=r"dataset.replies: 'True' is no class; .*there are bill"):
        find_target(requests(), dataset, Training(), Evaluation())


def test_a_version_keeps_threshold_and_replies():
    task = Multiclass(list("abc"), COSTS, replies={"a": "Aye."}, answered_from=0.5)
    stored = json.loads(json.dumps(to_plain(Target(task))))
    assert from_plain(Target, stored, "a model").task == task
    # Models of an earlier release say nothing of both.
    for name in ("replies", "answered_from"):
        del stored["task"][name]
    assert from_plain(Target, stored, "a model").task == Multiclass(list("abc"), COSTS)
