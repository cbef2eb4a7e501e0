"""The page of forecasts."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from crossed_sales import DATASET, FORECAST, make_sales, with_order

from lepton_pipeline.evaluation.forecasts import Forecasts, measure_forecasts
from lepton_pipeline.evaluation.orders import Orders, measure_orders
from lepton_pipeline.evaluation.worst_series import worst_series
from lepton_pipeline.parameters import About, Evaluation
from lepton_pipeline.reporting.pages.forecasts import render_forecasts
from lepton_pipeline.reporting.pictures.fans import chart_series

EVIL = "</script><b>&\"'{{ 7 * 7 }}"
ABOUT = About(question="How much will sell?", caution="Made up")
WEEK = pd.Timedelta(weeks=1)


def made_up(forecast, name=None, series=40):
    table, scores = make_sales(series, {"validation": 3, "test": 3})
    if name is not None:
        table = table.assign(product=table["product"].replace("P003", name))
    history = table[["shop", "product", "period", "units"]].drop_duplicates(["product", "period"])
    keys = table[["shop", "product"]].drop_duplicates()
    ahead = [keys.assign(period=table["period"].max() + step * WEEK) for step in (1, 2)]
    latest = pd.concat(ahead, ignore_index=True).assign(**{"q0.1": 1.0, "q0.5": 2.0, "q0.9": 4.0})
    given = scores, table, DATASET, Evaluation(resamples=100), forecast
    worst = worst_series(scores, table, DATASET, forecast)
    charts = chart_series(history, latest, scores, table, DATASET, forecast)
    return charts, measure_forecasts(*given), measure_orders(*given), worst


def page_of(charts, forecasts, orders, worst, about=ABOUT):
    (page,) = render_forecasts(charts, forecasts, orders, worst, about).values()
    return page.decode()


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page)[1])


@pytest.fixture(scope="module")
def results():
    return made_up(with_order(service_level=0.9), EVIL)


@pytest.fixture(scope="module")
def page(results):
    return page_of(*results)


def words_of(page):
    text = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", text))


def test_it_says_what_forecasts_and_orders_are_worth(page, results):
    _, forecasts, orders, _ = results
    said = words_of(page)
    assert "40 series were forecast 2 weeks ahead from 3 origins of the test part." in said
    best = forecasts.best["wape"].replace("_", " ")
    assert f"the best baseline ({best})" in said
    assert f"{-100 * orders.shares['needed'].value:.1f} % less stock than the moving average" in said
    assert "To cover the demand in 90 % of the orders" in said
    assert f"{forecasts.figures['model']['mase'].value:.3f}" in said
    for title in ("By weeks ahead", "By volume", "The 40 series forecast worst", "Level needed", "Made up"):
        assert title in said
    # All are younger than declared, so there is nothing to compare.
    assert "By history" not in said


def test_names_are_escaped_everywhere(page, results):
    assert "<b>" not in page
    assert "49" not in re.findall(r'data-series="[^"]*"', page)[0]
    assert page.count("</script>") == 2
    assert f"shop 1 · {EVIL}" in [each["name"] for each in data_of(page)["series"]]
    about = About(question=EVIL, caution=EVIL)
    assert page_of(*results, about).count("</script>") == 2


def test_it_needs_no_network_and_no_script(page):
    assert not re.search(r"src=|url\(|<link|@import|https?://(?!www\.w3\.org/2000/svg)|href=", page)
    without = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert '<section id="any" hidden>' in without
    assert without.count('<svg class="chart"') == 3


def test_the_script_has_what_it_draws(page, results):
    charts, _, orders, _ = results
    data = data_of(page)
    assert len(data["series"]) == 40
    assert data["levels"] == [0.1, 0.5, 0.9]
    assert data["order"]["factor"] == orders.factor
    assert data["order"]["time"] == "2 weeks"
    assert data["coming"] == charts.coming == len(data["periods"]) - 2


def test_equal_results_give_equal_bytes(page, results):
    assert page_of(*results) == page


def test_costs_are_in_their_unit():
    forecast = with_order(under=3.0, over=1.0, unit="EUR")
    said = words_of(page_of(*made_up(forecast)))
    assert re.search(r"An order by the model costs \d+\.\d % less than one by the moving average", said)
    assert "in EUR" in said
    assert "it is cheapest if 75 % of the orders cover the demand" in said


def test_nothing_is_written_without_a_forecast_and_no_orders_without_an_order(results):
    charts, forecasts, _, worst = results
    assert render_forecasts(charts, Forecasts(), Orders(), worst, ABOUT) == {}
    without = page_of(charts, forecasts, Orders(), worst)
    assert "<h2>Orders</h2>" not in without
    assert data_of(without)["order"] is None


def test_what_chance_explains_is_no_difference(results):
    charts, forecasts, orders, worst = results
    unsure = replace(orders.shares["needed"], value=-0.01, low=-0.05, high=0.03)
    said = words_of(
        page_of(charts, forecasts, replace(orders, shares={**orders.shares, "needed": unsure}), worst)
    )
    assert "1.0 % less stock" in said
    assert "interval of the difference −5.0 to +3.0 %, so no difference is shown" in said


def test_two_thousand_series_take_little_room(results):
    charts, forecasts, orders, worst = results
    random = np.random.default_rng(0)
    units = [" ".join(map(str, random.poisson(30, 105))) for _ in range(2000)]
    fan = ";".join(["80", *(["11 12 13 14"] * 3)])
    one = charts.series[0]
    many = [replace(one, name=f"series {at}", units=each, fans=[fan] * 7) for at, each in enumerate(units)]
    assert len(page_of(replace(charts, series=many), forecasts, orders, worst)) < 2e6


def test_a_forecast_without_cold_starts_or_baselines_is_shown():
    charts, forecasts, orders, worst = made_up(FORECAST.model_copy(update={"history": 100}))
    assert "By history" in words_of(page_of(charts, forecasts, orders, worst))
    alone = replace(
        forecasts, figures={"model": forecasts.figures["model"]}, best={}, differences={}, ages=(), volumes=()
    )
    assert "best baseline" not in words_of(page_of(charts, alone, orders, worst))
