"""Forecasts of the coming periods, and what to order by them."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd

from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.order_rule import OrderRule
from lepton_pipeline.parameters import Forecast
from lepton_pipeline.parameters.forecast import AHEAD, PERIOD, POINT, quantile_name
from lepton_pipeline.tasks.forecast import Forecast as ForecastTask


def forecast_next(
    upcoming_rows: pd.DataFrame, model: Artefact, forecast: Forecast
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecast the coming periods of every series, and turn that into orders where they are declared.

    Returns:
        The forecasts: columns of the series, `period` (its start) and `q0.1`, `q0.5`, .. by ascending level. And
        the orders: columns of the series, `lead_time` (periods), `expected` (median demand over it) and
        `order_up_to`, the level that covers it as often as declared; without rows if no order is declared.
    """
    task = cast(ForecastTask, model.task)
    scores = task.ordered(model.scores(upcoming_rows))
    quantiles = pd.DataFrame(scores, columns=[quantile_name(level) for level in task.asked])
    named = upcoming_rows[[*forecast.series, PERIOD]].reset_index(drop=True)
    forecasts = pd.concat([named, quantiles], axis="columns")
    orders = _orders(upcoming_rows, forecasts, model.order_rule, forecast)
    return forecasts, orders


def _orders(
    upcoming_rows: pd.DataFrame, forecasts: pd.DataFrame, rule: OrderRule | None, forecast: Forecast
) -> pd.DataFrame:
    columns = [*forecast.series, "lead_time", "expected", "order_up_to"]
    if rule is None:
        return pd.DataFrame(columns=columns)
    median, high = quantile_name(POINT), quantile_name(forecast.levels[-1])
    inside = (upcoming_rows[AHEAD] <= rule.lead_time).to_numpy()
    summed = forecasts[inside].groupby(forecast.series, sort=False, as_index=False)[[median, high]].sum()
    levels = rule.levels(summed[median].to_numpy(np.float64), summed[high].to_numpy(np.float64))
    return summed.assign(lead_time=rule.lead_time, expected=summed[median], order_up_to=levels)[columns]
