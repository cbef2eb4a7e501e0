"""Purchases of retail as interactions."""

from __future__ import annotations

import pandas as pd

from lepton_pipeline.verticals import retail_discovery
from lepton_pipeline.verticals.retail_recommendation import ingestion, select_purchases


def test_returns_are_left_out_and_prices_are_pounds():
    lines = pd.DataFrame(
        {
            "customer": [1, 1],
            "day": pd.to_datetime(["2011-01-01", "2011-01-02"]),
            "product": ["85123A", "85123A"],
            "country": ["UK", "UK"],
            "units": [6, -2],
            "pence": [1530, -510],
        }
    )
    found = select_purchases(lines)
    assert found[["customer", "product", "units", "price"]].to_numpy().tolist() == [[1, "85123A", 6, 2.55]]


def test_both_purposes_read_the_same_lines():
    assert ingestion is retail_discovery.ingestion
    assert {"table", "ingestion_record", "interactions"} <= ingestion().all_outputs()
