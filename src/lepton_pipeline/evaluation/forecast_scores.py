"""Rows of forecasts as they are measured: series and origins by number, and quantiles of every model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.forecast import FORECASTS, POINT, Forecast, quantile_name
from lepton_pipeline.statistics.losses import Floats

# Baselines that learn nothing; their quantiles are made of their errors on held-out rows.
SIMPLE = FORECASTS
_OTHERS = ("part", "label", "weight", "uncalibrated")
_KEPT = ("ahead", "scale", "level", "naive_error", "age")


def join_rows(
    scores: pd.DataFrame, feature_table: pd.DataFrame, dataset: Dataset, forecast: Forecast, part: str
) -> pd.DataFrame:
    """Rows of a part: `label`, what the table says of their series, and its number and that of the origin.

    Numbers, `series` and `origin`, begin at 0, in the order of what they stand for, whatever that of the rows.
    """
    rows = scores.loc[scores["part"] == part, ["label"]]
    told = feature_table.loc[rows.index]
    series = told.groupby(forecast.series, sort=True, observed=True, dropna=False).ngroup()
    origin = told[dataset.time].rank(method="dense") - 1
    kept = {name: told[name] for name in _KEPT}
    return rows.assign(**kept, series=series.astype(np.int64), origin=origin.astype(np.int64))


def measured_models(scores: pd.DataFrame) -> list[str]:
    """The model and what stands beside it.

    Raises:
        DataError: a model lacks a forecast of a test row, so that it cannot be compared.
    """
    names = [name for name in scores.columns if name not in _OTHERS and ": " not in name]
    test = scores[scores["part"] == "test"]
    missing = {name: int(test[name].isna().sum()) for name in names}
    if name := next((name for name in names if missing[name]), ""):
        raise DataError(
            f"{name} has no forecast for {missing[name]:,} test rows, so that it cannot be compared with others; give "
            "it one, such as the moving average."
        )
    return names


def quantile_columns(name: str, levels: Sequence[float]) -> list[str]:
    """Columns of a model's quantiles, by ascending level.

    >>> quantile_columns("model", [0.05, 0.25, 0.5, 0.95])
    ['model: low', 'model: q0.25', 'model', 'model: high']
    """
    ends = {levels[0]: f"{name}: low", POINT: name, levels[-1]: f"{name}: high"}
    return [ends.get(level, f"{name}: {quantile_name(level)}") for level in levels]


def quantiles_of(
    name: str, scores: pd.DataFrame, feature_table: pd.DataFrame, levels: Sequence[float]
) -> Floats | None:
    """A model's quantiles of the test rows, [rows, levels]; None if it has none.

    Those of a simple baseline are empirical quantiles of its errors on the validation rows, each over the scale
    of its series.
    """
    test, columns = scores[scores["part"] == "test"], quantile_columns(name, levels)
    if set(columns) <= set(scores.columns):
        return test[columns].to_numpy(np.float64)
    held_out = scores[scores["part"] == "validation"]
    if name not in SIMPLE or held_out.empty:
        return None
    misses = (held_out["label"] - held_out[name]) / feature_table.loc[held_out.index, "scale"]
    steps = np.quantile(misses.dropna().to_numpy(np.float64), levels)
    scale = feature_table.loc[test.index, "scale"].to_numpy(np.float64)
    return as_labels(test[name].to_numpy(np.float64)[:, None] + scale[:, None] * steps, scores["label"])


def as_labels(values: Floats, labels: pd.Series) -> Floats:
    """Values as labels are: whole if all of those are, and not below 0 if none of those is."""
    known = labels.to_numpy(np.float64)
    if (known == np.round(known)).all():
        values = np.round(values)
    return np.maximum(values, 0.0) if (known >= 0).all() else values
