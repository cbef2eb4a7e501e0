"""docs/forecasting.md says what the declaration knows."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from lepton_pipeline.parameters import Forecast
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.statistics.metric_table import METRICS

TEXT = (Path(__file__).parents[1] / "docs/forecasting.md").read_text(encoding="utf-8")


def test_every_key_is_in_the_table():
    table = TEXT[TEXT.index("| key of `forecast`") : TEXT.index("## What a row is")]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(Forecast.model_fields)


def test_the_first_example_is_a_whole_declaration():
    example = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0])
    vertical = read_vertical("shop_demand", example["shop_demand"])
    dataset = vertical.dataset
    assert (dataset.task, dataset.group, dataset.scale) == ("forecast", "series", "scale")
    assert dataset.label_delay == "672h"
    assert vertical.split.strategy == "time"
    assert vertical.gate.metric == "wql"
    assert list(vertical.evaluation.baselines) == ["naive", "seasonal_naive", "moving_average"]
    assert {"store", "product"} <= set(dataset.exclude)


def test_the_metric_that_decides_is_one_of_the_table():
    told = re.findall(r"^\| `(\w+)` \| ", TEXT[TEXT.index("| metric |") :], re.MULTILINE)
    assert told[:5] == ["wql", "mase", "wape", "coverage", "bias"]
    # MASE is measured on the page of forecasts only.
    assert {"wql", "wape", "coverage", "bias"} <= set(METRICS)
