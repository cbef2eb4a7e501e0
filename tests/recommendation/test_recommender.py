"""Offers for baskets, from what a version carries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from shop_interactions import DATASET, declared, shop

from lepton_pipeline.recommendation.interactions import read_interactions
from lepton_pipeline.recommendation.recommender import OFFERED, Recommender, fit_recommender


def of_ease(pairs: pd.DataFrame) -> np.ndarray:
    return pairs["ease"].to_numpy()


def fitted(**changes) -> Recommender:
    recommendation = declared(**changes)
    return fit_recommender(read_interactions(shop(), recommendation), recommendation, DATASET)


@pytest.mark.parametrize("purpose", ["repeat", "discovery"])
def test_a_basket_of_an_unknown_customer_gets_what_goes_with_it(purpose):
    """Customers prefer every third item, so a basket of some of them asks for the others."""
    offers = fitted(purpose=purpose).offer([["i00", "i03", "i06"], ["i01", "i04"]], of_ease)
    assert list(offers) == list(OFFERED)
    assert offers["row"].tolist() == [0] * 5 + [1] * 5
    assert offers["rank"].tolist() == [1, 2, 3, 4, 5] * 2
    thirds = offers["item"].str[1:].astype(int) % 3
    assert thirds.tolist() == [0] * 5 + [1] * 5
    assert not set(offers["item"]) & {"i00", "i03", "i06", "i01", "i04"}
    assert offers["reason"].str.startswith("because of i0").all()


def test_an_unknown_item_counts_for_nothing():
    recommender = fitted()
    one, other = (recommender.offer([basket], of_ease) for basket in (["i00", "i03"], ["i00", "what", "i03"]))
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize("basket", [[], ["what"]])
def test_without_a_known_item_the_most_popular_are_offered(basket):
    offers = fitted(exclude=["i00"]).offer([basket], of_ease)
    assert len(offers) == 5
    assert offers["reason"].str.fullmatch(r"bought by \d+ customers").all()
    assert offers["score"].is_monotonic_decreasing
    # Most of the 40 customers bought it.
    assert 0.2 < offers["score"].iloc[0] <= 1
    assert "i00" not in set(offers["item"])


def test_excluded_items_are_no_offers():
    assert "i09" in set(fitted().offer([["i00", "i03"]], of_ease)["item"]) | {"i09"}
    assert "i09" not in set(fitted(exclude=["i09"]).offer([["i00", "i03"]], of_ease)["item"])


def test_what_is_saved_offers_the_same(tmp_path):
    recommender = fitted()
    recommender.save(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".safetensors"}
    baskets = [["i00", "i03"], [], ["i05"]]
    one, other = (each.offer(baskets, of_ease) for each in (recommender, Recommender.load(tmp_path)))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
