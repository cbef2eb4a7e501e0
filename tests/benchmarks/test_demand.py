"""Measures of demand on a few products, and what their bootstrap and tables make of them."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TRUTH = np.array([[[2.0, 0.0]], [[6.0, 2.0]]])  # two products, one origin, two weeks ahead
SCALES = np.array([[1.0], [2.0]])


@pytest.fixture
def demand(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("demand")


def quantiles(*values: float) -> np.ndarray:
    return np.broadcast_to(np.array(values), (*TRUTH.shape, 3))


def sales_of(rows: list[tuple[str, str, int, float]]) -> pd.DataFrame:
    sales = pd.DataFrame(rows, columns=["product", "InvoiceDate", "Quantity", "Price"])
    return sales.assign(InvoiceDate=pd.to_datetime(sales["InvoiceDate"]))


def test_measures_are_those_of_their_definitions(demand):
    found = demand.figures_of(demand.parts_of(TRUTH, SCALES, quantiles(0, 2, 4)))
    # Errors of 0, 2, 4, 0 over 10 units; MASE means (0, 2) / 1 and (4, 0) / 2.
    assert found["MASE"] == pytest.approx((0 + 2 + 2 + 0) / 4)
    assert found["WAPE"] == pytest.approx(6 / 10)
    assert found["bias"] == pytest.approx((8 - 10) / 10)
    assert found["coverage"] == pytest.approx(3 / 4)
    pinball = 0.1 * (2 + 0 + 6 + 2), 0.5 * 6, 0.1 * (2 + 4 + 2) + 0.9 * 2
    assert found["WQL"] == pytest.approx(2 * sum(pinball) / 3 / 10)


def test_a_median_alone_has_no_loss_of_quantiles(demand):
    parts = demand.parts_of(TRUTH, SCALES, quantiles(np.nan, 2, np.nan))
    assert set(parts) == {"MASE", "WAPE", "bias"}
    assert parts["WAPE"].by_origin() == [pytest.approx(0.6)]


def test_a_measure_weighs_products_and_origins(demand):
    parts = demand.Parts(np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones((2, 2)))
    (value,) = parts.value(np.array([[0.0, 2.0]]), np.array([[1.0, 3.0]]))
    assert value == pytest.approx((3 + 3 * 4) / 4)


def test_a_difference_has_an_interval_around_it(demand):
    random = np.random.default_rng(0)
    truth = random.poisson(5, size=(40, 6, 4)).astype(float)
    near, far = (truth + random.normal(0, spread, truth.shape) for spread in (1, 3))
    ours, theirs = (
        demand.parts_of(truth, np.ones((40, 6)), each[..., None] + np.array([-2, 0, 2]))
        for each in (near, far)
    )
    found = demand.differences(ours, theirs, resamples=200)
    assert set(found) == {"MASE", "WAPE", "WQL"}
    for each in found.values():
        assert each.low < each.value < each.high < 0
    itself = demand.differences(ours, ours, resamples=20)["WQL"]
    assert (itself.value, itself.low, itself.high) == (0, 0, 0)


def test_an_origin_that_is_unlike_others_widens_the_interval(demand):
    truth = np.full((40, 6, 4), 10.0)
    even = np.broadcast_to(truth[..., None] + 1, (*truth.shape, 3))
    uneven = even.copy()
    uneven[:, 0] += 5
    perfect = demand.parts_of(truth, np.ones((40, 6)), np.broadcast_to(truth[..., None], (*truth.shape, 3)))
    widths = []
    for each in (even, uneven):
        found = demand.differences(demand.parts_of(truth, np.ones((40, 6)), each), perfect, resamples=200)
        widths.append(found["WAPE"].high - found["WAPE"].low)
    assert widths[0] == pytest.approx(0)
    assert widths[1] > 0.1


def test_sales_are_lines_of_products_with_a_price(demand):
    lines = pd.DataFrame(
        {
            "Invoice": ["1", "C2", "3", "4", "A5", "6", "7"],
            "StockCode": ["85123a", "85123A", "POST", "85123A", "85123A", "85123A", "22423"],
            "Quantity": [2, 3, 1, -1, 5, 4, 1],
            "Price": [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 2.5],
        }
    )
    assert demand.select_sales(lines)["product"].tolist() == ["85123A", "22423"]


def test_weeks_without_a_sale_are_zeros(demand):
    sales = sales_of(
        [
            ("a", "2009-12-01", 3, 1.0),
            ("a", "2009-12-06", 1, 2.0),
            ("a", "2009-12-14", 5, 1.0),
            ("b", "2009-12-21", 1, 1.0),
        ]
    )
    found = demand.sum_weeks(sales, weeks=4, origin="2009-12-21")
    assert found.units.tolist() == [[4, 0, 5, 0], [0, 0, 0, 1]]
    assert found.prices[0].tolist() == pytest.approx([5 / 4, np.nan, 1, np.nan], nan_ok=True)
    assert not found.tested.any()


@pytest.fixture
def grid(demand) -> Any:
    """Three products over 105 weeks, two of them tested."""
    random = np.random.default_rng(0)
    return demand.Demand(
        np.array(["a", "b", "c"], dtype=object),
        pd.date_range("2009-11-30", periods=105, freq="7D"),
        random.poisson(3, size=(3, 105)).astype(float),
        np.full((3, 105), 2.0),
        np.array([True, False, True]),
    )


def test_the_grid_is_the_same_after_it_was_written(grid, tmp_path):
    grid.save(tmp_path / "panel.parquet")
    again = type(grid).load(tmp_path / "panel.parquet")
    for name in ("products", "units", "prices", "tested"):
        assert (getattr(again, name) == getattr(grid, name)).all()
    assert (again.weeks == grid.weeks).all()


def test_a_scale_is_the_mean_change_since_the_first_sale(demand, grid):
    units = np.zeros((3, 105))
    units[:, 70:81] = [0, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0]
    measures = import_module("demand_measures")
    changed = replace(grid, units=units)
    assert measures.scales_of(changed, ("2011-06-13",)).ravel().tolist() == pytest.approx([4 / 9, 4 / 9])


def test_rows_know_nothing_of_later_weeks(grid):
    rows = import_module("demand_rows")
    later = grid.units.copy()
    later[:, 81:] += 100
    changed = replace(grid, units=later)
    found = [rows.make_rows(each, [60, 80], each.tested) for each in (grid, changed)]
    np.testing.assert_array_equal(found[0].matrix(), found[1].matrix())
    known = rows.make_rows(grid.known("2011-06-13"), [60, 80], grid.tested)
    assert np.isnan(known.share).tolist() == [False] * 8 + [True] * 8
    np.testing.assert_array_equal(known.matrix(), found[0].matrix())
    target = grid.units[0, 61:65] / (grid.units[0, 35:61].mean() + 1)
    assert known.share[:4].tolist() == pytest.approx(target.tolist())


def test_opponents_without_libraries_forecast_and_are_reported(demand, grid, tmp_path):
    opponents = import_module("demand_opponents")
    grid.save(tmp_path / "panel.parquet")
    files = {}
    for name in ("naive", "seasonal naive", "quantiles of 8 weeks"):
        files[name] = tmp_path / opponents.file_of(name)
        opponents.main([name, "--panel", str(tmp_path / "panel.parquet"), "--output", str(files[name])])
    found = demand.as_array(grid, pd.read_parquet(files["seasonal naive"]))
    assert found[0, 0, :, 1].tolist() == grid.units[0, 29:33].tolist()
    assert (
        demand.as_array(grid, pd.read_parquet(files["naive"]))[1, 0, :, 1].tolist() == [grid.units[2, 80]] * 4
    )
    measured = demand.measure(files, ["quantiles of 8 weeks"], grid)
    assert set(measured["differences"]["quantiles of 8 weeks"]["naive"]) == {"MASE", "WAPE"}
    data = {**demand.EXPECTED, "products": 3, "share of units": 0.5, "share of zeros": 0.1}
    record = json.loads(json.dumps({"environment": "here", "data": data, **measured}))
    text = demand.report(record)
    assert "quantiles of 8 weeks minus others" in text
    assert "Not measured: mean of 8 weeks, conformal" in text


def test_forecasts_that_lack_are_an_error(demand, grid):
    rows = demand.pd.concat(
        [import_module("demand_table").as_rows(grid, origin, np.ones((2, 4, 3))) for origin in demand.ORIGINS]
    )
    assert demand.as_array(grid, rows).shape == (2, 6, 4, 3)
    with pytest.raises(ValueError, match="1 of 48 forecasts lack"):
        demand.as_array(grid, rows.iloc[1:])
    with pytest.raises(ValueError, match="there twice"):
        demand.as_array(grid, pd.concat([rows, rows.head(1)]))


def test_forecasts_are_whole_and_in_order(grid):
    made = import_module("demand_table").as_rows(grid, "2011-06-13", np.tile([3.4, -1.0, 2.6], (2, 4, 1)))
    assert made[["q10", "q50", "q90"]].iloc[0].tolist() == [0, 3, 3]


def test_growth_is_the_slope_of_logarithms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    growth = import_module("demand_growth")
    measured = [
        {"series": 10, "rows": 100, "peak_mib": 500, "cpu_seconds": 2.0},
        {"series": 40, "rows": 400, "peak_mib": 500, "cpu_seconds": 16.0},
    ]
    text = growth.report(measured)
    assert "Exponent of growth with the rows: 1.50 of CPU seconds, 0.00 of memory." in text
    assert "400" in text
