"""Records of series as a dense grid of periods."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.calendar import Calendar
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.series_grid import make_grid
from lepton_pipeline.parameters import Dataset, Forecast

NAN = np.nan


def declared(**given):
    return Forecast(**{"series": ["product"], "frequency": "W", "horizon": 2, **given})


def roles(**given):
    return Dataset(target="units", task="forecast", time="week", **given)


def records(*rows, **columns):
    table = pd.DataFrame(rows, columns=["product", "week", "units"])
    return table.assign(week=pd.to_datetime(table["week"], format="ISO8601"), **columns)


# Mondays.
WEEKS = ["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22"]
SALES = records(("b", WEEKS[1], 5.0), ("a", WEEKS[0], 1.0), ("a", WEEKS[2], 3.0), ("b", WEEKS[3], 2.0))


def test_weeks_without_a_record_hold_nothing_from_the_first_one_on():
    grid = make_grid(SALES, declared(), roles())
    assert grid.keys["product"].tolist() == ["a", "b"]
    assert np.array_equal(grid.amounts, [[1, 0, 3, 0], [NAN, 5, 0, 2]], equal_nan=True)
    assert grid.begins.tolist() == [0, 1]


def test_a_level_that_goes_on_is_carried():
    grid = make_grid(SALES, declared(fill="last"), roles())
    assert np.array_equal(grid.amounts, [[1, 1, 3, 3], [NAN, 5, 5, 2]], equal_nan=True)


@pytest.mark.parametrize(
    ("aggregate", "second"), [("sum", [7.0, 0.0]), ("mean", [3.5, 0.0]), ("last", [3.0, 0.0])]
)
def test_several_records_of_a_week_become_one_as_declared(aggregate, second):
    sales = records(("a", "2024-01-09", 3.0), ("a", "2024-01-08", 4.0), ("b", "2024-01-22 10:00", 1.0))
    grid = make_grid(sales, declared(aggregate=aggregate), roles())
    # The week of the latest record has not ended, as records are no sums of weeks.
    assert grid.amounts[0].tolist() == second
    assert grid.keys["product"].tolist() == ["a"]


def test_several_records_of_a_week_are_refused_without_a_rule():
    sales = records(("a", WEEKS[0], 3.0), ("a", WEEKS[0], 4.0), ("a", WEEKS[1], 4.0))
    with pytest.raises(DataError, match=r"product 'a' .*2024-01-01.*2 of 3 records.*forecast\.aggregate"):
        make_grid(sales, declared(), roles())


def test_a_week_below_nothing_is_refused_or_no_demand_as_declared():
    sales = records(("a", WEEKS[0], 3.0), ("a", WEEKS[1], -4.0))
    with pytest.raises(DataError, match=r"'a' .*-4 units .*2024-01-08.*forecast\.negative: zero"):
        make_grid(sales, declared(), roles())
    assert make_grid(sales, declared(negative="zero"), roles()).amounts.tolist() == [[3, 0]]
    assert make_grid(sales, declared(negative="keep"), roles()).amounts.tolist() == [[3, -4]]


@pytest.mark.parametrize(("day", "weeks"), [("2024-01-22", 3), ("2024-01-28", 3), ("2024-01-29", 4)])
def test_as_of_a_date_only_weeks_that_have_ended_are_known(day, weeks):
    earlier = SALES[SALES["week"] <= day]
    for sales in (SALES, earlier):
        assert make_grid(sales, declared(), roles(as_of=day)).amounts.shape[1] == weeks


def test_the_week_of_the_run_itself_has_not_ended():
    assert make_grid(SALES, declared(), roles(present="2024-01-24T10:00:00")).amounts.shape[1] == 3


def test_covariates_known_in_advance_reach_beyond_the_last_week():
    plan = records(("a", "2024-01-29", NAN), ("a", "2024-02-05", NAN), ("a", "2024-02-12", NAN))
    both = pd.concat([SALES.assign(price=2.0), plan.assign(price=[3.0, 4.0, 5.0])], ignore_index=True)
    grid = make_grid(both, declared(future_covariates=["price"], past_covariates=[]), roles())
    assert np.array_equal(grid.future["price"][0], [2, NAN, 2, NAN, 3, 4], equal_nan=True)
    assert grid.amounts.shape == (2, 4)


def test_a_static_covariate_is_the_latest_of_its_series():
    grid = make_grid(
        SALES.assign(kind=["x", "old", "new", None]), declared(static_covariates=["kind"]), roles()
    )
    assert grid.keys["kind"].tolist() == ["new", "x"]


@pytest.mark.parametrize(
    ("sales", "said"),
    [
        (SALES.drop(columns="product"), "no column 'product', which forecast.series declares"),
        (SALES.assign(product=["a", None, "a", "b"]), r"'product' \(forecast.series\) is missing in 1 of 4"),
        (SALES.assign(units=[1, None, 2, 3]), "'units' is missing in 1 records"),
        (SALES.assign(units=["1", "x", "2", "3"]), "'units' .* must hold numbers"),
        (SALES.assign(week="Monday"), r"'week' \(dataset.time\) holds 'Monday', no dates"),
        (SALES[:0], "there is no record"),
        (SALES.assign(units=NAN), "no period has ended"),
    ],
)
def test_what_is_no_record_of_a_series_is_said(sales, said):
    with pytest.raises(DataError, match=said):
        make_grid(sales, declared(), roles())


@pytest.mark.parametrize(
    ("frequency", "days", "last"),
    [
        ("W", pd.date_range("2024-01-05", periods=4, freq="7D"), "2024-01-22"),
        ("MS", pd.date_range("2024-01-31", periods=4, freq="ME"), "2024-04-01"),
        ("MS", pd.date_range("2024-01-15", periods=4, freq="30D"), "2024-03-01"),
    ],
)
def test_the_latest_period_has_ended_where_all_records_stand_at_one_place_of_it(frequency, days, last):
    sales = records(*(("a", day, 1.0) for day in days))
    grid = make_grid(sales, declared(frequency=frequency), roles())
    assert Calendar(frequency).starts([grid.last])[0] == pd.Timestamp(last)


def test_whole_keys_stay_whole_beside_records_that_lacked_one():
    sales = records((7.0, WEEKS[0], 1.0), (7.0, WEEKS[1], 2.0))
    assert make_grid(sales, declared(), roles()).keys["product"].tolist() == [7]
    assert str(make_grid(sales, declared(), roles()).keys["product"].dtype) == "int64"
