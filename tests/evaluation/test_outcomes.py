import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.outcomes import acting_and_leaving, price_outcomes
from lepton_pipeline.parameters import Costs, Dataset, Evaluation, Vertical

TABLE = pd.DataFrame({"debt": [9.0, 50, 70, 30], "name": list("abcd")}, index=[3, 5, 7, 9])
SPLIT = pd.DataFrame(
    {"part": ["train", "validation", "test", "test"], "label": [1, 1, 0, 1]}, index=[3, 5, 7, 9]
)


def declared(**costs):
    return Evaluation(
        costs=Costs(**({"false_negative": "debt", "false_positive": 5, "true_positive": 2} | costs))
    )


def test_every_row_that_is_decided_about_has_its_own_amounts():
    priced = price_outcomes(TABLE, SPLIT, declared())
    assert priced.to_dict("index") == {
        5: {"false_negative": 50, "false_positive": 5, "true_positive": 2, "true_negative": 0},
        7: {"false_negative": 70, "false_positive": 5, "true_positive": 2, "true_negative": 0},
        9: {"false_negative": 30, "false_positive": 5, "true_positive": 2, "true_negative": 0},
    }


def test_acting_and_leaving_follow_the_label():
    priced = price_outcomes(TABLE, SPLIT, declared(true_negative=-1))
    acting, leaving = acting_and_leaving(SPLIT.loc[[9, 7], "label"], priced)
    assert acting.tolist() == [2, 5]
    assert leaving.tolist() == [30, -1]


def test_without_costs_no_row_has_one():
    priced = price_outcomes(TABLE, SPLIT, Evaluation())
    assert priced.index.tolist() == [5, 7, 9]
    assert priced.columns.empty


def test_a_column_that_is_absent_is_named():
    with pytest.raises(
        DataError, match=r"no column 'dept', which evaluation\.costs\.false_negative declares; did you"
    ):
        price_outcomes(TABLE, SPLIT, declared(false_negative="dept"))


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "missing"), (np.inf, "inf")])
def test_a_row_without_an_amount_is_named(value, shown):
    table = TABLE.assign(debt=TABLE["debt"].where(TABLE.index != 7, value))
    with pytest.raises(
        DataError, match=rf"'debt' has no amount in 1 of 3 validation and test rows, e\.g\. {shown} \(row 7\)"
    ):
        price_outcomes(table, SPLIT, declared())


def test_training_rows_need_no_amount():
    table = TABLE.assign(debt=TABLE["debt"].where(TABLE.index != 3))
    assert len(price_outcomes(table, SPLIT, declared())) == 3


@pytest.mark.parametrize("column", ["name", "debt"])
def test_a_column_that_holds_no_numbers_is_refused(column):
    table = TABLE.assign(debt=TABLE["debt"] > 40)
    with pytest.raises(DataError, match=rf"evaluation\.costs\.false_negative: column '{column}' holds"):
        price_outcomes(table, SPLIT, declared(false_negative=column))


def test_amounts_that_leave_nothing_to_decide_are_refused():
    with pytest.raises(
        DataError, match=r"to act on a positive case never costs less .* the 2 positive .* wrong sign"
    ):
        price_outcomes(TABLE.assign(debt=-TABLE["debt"]), SPLIT, declared())
    with pytest.raises(DataError, match="to leave a negative case never costs less"):
        price_outcomes(
            TABLE.assign(debt=-TABLE["debt"]), SPLIT, declared(false_negative=9, false_positive="debt")
        )


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        ({"false_negative": 1, "true_positive": 1}, "false_negative 1 must cost more than true_positive 1"),
        ({"false_positive": -3}, "false_positive -3 must cost more than true_negative 0"),
        ({"false_positive": float("inf")}, "finite"),
        ({"false_positive": ""}, "at least 1 character"),
    ],
)
def test_numbers_that_leave_nothing_to_decide_are_refused_before_data_is_loaded(costs, told):
    with pytest.raises(ValidationError, match=told):
        Costs(**({"false_negative": 9, "false_positive": 5} | costs))


def test_slices_of_the_target_are_refused():
    with pytest.raises(ValidationError, match=r"evaluation\.slices: 'y' is the target"):
        Vertical(dataset=Dataset(target="y", positive=1), evaluation=Evaluation(slices=["y"]))
