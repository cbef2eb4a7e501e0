"""Other forecasts of weekly demand, each fitted in a process and an environment of its own (`demand_requirements.txt`).

python benchmarks/demand_opponents.py METHOD --panel FILE.parquet --output FILE.parquet

Writes the forecasts of all origins and, beside them as JSON, CPU seconds, peak memory and versions.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from demand_rows import make_rows
from demand_table import HORIZON, ORIGINS, QUANTILES, Demand, Floats, as_rows
from machine import describe_versions

# Takes what was known at an origin; gives quantiles of the tested products, [products, horizon, 3].
Method = Callable[[Demand], Floats]

WEEKS = 8
# Weights, leaves, trees and origins to learn were chosen on three origins (2011-01-24, 03-21 and 05-16), never on
# those that are judged; the rest is a usual preset.
LIGHTGBM: dict[str, Any] = {
    "objective": "quantile",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_child_samples": 100,
    "subsample": 0.8,
    "subsample_freq": 1,
    "colsample_bytree": 0.6,
    "reg_lambda": 1.0,
    "max_bin": 127,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
# Every second origin is learnt: all of them cost twice as much and gained nothing on those earlier origins.
TREES, FIRST_ORIGIN, STEP = 100, 12, 2


def naive(demand: Demand, back: int = 1) -> Floats:
    """The last known week, or the same week a year ago with `back` of 52; no quantiles."""
    units = demand.units[demand.tested]
    weeks = [units[:, ahead - 1 - back if back >= HORIZON else -1] for ahead in range(1, HORIZON + 1)]
    return _median_only(np.stack(weeks, axis=1))


def _median_only(forecasts: Floats) -> Floats:
    found = np.full((*forecasts.shape, len(QUANTILES)), np.nan)
    found[..., list(QUANTILES).index("q50")] = forecasts
    return found


def last_weeks(demand: Demand) -> Floats:
    """Quantiles of the last eight weeks, the same for every week ahead."""
    last = demand.units[demand.tested][:, -WEEKS:]
    return np.repeat(np.quantile(last, list(QUANTILES.values()), axis=1).T[:, None], HORIZON, axis=1)


def statistical(demand: Demand, model: str, logs: bool = False, **settings: Any) -> Floats:
    """A model of statsforecast for every product: its point forecast, and the ends of its 80 % interval.

    With `logs` it learns log(1 + units). Its errors are taken to be normal, so the point is a median; demand is
    skewed, so that of units would lie above most weeks.
    """
    forecasting, models = import_module("statsforecast"), import_module("statsforecast.models")
    if model == "WindowAverage":
        intervals = import_module("statsforecast.utils").ConformalIntervals(n_windows=10, h=HORIZON)
        settings["prediction_intervals"] = intervals
    tested = demand.units[demand.tested]
    products, weeks = tested.shape
    # Weeks before the first sale are left out: the product may not have been offered.
    known = np.arange(weeks) >= (tested > 0).argmax(axis=1)[:, None]
    series = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(products), weeks),
            "ds": np.tile(np.arange(weeks), products),
            "y": (np.log1p(tested) if logs else tested).ravel(),
        }
    )[known.ravel()]
    chosen = getattr(models, model)(alias="it", **settings)
    found = forecasting.StatsForecast(models=[chosen], freq=1, n_jobs=1).forecast(
        df=series, h=HORIZON, level=[80]
    )
    found = found.sort_values(["unique_id", "ds"])
    quantiles: Floats = found[["it-lo-80", "it", "it-hi-80"]].to_numpy(np.float64)
    return (np.expm1(quantiles) if logs else quantiles).reshape(-1, HORIZON, len(QUANTILES))


def global_boosting(demand: Demand) -> Floats:
    """LightGBM of every quantile over all tested products and weeks ahead, direct, on shares of the level.

    Rows count as their level, so the loss is that of units.
    """
    lightgbm = import_module("lightgbm")
    last = len(demand.weeks) - 1
    origins = range(last - HORIZON, FIRST_ORIGIN - 1, -STEP)
    rows = make_rows(demand, reversed(origins), demand.tested)
    asked = make_rows(demand, [last], demand.tested)
    terms, new = rows.matrix(), asked.matrix()
    found = [
        lightgbm.train(
            {**LIGHTGBM, "alpha": level, "num_threads": 1},
            lightgbm.Dataset(terms, rows.share, weight=rows.level),
            TREES,
        ).predict(new)
        for level in QUANTILES.values()
    ]
    shares = np.sort(np.stack(found, axis=1), axis=1)
    return (shares * asked.level[:, None]).reshape(-1, HORIZON, len(QUANTILES))


METHODS: dict[str, Method] = {
    "naive": naive,
    "seasonal naive": partial(naive, back=52),
    "quantiles of 8 weeks": last_weeks,
    "mean of 8 weeks, conformal": partial(statistical, model="WindowAverage", window_size=WEEKS),
    "AutoETS": partial(statistical, model="AutoETS", season_length=1),
    "dynamic optimised theta": partial(statistical, model="DynamicOptimizedTheta", season_length=1),
    "AutoETS of logs": partial(statistical, model="AutoETS", season_length=1, logs=True),
    "theta of logs": partial(statistical, model="DynamicOptimizedTheta", season_length=1, logs=True),
    "LightGBM": global_boosting,
}


# Libraries that the project does not have.
NEEDS = {
    "mean of 8 weeks, conformal": "statsforecast",
    "AutoETS": "statsforecast",
    "dynamic optimised theta": "statsforecast",
    "AutoETS of logs": "statsforecast",
    "theta of logs": "statsforecast",
    "LightGBM": "lightgbm",
}


def file_of(name: str) -> str:
    """File of a method's forecasts."""
    return name.lower().replace(",", "").replace(" ", "_") + ".parquet"


def main(arguments: Sequence[str] | None = None) -> None:
    """Forecast from every origin, and write what it cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("--panel", type=Path, required=True, help="weekly sales as demand.py writes them")
    parser.add_argument("--output", type=Path, required=True, help="file of the forecasts")
    options = parser.parse_args(arguments)
    demand = Demand.load(options.panel)
    known = {origin: demand.known(origin) for origin in ORIGINS}
    forecasts = [as_rows(each, origin, METHODS[options.method](each)) for origin, each in known.items()]
    pd.concat(forecasts, ignore_index=True).to_parquet(options.output, index=False)
    cost = {
        "cpu_seconds": round(sum(os.times()[:4]), 1),
        "peak_mib": _peak_mib(),
        "versions": describe_versions(("statsforecast", "lightgbm", "pandas", "numpy")),
    }
    options.output.with_suffix(".json").write_text(json.dumps(cost, indent=1) + "\n")


def _peak_mib() -> int:
    """Peak of resident memory; that of `getrusage` would begin with what the caller of this process held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return round(int(peak) / 1024)


if __name__ == "__main__":
    main()
