"""The series that are forecast worst."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.forecast_scores import join_rows
from lepton_pipeline.evaluation.forecasts import mean_scaled_errors
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.forecast import Forecast

MOST = 100


def worst_series(
    scores: pd.DataFrame,
    feature_table: pd.DataFrame,
    dataset: Dataset,
    forecast: Forecast | None,
    most: int = MOST,
) -> pd.DataFrame:
    """Series by falling sum of absolute errors on the test rows, at most `most`; empty without a forecast.

    Columns are those of the series, `periods` (number of test rows), `actual` and `forecast` (sums, in units),
    `absolute_error` (sum), `bias` (sum of forecasts less actual values) and `mase` (nan where it is unknown).
    Arguments are those of `measure_forecasts`.
    """
    if forecast is None:
        return pd.DataFrame()
    rows = join_rows(scores, feature_table, dataset, forecast, "test")
    point, truth = scores.loc[rows.index, "model"].astype(np.float64), rows["label"].astype(np.float64)
    scaled = mean_scaled_errors((point - truth).to_numpy(), rows["naive_error"].to_numpy(np.float64))
    by_series = pd.DataFrame(
        {
            "periods": 1,
            "actual": truth,
            "forecast": point,
            "absolute_error": (point - truth).abs(),
            "bias": point - truth,
            "mase": pd.Series(scaled, rows.index),
        }
    ).groupby(rows["series"])
    sums = by_series.sum().assign(mase=by_series["mase"].mean())
    keys = feature_table.loc[rows.index, forecast.series].groupby(rows["series"]).first()
    order = sums["absolute_error"].sort_values(ascending=False, kind="stable").index[:most]
    return pd.concat([keys, sums], axis="columns").loc[order].reset_index(drop=True)
