"""Charts of series with their forecasts."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from crossed_sales import DATASET, FORECAST, START, make_sales

from lepton_pipeline.reporting.pictures import fans
from lepton_pipeline.reporting.pictures.fans import Charts, chart_series, draw_series
from lepton_pipeline.system.records import from_plain, to_plain

WEEK = pd.Timedelta(weeks=1)


def collected(series=3, parts=None, horizon=2, forecast=FORECAST, coming=True):
    table, scores = make_sales(series, parts or {"validation": 2, "test": 2}, horizon)
    early = table[table["ahead"] == 1].assign(period=lambda rows: rows["period"] - 20 * WEEK)
    known = [rows[["shop", "product", "period", "units"]] for rows in (early, table)]
    history = pd.concat(known, ignore_index=True).drop_duplicates(["product", "period"])
    keys = table[["shop", "product"]].drop_duplicates()
    ahead = [keys.assign(period=table["period"].max() + step * WEEK) for step in (1, 2)]
    latest = pd.concat(ahead, ignore_index=True).assign(**{"q0.1": 1.0, "q0.5": 2.5, "q0.9": 12345.678})
    return (
        chart_series(history, latest if coming else latest[:0], scores, table, DATASET, forecast),
        table,
        scores,
    )


def test_a_series_has_its_history_and_the_forecasts_of_each_origin():
    charts, table, scores = collected()
    assert [each.name for each in charts.series] == ["shop 0 · P000", "shop 0 · P002", "shop 1 · P001"]
    assert charts.periods[charts.coming :] == ["2024-02-26", "2024-03-04"]
    one, rows = charts.series[1], table[table["product"] == "P002"]
    known = dict(zip(charts.periods[one.start :], one.values(), strict=False))
    assert [known[f"{at:%Y-%m-%d}"] for at in rows["period"]] == rows["units"].to_list()
    drawn = list(one.forecasts())
    assert [charts.periods[start] for start, _ in drawn] == ["2024-01-29", "2024-02-12", "2024-02-26"]
    test = scores[(scores["part"] == "test") & (table["product"] == "P002")]
    made = np.concatenate([np.transpose(quantiles) for _, quantiles in drawn[:2]])
    assert made.tolist() == test[["model: low", "model", "model: high"]].to_numpy().tolist()
    assert [each.tolist() for each in drawn[2][1]] == [[1, 1], [2.5, 2.5], [12346, 12346]]
    largest, worst = (charts.series[charts.shown[which]].name for which in ("largest", "worst"))
    errors = (scores["model"] - scores["label"]).abs()[scores["part"] == "test"]
    sums = errors.groupby(table["product"]).sum()
    assert sums[worst.split()[-1]] == sums.max()
    assert largest.split()[-1] == table.groupby("product")["units"].sum().idxmax()


def test_forecasts_of_near_origins_do_not_overlap():
    table, scores = make_sales(2, {"test": 6}, horizon=2)
    # A new origin each week: the forecasts of every other one are drawn, from the last one back.
    moved = START + (table["origin"] - START) / 2
    table = table.assign(origin=moved, period=moved + (table["ahead"] - 1) * WEEK)
    history = table[["shop", "product", "period", "units"]].drop_duplicates(["product", "period"])
    charts = chart_series(history, pd.DataFrame(), scores, table, DATASET, FORECAST)
    assert [start for start, _ in charts.series[0].forecasts()] == [1, 3, 5]


def test_gaps_and_a_late_start_stay():
    table, scores = make_sales(2, {"validation": 2, "test": 2})
    history = table[["shop", "product", "period", "units"]]
    left_out = (history["product"] == "P000") & history["period"].isin([START, START + 3 * WEEK])
    one = chart_series(history[~left_out], pd.DataFrame(), scores, table, DATASET, FORECAST).series[0]
    assert one.start == 1
    assert one.units.split()[2] == "x"
    assert np.isnan(one.values()).tolist() == [False, False, True, False, False, False, False]


def test_of_many_values_the_end_and_the_largest_series_are_kept(monkeypatch):
    monkeypatch.setattr(fans, "MOST_VALUES", 30)
    monkeypatch.setattr(fans, "_LEAST_HORIZONS", 5)
    charts, *_ = collected(series=6, coming=False)
    assert (len(charts.periods), len(charts.series), charts.left_out) == (10, 3, 3)
    assert charts.coming == 10
    assert charts.periods[-1] == "2024-02-19"
    assert [charts.periods[start] for start, _ in charts.series[0].forecasts()] == [
        "2024-01-29",
        "2024-02-12",
    ]


def test_pictures_are_of_series_that_are_forecast():
    table, scores = make_sales(4, {"test": 2})
    history = table[["shop", "product", "period", "units"]]
    idle = history.assign(product=history["product"] + " idle", units=999.0)
    charts = chart_series(pd.concat([history, idle]), pd.DataFrame(), scores, table, DATASET, FORECAST)
    assert len(charts.series) == 8
    assert not [place for place in charts.shown.values() if "idle" in charts.series[place].name]


def test_there_is_nothing_without_a_forecast():
    assert collected(forecast=None)[0] == Charts()


def test_a_picture_shows_history_ranges_and_what_is_to_come():
    charts, *_ = collected()
    picture = draw_series(charts, 0).inline()
    assert picture.count('class="band range"') == 3 + 1
    assert picture.count('class="s0"') == 3 + 1
    assert picture.count('class="limit"') == 1
    assert "80 % range" in picture
    assert draw_series(collected(coming=False)[0], 0).inline().count('class="limit"') == 0


@pytest.mark.parametrize(
    ("frequency", "periods", "labels"),
    [
        ("h", 72, ["2 Jan", "3 Jan"]),
        ("D", 21, ["8 Jan", "15 Jan"]),
        ("W-MON", 14, ["Feb 2024", "Mar 2024", "Apr 2024"]),
        ("W-MON", 105, ["2025"]),
        ("MS", 100, ["2025", "2030"]),
    ],
)
def test_ticks_begin_what_people_count_in(frequency, periods, labels):
    starts = pd.date_range("2024-01-01", periods=periods, freq=frequency)
    assert [label for _, label in fans._ticks(starts, 4)] == labels


def test_the_record_is_read_again():
    charts, *_ = collected()
    again = from_plain(Charts, to_plain(charts))
    assert again.series == charts.series
    assert not re.search("nan|inf", str(to_plain(charts)).lower().replace("infin", ""))
