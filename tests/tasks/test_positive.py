import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.tasks.positive import positive_labels


@pytest.mark.parametrize(
    ("values", "positive"), [([0, 1, 1], 1), (["no", "yes", "yes"], "yes"), ([False, True, True], True)]
)
def test_the_positive_value_is_one(values, positive):
    labels = positive_labels(pd.DataFrame({"y": values}), Dataset(target="y", positive=positive))
    assert labels.tolist() == [0, 1, 1]
    assert labels.dtype == "int8"


def test_a_missing_target_is_not_positive():
    labels = positive_labels(pd.DataFrame({"y": [1.0, None, 0.0]}), Dataset(target="y", positive=1))
    assert labels.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("values", "positive", "said"),
    [
        ([0, 1], "1", "holds whole numbers, and '1' in quotes is a text; take the quotes off, positive: 1."),
        (
            [0.0, 1.0, None],
            "1",
            "whole numbers, and '1' in quotes is a text; take the quotes off, positive: 1.",
        ),
        (
            [0.0, 0.5],
            "0.50",
            "holds numbers, and '0.50' in quotes is a text; take the quotes off, positive: 0.5.",
        ),
        (
            [False, True],
            "yes",
            "true and false, and 'yes' in quotes is a text; take the quotes off, positive: true.",
        ),
        (
            ["0", "1"],
            1,
            'holds texts, and 1 without quotes is a number; put quotes around it, positive: "1".',
        ),
        (["00", "01"], 1, 'put quotes around it, positive: "01".'),
        (
            ["no", "yes"],
            True,
            "YAML reads yes, no, on and off without quotes as true or false, here as true; put the",
        ),
        (["no", "yes"], False, 'put the text in quotes, positive: "no".'),
        (["FALSE", "TRUE"], True, 'put the text in quotes, positive: "TRUE".'),
        (["No", "Yes "], "yes", "differs from 'Yes ' by case or spaces; write positive: \"Yes \"."),
        (["stays", "churned"], "churn", "did you mean 'churned'? Check dataset.target and dataset.positive."),
        ([1, 2], 3, "Check dataset.target and dataset.positive."),
        ([None, None], "yes", "holds no value at all in 2 rows"),
    ],
)
def test_a_positive_value_that_no_row_has_comes_with_its_remedy(values, positive, said):
    with pytest.raises(DataError) as refused:
        positive_labels(pd.DataFrame({"y": values}), Dataset(target="y", positive=positive))
    assert said in str(refused.value)
    assert f"the positive value {positive!r}" in str(refused.value)


def test_a_target_of_one_value_lacks_the_other_class():
    with pytest.raises(DataError, match=r"holds 'yes' only, the positive value, in 2 rows; .* another value"):
        positive_labels(pd.DataFrame({"y": ["yes", "yes"]}), Dataset(target="y", positive="yes"))


def test_a_third_value_is_shown_with_its_rows():
    rows = pd.DataFrame({"y": ["no"] * 3 + ["yes"] * 2 + ["maybe", None]})
    with pytest.raises(
        DataError,
        match=r"3 different values.*'no' \(3 rows, first row 0\), .* 'maybe' \(1 row, first row 5\)",
    ) as refused:
        positive_labels(rows, Dataset(target="y", positive="yes"))
    assert "declare dataset.positive_when instead, such as y == 'yes'" in str(refused.value)


def test_of_many_values_only_the_most_frequent_are_shown():
    with pytest.raises(DataError, match=r"100 different values.*: 0 \(1 row, first row 0\), .*, …\. Correct"):
        positive_labels(pd.DataFrame({"arr delay": range(100)}), Dataset(target="arr delay", positive=1))


def test_a_condition_decides_for_any_number_of_values():
    rows = pd.DataFrame({"y": ["-", "A", "GK", None, "-"]}, index=[4, 2, 9, 1, 0])
    labels = positive_labels(rows, Dataset(target="y", positive_when="y != '-'"))
    assert labels.dtype == "int8"
    assert labels.to_dict() == {4: 0, 2: 1, 9: 1, 1: 0, 0: 0}


@pytest.mark.parametrize("condition", ["y >= 15", "not y < 15", "not (y < 15 or y < 3)"])
def test_a_missing_target_meets_no_condition(condition):
    labels = positive_labels(
        pd.DataFrame({"y": [20.0, None, 15.0, 3.0]}), Dataset(target="y", positive_when=condition)
    )
    assert labels.tolist() == [1, 0, 1, 0]


def test_a_condition_may_ask_for_a_missing_target():
    labels = positive_labels(
        pd.DataFrame({"y": [20.0, None]}), Dataset(target="y", positive_when="is_missing(y)")
    )
    assert labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        (
            "y > 5",
            r"'y > 5' is true for no row; target 'y' holds 1, 2, and a model needs rows of both classes",
        ),
        ("y > 0", "is true for every row"),
        ("y + 1", r"gives int64 values, not true or false; write a condition, such as y >= 15"),
        ("delay > 1", r"dataset.positive_when: 'delay > 1' reads column 'delay'"),
    ],
)
def test_a_condition_that_divides_nothing_is_explained(condition, problem):
    with pytest.raises(DataError, match=problem):
        positive_labels(pd.DataFrame({"y": [1, 2]}), Dataset(target="y", positive_when=condition))
