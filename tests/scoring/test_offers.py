"""Offers to customers, with reasons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from shop_interactions import DATASET

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.parameters.recommendation import Recommendation
from lepton_pipeline.recommendation.interactions import read_interactions
from lepton_pipeline.scoring.offers import excluded_items, offer_items

VERSION = ModelVersion("shop", 3, "champion", "run", "hash")
ROWS = [
    ("a", "x", "2020-01-01"),
    ("a", "x", "2020-01-11"),
    ("a", "y", "2020-01-11"),
    ("b", "x", "2020-01-06"),
    ("b", "y", "2020-01-06"),
    ("b", "z", "2020-01-06"),
    ("c", "z", "2020-01-20"),
    ("lonely", "rare", "2020-01-20"),
]


@dataclass(frozen=True)
class OfVisits:
    """A model whose score is the customer's own visits, if any, and the popularity."""

    def scores(self, pairs: pd.DataFrame) -> np.ndarray:
        own = pairs.get("own_visits", pd.Series(0.0, index=pairs.index))
        return (own + pairs["item_customers"] / 100).to_numpy()


def offers(**changes):
    declared = {
        "customer": "who",
        "item": "what",
        "time": "when",
        "min_customers": 2,
        "candidates": 10,
        "top": 2,
    }
    recommendation = Recommendation(**{**declared, "l2": 0.5, **changes})
    table = pd.DataFrame(ROWS, columns=["who", "what", "when"])
    interactions = read_interactions(table.assign(when=pd.to_datetime(table["when"])), recommendation)
    return offer_items(interactions, OfVisits(), VERSION, recommendation, DATASET)


def test_what_was_bought_is_offered_again_with_how_often():
    found, record = offers()
    of_a = found[found["who"] == "a"]
    assert list(found) == ["who", "rank", "what", "score", "reason", "model_version"]
    assert of_a["what"].tolist() == ["x", "y"]
    assert of_a["rank"].tolist() == [1, 2]
    assert of_a["reason"].tolist() == ["bought 2 times, last 10 days ago", "bought once, 10 days ago"]
    assert (record.scored, record.rows, record.model) == (len(found), len(ROWS), VERSION)
    assert record.remark == "offers to 3 customers as of 2020-01-21"


def test_a_customer_without_history_has_no_row():
    found, _ = offers()
    assert set(found["who"]) == {"a", "b", "c"}


def test_for_discovery_nothing_is_offered_that_was_bought():
    found, _ = offers(purpose="discovery")
    assert found[["who", "what"]].to_numpy().tolist() == [["a", "z"], ["c", "x"], ["c", "y"]]
    assert found.set_index("who").loc["a", "reason"].startswith("because of")


def test_what_is_excluded_is_offered_to_nobody():
    found, record = offers(exclude=["x", "sold out"])
    assert "x" not in set(found["what"])
    assert "1 items of recommendation.exclude are not known, such as 'sold out'" in record.remark


def test_exclusions_may_stand_in_a_file(tmp_path):
    file = tmp_path / "out_of_stock.csv"
    file.write_text("item,since\n22423,2020-01-01\n 85123A ,\n")
    recommendation = Recommendation(customer="who", item="what", time="when", exclude=str(file))
    assert excluded_items(recommendation) == ["22423", "85123A"]
    lost = Recommendation(customer="who", item="what", time="when", exclude=str(tmp_path / "none.csv"))
    with pytest.raises(ConfigurationError, match=r"recommendation.exclude: .*none.csv cannot be read"):
        excluded_items(lost)
