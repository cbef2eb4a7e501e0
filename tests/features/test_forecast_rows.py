"""Rows to forecast from: what an origin knew, and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.forecast_rows import forecast_rows
from lepton_pipeline.features.series_grid import make_grid
from lepton_pipeline.parameters import Dataset, Forecast

ROLES = Dataset(target="units", task="forecast", time="week")
FIRST = pd.Timestamp("2023-01-02")


def declared(**given):
    return Forecast(
        **{"series": ["product"], "frequency": "W", "horizon": 2, "every": 1, "season_length": 4, **given}
    )


def sales_of(**series):
    """Weekly sales of products, which begin in the first week; None is no record."""
    rows = [
        (product, FIRST + pd.Timedelta(weeks=week), units)
        for product, amounts in series.items()
        for week, units in enumerate(amounts)
        if units is not None
    ]
    return pd.DataFrame(rows, columns=["product", "week", "units"])


def rows_of(sales, roles=ROLES, **given):
    forecast = declared(**given)
    return forecast_rows(make_grid(sales, forecast, roles), forecast, roles)


TEN = sales_of(a=[4.0, 0, 2, 6, 8, 0, 2, 10, 12, 1], b=[None] * 3 + [1.0, 1, 1, 1, 1, 1, 1])


def test_a_row_holds_what_its_origin_knew():
    rows = rows_of(TEN).set_index(["product", "week", "ahead"])
    # Made at the start of the seventh week, of the eighth.
    row = rows.loc[("a", FIRST + pd.Timedelta(weeks=6), 2)]
    known = np.array([4.0, 0, 2, 6, 8, 0])
    level = known.mean()
    assert row["units"] == 10
    assert row["period"] == FIRST + pd.Timedelta(weeks=7)
    assert (row["level"], row["scale"], row["age"]) == pytest.approx((level, level + 1, 6))
    assert (row["naive"], row["moving_average"], row["seasonal_naive"]) == pytest.approx((0, level, 6))
    assert row["naive_error"] == pytest.approx(np.abs(np.diff(known)).mean())
    expected = {"lag_1": 0, "lag_2": 8, "lag_6": 4, "mean_2": 4, "mean_4": 4, "season_lag": 6, "largest_8": 8}
    assert {name: row[name] * row["scale"] for name in expected} == pytest.approx(expected)
    assert row["since_last"] == 1
    assert row["zeros_8"] == pytest.approx(2 / 6)


def test_a_series_that_has_just_begun_waits_for_enough_weeks():
    rows = rows_of(TEN, shortest=4)
    young = rows[rows["product"] == "b"]
    assert young["age"].min() == 4
    assert young["week"].min() == FIRST + pd.Timedelta(weeks=7)
    assert young.loc[young["age"] == 4, "season_lag"].notna().all()


def test_a_series_that_hardly_sells_is_left_out_at_origins_where_it_does():
    quiet = sales_of(a=[5.0] + [0] * 9, b=[1.0] * 10)
    assert set(rows_of(quiet, active=0.5)["product"]) == {"b"}
    kept = rows_of(quiet, active=0.2)
    assert kept.loc[kept["product"] == "a", "week"].max() == FIRST + pd.Timedelta(weeks=4)


def test_no_bit_of_a_row_changes_when_later_weeks_come():
    rng = np.random.default_rng(0)
    sales = sales_of(**{f"p{n}": rng.poisson(3, 40) * rng.random() for n in range(5)})
    sales["price"] = rng.random(len(sales))
    given = {"past_covariates": ["price"], "holidays": ["12-25"], "closures": ["12-24/01-02"]}
    cut = FIRST + pd.Timedelta(weeks=25)
    earlier = rows_of(sales[sales["week"] < cut], **given)
    later = rows_of(sales, **given)
    same = later.merge(earlier[["product", "week", "ahead"]])
    pd.testing.assert_frame_equal(same, earlier, check_exact=True)
    as_of = rows_of(sales, ROLES.model_copy(update={"as_of": f"{cut:%Y-%m-%d}"}), **given)
    pd.testing.assert_frame_equal(as_of, earlier, check_exact=True)


def test_origins_do_not_move_when_weeks_are_added():
    before, after = (
        set(rows_of(TEN[TEN["week"] <= f"{end}"], every=3)["week"]) for end in ("2023-02-27", "2023-03-06")
    )
    assert before <= after


def test_the_next_origin_has_every_series_and_no_target():
    forecast = declared(every=4)
    grid = make_grid(TEN, forecast, ROLES)
    upcoming = forecast_rows(grid, forecast, ROLES, upcoming=True)
    assert upcoming["units"].isna().all()
    assert upcoming["week"].unique().tolist() == [FIRST + pd.Timedelta(weeks=10)]
    assert upcoming[["product", "ahead"]].to_numpy().tolist() == [["a", 1], ["a", 2], ["b", 1], ["b", 2]]
    rows = forecast_rows(grid, forecast, ROLES)
    assert list(upcoming) == list(rows)


def test_holidays_and_closures_are_those_of_the_week_that_is_forecast():
    weeks = pd.date_range("2022-10-03", periods=16, freq="W-MON")
    sales = pd.DataFrame({"product": "a", "week": weeks, "units": np.arange(16.0)})
    rows = rows_of(sales, holidays=["12-25"], closures=["12-31/01-02"]).query("ahead == 1").set_index("week")
    assert rows["days_to_12-25"]["2022-12-19"] == 6
    assert rows["days_to_12-25"]["2022-12-26"] == -1
    assert rows["closed"].to_dict()[pd.Timestamp("2022-12-26")] == pytest.approx(2 / 7)
    assert rows["closed"].to_dict()[pd.Timestamp("2023-01-02")] == pytest.approx(1 / 7)
    assert rows["closed"].to_dict()[pd.Timestamp("2022-12-19")] == 0


def test_series_of_several_columns_are_told_by_all_of_them():
    sales = pd.concat([TEN.assign(store=1), TEN.assign(store=2, units=TEN["units"] * 2)])
    rows = rows_of(sales, series=["store", "product"])
    assert set(rows["series"]) == {"1 / a", "1 / b", "2 / a", "2 / b"}
    assert (
        rows.groupby("series")["level"].max()["2 / a"] == 2 * rows.groupby("series")["level"].max()["1 / a"]
    )


def test_no_origin_is_said_with_what_one_needs():
    with pytest.raises(
        DataError, match=r"no series of 1 has an origin.*forecast\.shortest.*forecast\.horizon"
    ):
        rows_of(sales_of(a=[1.0, 2]))


def test_a_series_around_0_is_no_small_one():
    swings = sales_of(a=[-50.5, 50.5] * 6)
    rows = rows_of(swings, negative="keep")
    assert (rows["scale"] > 50).all()
    assert (rows["season_ratio"].dropna().abs() < 1).all()


@pytest.mark.parametrize(
    ("names", "given"),
    [
        ({"units": "level"}, {}),
        ({"week": "period"}, {}),
        ({"product": "ahead"}, {"series": ["ahead"]}),
        ({"shop": "series"}, {"series": ["series", "product"]}),
        ({"price": "lag_3"}, {"past_covariates": ["lag_3"]}),
        ({"price": "hour_change", "shop": "hour_of"}, {"past_covariates": ["hour_change"]}),
        ({"price": "p_change", "shop": "p"}, {"past_covariates": ["p_change", "p"]}),
    ],
)
def test_columns_that_are_made_do_not_replace_those_of_records(names, given):
    sales = TEN.assign(price=1.0, shop=1).rename(columns=names)
    roles = Dataset(target=names.get("units", "units"), task="forecast", time=names.get("week", "week"))
    if "hour_of" in sales:
        assert "hour_change" in rows_of(sales, roles, **given)
        return
    with pytest.raises(DataError, match="has the name of a column that is made"):
        rows_of(sales, roles, **given)


def test_the_one_column_of_series_may_be_called_so():
    assert "series" in rows_of(TEN.rename(columns={"product": "series"}), series=["series"])
