"""Our forecasts of weekly demand: what the vertical retail_demand, as declared, would have forecast at each origin.

python benchmarks/demand_ours.py --output benchmarks/results/demand/ours.parquet

At each origin the rows, the split, the encoder and the model are made of what was known then, by the stages of the
pipeline and with its defaults. Opponents learn from all weeks up to the origin, and so does this: no row is kept for a
test, since later weeks are the test. Beside the forecasts stand CPU seconds and peak memory, as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pandas as pd
from demand_table import ORIGINS, QUANTILES, read_lines

from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.forecast_rows import forecast_rows
from lepton_pipeline.features.leaks import check_features
from lepton_pipeline.features.series_grid import make_grid
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.project.declaration import read_parameters
from lepton_pipeline.tasks.find import find_target
from lepton_pipeline.tasks.forecast import Forecast
from lepton_pipeline.tasks.split import split_rows
from lepton_pipeline.verticals.retail_demand import select_sales

_WEEK = pd.Timedelta(weeks=1)
# A split by time needs a test; what it would hold joins the validation rows.
_SMALLEST = 1e-6


def forecast_at(sales: pd.DataFrame, vertical: Vertical, origin: str) -> tuple[pd.DataFrame, int]:
    """Forecasts of all products from the end of a week, see `demand.py`, and how many rows were learnt from."""
    made = pd.Timestamp(origin) + _WEEK
    dataset = vertical.dataset.model_copy(update={"as_of": f"{made:%Y-%m-%d}"})
    forecast = vertical.forecast
    if forecast is None:
        raise ValueError("the vertical declares no forecast")
    grid = make_grid(sales, forecast, dataset)
    rows = forecast_rows(grid, forecast, dataset)
    # Products are tested that were active at the first origin, whether they still are or not.
    upcoming = forecast_rows(grid, forecast.model_copy(update={"active": 0.0}), dataset, upcoming=True)
    target = find_target(rows, dataset, vertical.training, vertical.evaluation)
    split = split_rows(rows, target, dataset, vertical.split.model_copy(update={"test": _SMALLEST}))
    split = split.assign(part=split["part"].mask(split["part"] == "test", "validation"))
    report = check_features(rows, split, target, dataset, vertical.leaks, vertical.features)
    encoder, encoded = encode_rows(
        rows, split, target, dataset, report, vertical.leaks, vertical.features, vertical.training
    )
    # Opponents have one thread, too.
    training = vertical.training.model_copy(update={"jobs": 1})
    model, _, _ = train_model(encoded, split, target, training)
    scores = model.predict(encoder.transform(upcoming), upcoming["scale"].to_numpy())
    quantiles = pd.DataFrame(cast(Forecast, model.task).ordered(scores), columns=list(QUANTILES))
    keys = upcoming[["product", "ahead"]].assign(origin=origin)
    return pd.concat([keys, quantiles], axis="columns"), len(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Forecast from every origin, and write what it cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="file of the forecasts")
    parser.add_argument("--origins", nargs="+", default=ORIGINS, help="last known weeks, their Mondays")
    parser.add_argument("--share", type=float, default=1.0, help="of the products, drawn by their names")
    options = parser.parse_args(arguments)
    root = Path(__file__).parents[1]
    sales = select_sales(read_lines(root / "data/01_raw/retail"))
    drawn = pd.util.hash_array(sales["product"].to_numpy(object)) < options.share * 2.0**64
    sales, read = sales[drawn], sum(os.times()[:4])
    vertical = read_parameters(root / "conf/base", "retail_demand")
    forecasts, rows = [], 0
    for origin in options.origins:
        made, learnt = forecast_at(sales, vertical, origin)
        forecasts.append(made)
        rows += learnt
        print(f"{origin}  {len(forecasts[-1]):,} forecasts, {sum(os.times()[:2]):.0f} CPU s", flush=True)
        pd.concat(forecasts, ignore_index=True).to_parquet(options.output, index=False)
    cost = {
        "series": int(sales["product"].nunique()),
        "rows": rows,
        "cpu_seconds": round(sum(os.times()[:4]), 1),
        "reading_cpu_seconds": round(read, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    options.output.with_suffix(".json").write_text(json.dumps(cost, indent=1) + "\n")


if __name__ == "__main__":
    main()
