"""Forecasts and orders in the report of a run."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from crossed_sales import DATASET, make_sales, with_order
from made_up import make_error_evidence

from lepton_pipeline.evaluation.forecasts import measure_forecasts
from lepton_pipeline.evaluation.orders import measure_orders
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.reporting.report.forecasts import describe_measures, interval_text, tiles, value_text
from lepton_pipeline.reporting.report.write import render_report
from lepton_pipeline.statistics.estimates import Estimate


@pytest.fixture(scope="module")
def results():
    table, scores = make_sales(40, {"validation": 3, "test": 3})
    forecast = with_order(service_level=0.9)
    given = scores, table, DATASET, Evaluation(resamples=100), forecast
    return measure_forecasts(*given), measure_orders(*given)


def test_the_section_is_there_only_if_something_is_forecast(results):
    evidence = make_error_evidence()
    assert "Forecasts and orders" not in render_report(evidence)
    forecasts, orders = results
    html = render_report(replace(evidence, forecasts=forecasts, orders=orders))
    section = html.partition('<section id="forecasts">')[2].partition("</section>")[0]
    assert "<h2>Forecasts and orders</h2>" in section
    assert "40 series were forecast 2 weeks ahead" in section
    assert re.findall(r"<h3>([^<]*)</h3>", section) == ["By weeks ahead", "By volume", "Orders"]
    assert "less stock" in section


def test_each_row_of_a_table_has_a_cell_for_each_head(results):
    told = describe_measures(*results)
    tables = told["tables"]
    assert tables.models == ["Model", "Naive", "Seasonal naive", "Moving average"]
    assert all(len(cells) == len(tables.models) for *_, cells in tables.measures)
    for _, _, heads, rows in tables.groups:
        assert all(len(cells) == len(heads) for *_, cells in rows)
    assert all(len(cells) == 4 for *_, cells in told["orders"]["rows"])


def test_headline_figures_name_the_best_baseline(results):
    forecasts, _ = results
    found = {label: (value, note) for label, value, note in tiles(forecasts)}
    assert list(found) == ["MASE", "WAPE", "WQL", "Coverage", "Bias"]
    best = forecasts.figures[forecasts.best["mase"]]["mase"].value
    assert f"best baseline ({forecasts.best['mase'].replace('_', ' ')}) {best:.3f}" in found["MASE"][1]
    assert "declared 80" in found["Coverage"][1]


def test_figures_are_written_in_their_digits():
    assert value_text("mase", 0.7321) == "0.732"
    assert value_text("wape", 0.7321) == "73.2\xa0%"
    assert value_text("bias", -0.0321) == "−3.2\xa0%"
    assert interval_text("wape", Estimate(0.7, 0.6, 0.8, approximate=True)) == "≈ 60.0 to 80.0\xa0%"
    assert interval_text("wape", Estimate(0.7)) == ""
