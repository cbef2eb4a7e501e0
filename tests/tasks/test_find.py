"""The task of a vertical, and the labels that are known of its rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.parameters import Dataset, Evaluation, Monitoring, Training
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target, base_rate, find_target, known_labels, unread_targets
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

TABLE = pd.DataFrame(
    {
        "day": pd.date_range("2026-01-01", periods=80),
        "kind": ["a", "b", "c", "a"] * 20,
        "price": np.arange(80.0) + 1,
        "bought": ["yes", "no"] * 40,
    }
)
KIND = Dataset(target="kind", classes="all", time="day")
PRICE = Dataset(target="price", task="regression", transform="log", time="day")
BOUGHT = Dataset(target="bought", positive="yes", time="day")


def test_a_target_is_what_is_declared_with_its_classes():
    training = Training(loss="robust", quantiles=True)
    evaluation = Evaluation(coverage=0.8)
    assert find_target(TABLE, BOUGHT, training, evaluation) == Target(Binary())
    kinds = find_target(TABLE, KIND, training, evaluation)
    assert kinds == Target(Multiclass(["a", "b", "c"]), {"a": 40, "b": 20, "c": 20})
    price = find_target(TABLE, PRICE, training, evaluation)
    assert price == Target(Regression("log", robust=True, quantiles=True, coverage=0.8))


def test_a_class_that_no_row_has_counts_none():
    declared = Dataset(target="kind", classes=["a", "b", "c", "d"], rare_classes="group")
    found = find_target(TABLE, declared, Training(), Evaluation())
    assert found.rows == {"a": 40, "b": 20, "c": 20, "(rare)": 0}


@pytest.mark.parametrize(
    ("dataset", "expected"), [(KIND, [0, 1, 2, 0]), (PRICE, [1, 2, 3, 4]), (BOUGHT, [1, 0, 1, 0])]
)
def test_labels_are_known_when_their_delay_is_over(dataset, expected):
    late = dataset.model_copy(update={"label_delay": "10d", "present": "2026-03-21"})
    labels = known_labels(TABLE, late)
    assert labels.dtype == np.float64
    assert labels[:4].tolist() == expected
    assert labels.notna().sum() == 70
    assert labels[70:].isna().all()
    assert known_labels(TABLE, dataset.model_copy(update={"present": "2025-01-01"})).isna().all()


@pytest.mark.parametrize("dataset", [KIND, PRICE, BOUGHT])
def test_a_missing_target_is_no_known_label(dataset):
    rows = TABLE.assign(**{dataset.target: TABLE[dataset.target].where(TABLE.index != 3)})
    labels = known_labels(rows, dataset)
    assert labels.isna().tolist() == [row == 3 for row in range(80)]


def test_labels_of_new_rows_are_those_of_the_task_that_was_learnt():
    task = Multiclass(["c", "b", "a"])
    assert known_labels(TABLE[:3], KIND, task).tolist() == [2, 1, 0]
    # What the model cannot predict stops nobody.
    new = TABLE[:3].assign(kind=["x", "a", "b"], price=[5.0, 0.0, 7.0])
    assert known_labels(new, KIND, task)[1:].tolist() == [2, 1]
    assert known_labels(new, KIND, task).isna().tolist() == [True, False, False]
    assert known_labels(new, PRICE, Regression("log")).isna().tolist() == [False, True, False]
    assert unread_targets(new, KIND, known_labels(new, KIND, task)).dropna().to_dict() == {0: "x"}
    with pytest.raises(
        DataError, match=r"for another task, multiclass of c, b, a, than regression, which is"
    ):
        known_labels(TABLE, PRICE, task)


def test_only_two_classes_have_a_base_rate():
    assert base_rate(TABLE, BOUGHT) == 0.5
    assert base_rate(TABLE, KIND) is base_rate(TABLE, PRICE) is None
    assert base_rate(TABLE, BOUGHT.model_copy(update={"present": "2025-01-01"})) is None


def test_targets_without_a_base_rate_are_refused_only_after_the_contract():
    kinds, texts = Dataset(target="bought", classes="all"), Dataset(target="kind", task="regression")
    negative = TABLE.assign(price=-TABLE["price"])
    assert base_rate(TABLE, kinds) is base_rate(TABLE, texts) is base_rate(negative, PRICE) is None
    with pytest.raises(DataError, match="2 classes; dataset"):
        find_target(TABLE, kinds, Training(), Evaluation())


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ({"values": {"A": 1}}, "'A' is no class; did you mean 'a'"),
        ({"values": {"a": 1}, "time": "price"}, "'price' holds no dates"),
    ],
)
def test_an_index_that_does_not_fit_stops_before_the_training(index, said):
    declared = Monitoring.model_validate({"index": index})
    with pytest.raises(ConfigurationError, match=said):
        find_target(TABLE, KIND, Training(), Evaluation(), declared)
    fits = Monitoring.model_validate({"index": {"values": {"a": 1}}})
    assert find_target(TABLE, KIND, Training(), Evaluation(), fits).rows["a"] == 40
