"""Made-up forecasts of a few series, in the shapes that stages return."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.forecast import Forecast, Order

DATASET = Dataset(target="units", task="regression", time="origin")
FORECAST = Forecast(series=["shop", "product"], frequency="W", horizon=2, season_length=4)
START = pd.Timestamp("2024-01-01")


def make_rows(series: int, parts: dict[str, int], horizon: int = 2) -> pd.DataFrame:
    """Rows of (series, origin, ahead), by part so many origins each, with the columns of a feature table and `part`."""
    origins = [part for part, number in parts.items() for _ in range(number)]
    rows = [
        (f"shop {one % 2}", f"P{one:03d}", START + pd.Timedelta(weeks=horizon * at), ahead, part)
        for at, part in enumerate(origins)
        for one in range(series)
        for ahead in range(1, horizon + 1)
    ]
    frame = pd.DataFrame(rows, columns=["shop", "product", "origin", "ahead", "part"])
    return frame.assign(period=frame["origin"] + pd.to_timedelta(7 * (frame["ahead"] - 1), unit="D"))


def make_sales(
    series: int, parts: dict[str, int], horizon: int = 2, seed: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A feature table and scores of Poisson sales, of which the model knows the rate and the average does not."""
    random = np.random.default_rng(seed)
    rows = make_rows(series, parts, horizon)
    level = rows["product"].str[1:].astype(int) % 12 + 2.0
    rate = level * (1 + 0.6 * np.sin(rows["period"].dt.day_of_year / 9 + level))
    units = random.poisson(rate).astype(float)
    table = rows.drop(columns="part").assign(
        units=units, scale=level + 1, level=level, naive_error=1 + level / 4, age=40, moving_average=level
    )
    table["naive"] = random.poisson(rate).astype(float)
    table["seasonal_naive"] = random.poisson(rate).astype(float)
    width = np.ceil(1.28 * np.sqrt(rate))
    scores = pd.DataFrame(
        {
            "part": rows["part"],
            "label": units,
            "model": np.round(rate),
            "model: low": np.maximum(np.round(rate) - width, 0),
            "model: high": np.round(rate) + width,
            **{name: table[name] for name in ("naive", "seasonal_naive", "moving_average")},
        }
    )
    return table, scores


def with_order(**order: object) -> Forecast:
    """The forecast with an order of two periods."""
    return FORECAST.model_copy(update={"order": Order.model_validate({"lead_time": 2, **order})})
