"""Reasons of offers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from shop_interactions import declared, visits

from lepton_pipeline.recommendation.history import History
from lepton_pipeline.recommendation.interactions import day_number, read_interactions
from lepton_pipeline.recommendation.reasons import give_reasons


def test_own_items_are_counted_and_new_ones_named_by_what_speaks_for_them():
    rows = [
        ("a", "x", "2020-01-01"),
        ("a", "x", "2020-01-11"),
        ("a", "y", "2020-01-11"),
        ("b", "z", "2020-01-06"),
    ]
    recommendation = declared(min_customers=1)
    cut = day_number(pd.Timestamp("2020-01-21"))
    history = History.before(read_interactions(visits(rows), recommendation), cut, 30, recommendation)
    weights = np.array([[0, 0, 0.2], [0, 0, 0.3], [0, 0, 0]], dtype=np.float32)
    found = give_reasons(history, weights, np.array([0, 0, 1]), np.array([0, 2, 0]))
    assert found == ["bought 2 times, last 10 days ago", "because of y, x", "bought by 1 customers"]
