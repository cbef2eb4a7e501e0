"""Which classes a target has, and why they cannot be told apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.tasks.classes import HAND_OVER, MOST_CLASSES, RARE, class_texts
from lepton_pipeline.tasks.multiclass import Multiclass

ALL = Dataset(target="y", classes="all")


def table(values, start=0):
    return pd.DataFrame({"y": values}, index=range(start, start + len(values)))


def find(values, dataset=ALL):
    return Multiclass.find(table(values), dataset)


def test_classes_are_in_the_order_of_their_values():
    assert list(find([10, 9, 2] * 10).classes) == ["2", "9", "10"]
    assert list(find(["b", "c", "a", None] * 10).classes) == ["a", "b", "c"]
    assert list(find([1.0, None, 2.0, 3.5] * 10).classes) == ["1", "2", "3.5"]


def test_a_list_decides_about_classes_and_their_order():
    declared = Dataset(target="y", classes=[3, 1, 2])
    assert list(find([1, 2, 3] * 10, declared).classes) == ["3", "1", "2"]
    # Missing values made floats of the column.
    assert list(find([1.0, 2.0, 3.0, None] * 10, declared).classes) == ["3", "1", "2"]


def test_labels_are_the_places_of_their_classes():
    task = Multiclass(["3", "1", "2"])
    labels = task.read(table([1, 2, 3, 3], start=5), ALL)
    assert labels.to_dict() == {5: 1, 6: 2, 7: 0, 8: 0}
    assert labels.dtype == np.int16


def test_names_of_numbers_have_no_needless_decimals_and_missing_ones_stay():
    texts = class_texts(pd.Series([1.0, 2.5, None, 1e6]))
    assert texts.tolist()[:2] == ["1", "2.5"]
    assert texts.isna().tolist() == [False, False, True, False]
    assert class_texts(pd.Series([True, False])).tolist() == ["True", "False"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ["a", "b"] * 10,
            "target 'y' holds a, b in 20 rows, 2 classes; dataset.classes takes 3 to 1,000. Declare "
            "dataset.positive for one class against another, task: regression for a number, or group the "
            "values in a derived column.",
        ),
        (
            list(range(MOST_CLASSES + 1)) * 10,
            "target 'y' holds 0, 1, 2, 3, 4, … in 10,010 rows, 1,001 classes; dataset.classes takes 3 to "
            "1,000. Declare dataset.positive for one class against another, task: regression for a "
            "number, or group the values in a derived column.",
        ),
        (
            ["a", "b", "c"] * 10 + ["d"] * 9 + ["e"] * 2,
            "target 'y': 2 of 5 classes have fewer than 10 rows: 'd' (9 rows), 'e' (2 rows). Bring more "
            "rows, leave these rows out, or declare dataset.rare_classes: group to make one class "
            "'(rare)' of them.",
        ),
    ],
)
def test_classes_that_cannot_be_told_apart_are_refused(values, message):
    with pytest.raises(DataError) as refused:
        find(values)
    assert str(refused.value) == message


def test_a_declared_class_without_rows_is_rare():
    with pytest.raises(DataError, match=r"1 of 3 classes have fewer than 10 rows: 'c' \(0 rows\)"):
        find(["a", "b"] * 10, Dataset(target="y", classes=["a", "b", "c"]))


def test_rare_classes_become_one():
    dataset = Dataset(target="y", classes="all", rare_classes="group")
    values = ["a", "b", "c"] * 10 + ["d"] * 9 + ["e"] * 2
    task = find(values, dataset)
    assert list(task.classes) == ["a", "b", "c", RARE]
    assert task.read(table(values), dataset).value_counts().to_dict() == {0: 10, 1: 10, 2: 10, 3: 11}
    # What no row had before is rare, too.
    assert task.read(table(["a", "new"]), dataset).tolist() == [0, 3]
    assert list(find(["a", "b", "c"] * 10, dataset).classes) == ["a", "b", "c"]


def test_a_value_that_is_no_class_is_named_with_its_row():
    dataset = Dataset(target="y", classes=["red", "green", "blue"])
    with pytest.raises(DataError) as refused:
        find(["red", "green", "blue"] * 10 + ["gren", "x"], dataset)
    assert str(refused.value) == (
        "target 'y' holds 'gren' in row 30 and 1 more rows hold values that are no class "
        "(dataset.classes): did you mean 'green'? add it there, or leave these rows out."
    )
    task = Multiclass(["red", "green", "blue"])
    with pytest.raises(DataError, match="holds 'blu' in row 8 and 0 more rows"):
        task.read(table(["red", "blu"], start=7), dataset)


def test_a_missing_value_is_named_with_its_row():
    task = Multiclass(["a", "b", "c"])
    with pytest.raises(DataError) as refused:
        task.read(table(["a", None, "b", None]), ALL)
    assert str(refused.value) == "target 'y' is missing in 2 rows, first in row 1; leave them out."


def test_rows_are_counted_with_the_rarest_class():
    task = Multiclass(["a", "b", "c"])
    assert task.counted(pd.Series([0, 0, 1])) == "3 rows of 2 of 3 classes, 'b' the rarest with 1"
    assert task.counted(pd.Series([], dtype="int16")) == "0 rows"


def test_every_class_is_learnt_and_two_are_scored():
    task = Multiclass(["a", "b", "c"])
    two, one = pd.Series([0, 2, 2]), pd.Series([1, 1])
    assert task.lacks(two, learnt=True) == "class 'b'"
    assert task.lacks(two, learnt=False) == ""
    assert task.lacks(one, learnt=False) == "a second class"
    assert task.lacks(pd.Series([0, 1, 2]), learnt=True) == ""


def test_what_is_in_use_gets_the_frequencies_of_the_validation_rows():
    task = Multiclass(["a", "b", "c"])
    column = pd.Series(["up", "up", "down", "down", "up", None])
    labels = np.array([0, 0, 1, 2, 1, 2])
    validation = np.array([True, True, True, True, False, False])
    scores = task.in_use(column, labels, validation, "evaluation.baselines.today")
    up, down, other = [3 / 5, 1 / 5, 1 / 5], [1 / 5, 2 / 5, 2 / 5], [1 / 3] * 3
    assert scores == pytest.approx(np.array([up, up, down, down, up, other]))


def test_codes_of_many_digits_stay_apart():
    # A missing value made floats of the column, of which six digits would be one class.
    task = find([1234567.0, 1234568.0, 1234569.0, None] * 10)
    assert list(task.classes) == ["1234567", "1234568", "1234569"]
    assert class_texts(pd.Series([0.1 + 0.2, 0.12345678])).tolist() == ["0.3", "0.12345678"]


def test_values_without_an_order_are_in_that_of_their_texts():
    assert list(find([2, "b", "1"] * 10).classes) == ["1", "2", "b"]


@pytest.mark.parametrize("classes", [["a", "b", "c", "b"], [1, 2, 3, 2.0], [True, "True", "a"]])
def test_a_class_that_is_named_twice_is_refused(classes):
    twice = {"b": "b", 2.0: "2", "a": "True"}[classes[-1]]
    with pytest.raises(ConfigurationError) as refused:
        find(classes * 10, Dataset(target="y", classes=classes))
    assert str(refused.value) == f"dataset.classes: {twice!r} is named twice; keep one."


@pytest.mark.parametrize("name", [RARE, HAND_OVER])
def test_names_that_results_use_are_no_classes(name):
    with pytest.raises(DataError) as refused:
        find(["a", "b", "c", name] * 10)
    assert str(refused.value) == (
        f"target 'y' holds {name!r}, which names something else in results; write that class in another way."
    )


def test_rare_classes_that_leave_less_than_three_are_refused():
    dataset = Dataset(target="y", classes="all", rare_classes="group")
    with pytest.raises(DataError) as refused:
        find(["a"] * 30 + ["b", "c", "d"] * 5, dataset)
    assert str(refused.value) == (
        "target 'y': 3 of 4 classes have fewer than 10 rows; as one class '(rare)' of dataset.rare_classes "
        "they leave a, (rare), and 3 are needed. Bring more rows, or declare dataset.positive."
    )


def test_a_target_without_values_has_no_classes():
    with pytest.raises(DataError, match="target 'y' has a value in none of 5 rows; name another column"):
        find([None] * 5)
