"""Which targets are numbers to predict, and what intervals of predictions hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset, ErrorCosts
from lepton_pipeline.tasks.regression import Regression

PRICE = Dataset(target="price", task="regression")


def table(values):
    return pd.DataFrame({"price": values}, index=range(5, 5 + len(values)))


def test_whole_numbers_are_read_as_float64():
    labels = Regression().read(table([3, 1, 2]), PRICE)
    assert labels.to_dict() == {5: 3.0, 6: 1.0, 7: 2.0}
    assert labels.dtype == np.float64
    assert Regression().read(table([0.0, -2.5]), PRICE).tolist() == [0.0, -2.5]


@pytest.mark.parametrize(
    ("transform", "values", "message"),
    [
        (
            None,
            [1.0, None, 2.0, None],
            "target 'price' has no finite number in 2 of 4 rows, first nan in row 6; correct them, or "
            "leave these rows out.",
        ),
        (
            None,
            [1.0, 2.0, float("inf")],
            "target 'price' has no finite number in 1 of 3 rows, first inf in row 7; correct them, or "
            "leave these rows out.",
        ),
        (
            "log",
            [1.0, 0.0, -3.0],
            "target 'price' has no logarithm in 2 of 3 rows, first 0 in row 6; leave out "
            "dataset.transform, or leave these rows out.",
        ),
        (
            None,
            ["7", None, "12 EUR"],
            "target 'price' holds '12 EUR' in row 7, no number (task: regression): declare it in dataset.numeric "
            "to find the rows, or dataset.classes for classes.",
        ),
        (
            None,
            [True, False],
            "target 'price' holds values of the type bool, no number (task: regression): declare it in "
            "dataset.numeric to find the rows, or dataset.classes for classes.",
        ),
        (
            None,
            [1.0, -2e100],
            "target 'price' has a number beyond 1e+100 in 1 of 2 rows, first -2e+100 in row 6; correct them, or "
            "leave these rows out.",
        ),
        (None, [2, 2, 2], "target 'price' is 2 in all 3 rows; it takes several values."),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(transform, values, message):
    with pytest.raises(DataError) as refused:
        Regression(transform).read(table(values), PRICE)
    assert str(refused.value) == message


def test_strata_are_tenths_of_the_target():
    values = pd.Series(np.random.default_rng(0).permutation(1000.0 + np.arange(1000)))
    strata = Regression().strata(values)
    assert strata.value_counts().to_dict() == dict.fromkeys(range(10), 100)
    assert (values[strata == 0] < 1101).all()
    assert Regression().strata(values[:35]).nunique() == 3
    assert (Regression().strata(values[:9]) == 0).all()


def test_a_value_that_most_rows_share_leaves_fewer_strata():
    strata = Regression().strata(pd.Series([0.0] * 700 + list(range(1, 301))))
    assert sorted(strata.unique()) == list(range(strata.nunique()))
    assert strata.value_counts().min() >= 99


def test_a_part_needs_ten_rows_and_two_values():
    task = Regression()
    assert task.lacks(pd.Series(range(9)), learnt=False) == "10 rows"
    assert task.lacks(pd.Series([1.0] * 10), learnt=True) == "a second value of the target"
    assert task.lacks(pd.Series(range(10)), learnt=True) == ""
    assert task.counted(pd.Series(range(1250))) == "1,250 rows"


def test_a_scale_is_found_whatever_the_target():
    assert Regression().fitted(np.array([2.0, 2.0])).spread == 1.0
    # Half the rows share a value, so the quartiles do not tell how far the others lie.
    robust = Regression(robust=True).fitted(np.array([0.0] * 8 + [10.0, 20.0]))
    assert robust.centre == 0.0
    assert robust.spread == pytest.approx(np.array([0.0] * 8 + [10.0, 20.0]).std())
    log = Regression("log").fitted(np.exp([0.0, 2.0]))
    assert (log.centre, log.spread) == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize("transform", [None, "log"])
@pytest.mark.parametrize("quantiles", [False, True])
def test_intervals_hold_as_many_later_rows_as_declared(transform, quantiles):
    rng = np.random.default_rng(0)
    outputs, wide = rng.normal(size=8000), rng.uniform(0.2, 1.0, 8000)
    truth = outputs + wide * rng.normal(size=8000)
    labels = np.exp(truth / 4) if transform else 50 + 10 * truth
    task = Regression(transform, quantiles=quantiles, coverage=0.8).fitted(labels)
    mean = (outputs / 4 if transform else 50 + 10 * outputs) - task.centre
    given = mean / task.spread
    if quantiles:
        # Ends that lie too near.
        reach = wide * (1 / 4 if transform else 10) / task.spread
        given = np.column_stack([given, given - reach, given + reach])
    held_out, later = slice(0, 4000), slice(4000, None)
    scores = task.with_intervals(given[held_out], labels[held_out]).from_outputs(given[later])
    predicted, low, high = scores.T
    assert (low <= predicted).all()
    assert (predicted <= high).all()
    assert ((low <= labels[later]) & (labels[later] <= high)).mean() == pytest.approx(0.8, abs=0.02)
    assert (labels[later] < low).mean() == pytest.approx(0.1, abs=0.02)


def test_without_intervals_there_is_the_prediction_alone():
    task = Regression(quantiles=True).with_intervals(np.zeros((30, 3)), np.arange(30.0))
    assert task.from_outputs(np.zeros((2, 3))).shape == (2, 3)
    assert task.without_intervals().from_outputs(np.zeros((2, 3))).tolist() == [0.0, 0.0]


def test_a_prediction_in_use_is_taken_as_it_is():
    task, labels, validation = Regression(), np.arange(3.0), np.array([True, True, False])
    column = pd.Series([1, 2, 4], name="quote")
    assert task.in_use(column, labels, validation, "evaluation.baselines.today").tolist() == [1.0, 2.0, 4.0]
    with pytest.raises(
        DataError, match=r"column 'quote' \(today\) has no score in 1 of 3 validation and test"
    ):
        task.in_use(pd.Series([1, None, 4], name="quote"), labels, validation, "today")
    with pytest.raises(
        DataError, match=r"holds \['much'\], no number; a score in use is a prediction in the"
    ):
        task.in_use(pd.Series(["much", None, "less"], name="quote"), labels, validation, "today")


@pytest.mark.parametrize(("under", "over", "quantile"), [(99, 1, "0.99"), (1, 99, "0.01")])
def test_a_quantile_needs_rows_whichever_end_it_is_at(under, over, quantile):
    costs, labels = ErrorCosts(under=under, over=over), np.arange(98.0)
    with pytest.raises(
        DataError, match=f"^evaluation.error_costs, their quantile {quantile}: 98 held-out rows"
    ):
        Regression(costs=costs).with_intervals(labels, labels)
    assert Regression(costs=costs).with_intervals(np.zeros(99), np.arange(99.0)).decided in (0.0, 98.0)


def test_an_interval_that_needs_more_rows_names_its_key():
    with pytest.raises(DataError, match=r"^evaluation\.coverage 0\.99: 50 held-out rows are too few"):
        Regression(coverage=0.99).with_intervals(np.zeros(50), np.arange(50.0))
