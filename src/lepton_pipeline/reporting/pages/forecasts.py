"""The page of forecasts: any series with its forecasts, measures, orders and the series forecast worst."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import isfinite

import pandas as pd

from lepton_pipeline.evaluation.forecasts import Forecasts
from lepton_pipeline.evaluation.orders import Orders
from lepton_pipeline.evaluation.worst_series import worst_series
from lepton_pipeline.parameters import About, Dataset, Forecast
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.reporting.pages.frame import render
from lepton_pipeline.reporting.pictures.fans import Charts, chart_series, draw_series, key_of, series_name
from lepton_pipeline.reporting.report.forecasts import (
    count_of,
    describe_measures,
    period_word,
    tiles,
    whole_percent,
)
from lepton_pipeline.system.records import to_plain

PAGE = "forecast.html"
_SHOWN = {
    "largest": "The largest series",
    "median": "A series of median size",
    "worst": "The series forecast worst",
}
_OWN_COLUMNS = ("periods", "actual", "forecast", "absolute_error", "bias", "mase")


@dataclass(frozen=True)
class _WorstSeries:
    name: str
    error: float
    actual: float
    forecast: float
    bias: float
    mase: float | None


def write_forecasts(
    series_history: pd.DataFrame,
    forecast: pd.DataFrame,
    scores: pd.DataFrame,
    feature_table: pd.DataFrame,
    forecasts: Forecasts,
    orders: Orders,
    dataset: Dataset,
    declared: Forecast,
    about: About,
    registration: Registration,
) -> dict[str, bytes]:
    """Write the page of a run's forecasts, see `render_forecasts`; `forecast` has the coming periods."""
    charts = chart_series(series_history, forecast, scores, feature_table, dataset, declared)
    worst = worst_series(scores, feature_table, dataset, declared)
    return render_forecasts(charts, forecasts, orders, worst, about, registration)


def render_forecasts(
    charts: Charts,
    forecasts: Forecasts,
    orders: Orders,
    worst: pd.DataFrame,
    about: About,
    registration: Registration | None = None,
) -> dict[str, bytes]:
    """Render `forecast.html`, one page without network or other files; no file if nothing is forecast.

    A script of the page draws any series from numbers in it; without scripts, three are drawn. Equal arguments
    give equal bytes.
    """
    if not forecasts.series:
        return {}
    word = period_word(forecasts.frequency)
    page = render(
        PAGE,
        name=f"{registration.name}, version {registration.version}" if registration else "",
        about=about,
        it=describe_measures(forecasts, orders),
        tiles=tiles(forecasts),
        charts=charts,
        horizon=count_of(forecasts.horizon, forecasts.frequency),
        **{"from": charts.periods[charts.coming] if charts.coming < len(charts.periods) else "each origin"},
        word=word,
        pictures=[
            (
                title,
                charts.series[charts.shown[which]].name,
                draw_series(charts, charts.shown[which]).inline(),
            )
            for which, title in _SHOWN.items()
            if which in charts.shown
        ],
        worst=_listed(worst),
        data=_embedded(charts, forecasts, orders),
        script=_script(),
    )
    return {PAGE: page.encode()}


def _listed(worst: pd.DataFrame) -> list[_WorstSeries]:
    keys = worst.drop(columns=[name for name in _OWN_COLUMNS if name in worst])
    measured = worst[[name for name in _OWN_COLUMNS if name in worst]].to_dict("records")
    return [
        _WorstSeries(
            name=series_name(key),
            error=float(row["absolute_error"]),
            actual=float(row["actual"]),
            forecast=float(row["forecast"]),
            bias=float(row["bias"]),
            mase=float(row["mase"]) if isfinite(row["mase"]) else None,
        )
        for key, row in zip(keys.itertuples(index=False), measured, strict=True)
    ]


def _embedded(charts: Charts, forecasts: Forecasts, orders: Orders) -> str:
    """What the script reads, as JSON that ends no element."""
    order = None
    if orders.orders:
        order = {
            "factor": orders.factor,
            "narrowest": orders.narrowest,
            "whole": orders.whole,
            "lead_time": orders.lead_time,
            "time": count_of(orders.lead_time, forecasts.frequency),
            "level": whole_percent(orders.level),
        }
    word = period_word(forecasts.frequency)
    told = {"key": key_of(charts.levels), "order": order, "word": word[:1].upper() + word[1:]}
    text = json.dumps(to_plain(charts) | told, separators=(",", ":"), allow_nan=False)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


@cache
def _script() -> str:
    return (files(__package__) / "templates" / "forecast.js").read_text(encoding="utf-8").strip()
