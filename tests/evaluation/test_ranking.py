"""Ranked offers measured by hand, and by what later rows cannot change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from shop_interactions import DATASET

from lepton_pipeline.evaluation.ranking import MODEL, Ranked, Ranking, judge_ranking, measure_ranking
from lepton_pipeline.parameters import Evaluation, Split
from lepton_pipeline.parameters.recommendation import Recommendation
from lepton_pipeline.recommendation.candidates import Weights
from lepton_pipeline.recommendation.history import History, later_pairs
from lepton_pipeline.recommendation.interactions import day_number, read_interactions
from lepton_pipeline.recommendation.pairs import make_pairs
from lepton_pipeline.system.records import from_json, to_json

ROLES = {"customer": "who", "item": "what", "time": "when"}
CUT = pd.Timestamp("2020-03-01")


def declared(**changes) -> Recommendation:
    small = {"candidates": 10, "top": 5, "min_customers": 1, "cuts": 5, "l2": 5.0}
    return Recommendation(**{**ROLES, **small, **changes})


def visits(rows) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["who", "what", "when"])
    return read_interactions(table.assign(when=pd.to_datetime(table["when"])), declared())


BEFORE = [
    ("a", "x", "2020-02-01"),
    ("a", "x", "2020-02-02"),
    ("a", "y", "2020-02-03"),
    ("b", "z", "2020-02-01"),
]
AFTER = [
    ("a", "x", "2020-03-05"),
    ("a", "z", "2020-03-30"),
    ("b", "z", "2020-03-05"),
    ("b", "z", "2020-04-05"),
]


def judged(scores, rows=(*BEFORE, *AFTER), **changes) -> Ranking:
    """A ranking of pairs ("a", "x") and so on with scores."""
    recommendation, interactions = declared(**changes), visits(list(rows))
    history = History.before(interactions, day_number(CUT), 30, recommendation)
    size = len(history.items)
    names = [pd.Series(each) for each in zip(*scores, strict=True)]
    keys = history.customers.of(names[0]) * size + history.items.of(names[1])
    ranked = Ranked(keys, np.array(list(scores.values()), dtype=float))
    bought = later_pairs(interactions, history, 30)
    weights = Weights.of(history, recommendation)
    return judge_ranking(history, weights, ranked, bought, 30, recommendation, Evaluation(resamples=100))


def test_a_miss_of_the_candidates_is_a_miss_of_the_list():
    """a bought x and z, and only x and y are candidates; b bought z, which has rank 1."""
    found = judged({("a", "y"): 0.9, ("a", "x"): 0.8, ("b", "z"): 0.1})
    reading = found.all_items
    assert (reading.customers, reading.relevant) == (2, 3)
    assert found.reached == pytest.approx(2 / 3)
    by_hand = ((1 / np.log2(3)) / (1 + 1 / np.log2(3)) + 1) / 2
    assert reading.figures[MODEL]["ndcg"].value == pytest.approx(by_hand)
    assert reading.figures[MODEL]["recall"].value == pytest.approx((1 / 2 + 1) / 2)
    assert reading.figures[MODEL]["coverage"].value == 1
    assert found.ndcg == reading.figures[MODEL]["ndcg"].value


def test_only_new_items_count_in_the_other_reading():
    found = judged({("a", "x"): 0.9, ("a", "z"): 0.1, ("b", "z"): 0.5})
    # b bought again what it had, so a alone counts; x is no offer.
    assert (found.new_items.customers, found.new_items.relevant) == (1, 1)
    assert found.new_items.figures[MODEL]["ndcg"].value == 1
    assert "own_purchases" not in found.new_items.figures


def test_opponents_rank_all_items():
    figures = judged({("b", "z"): 0.5}).all_items.figures
    assert set(figures) == {MODEL, "popularity", "own_purchases", "item_knn", "ease"}
    # a bought x most often, then y; b has z alone.
    assert figures["own_purchases"]["ndcg"].value == pytest.approx(
        ((1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3)) + 1) / 2
    )
    assert figures[MODEL]["hit_rate"].value == 0.5


def test_discovery_has_one_reading():
    found = judged({("a", "z"): 0.5}, purpose="discovery")
    assert found.all_items is None
    assert found.reading is found.new_items
    assert found.ndcg == 1


def test_it_is_a_record():
    found = judged({("a", "y"): 0.9, ("a", "x"): 0.8, ("b", "z"): 0.1})
    assert from_json(Ranking, to_json(found)) == from_json(
        Ranking, to_json(from_json(Ranking, to_json(found)))
    )
    assert from_json(Ranking, to_json(found)).ndcg == found.ndcg


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    draw = np.random.default_rng(2)
    days = draw.integers(0, 300, 4000)
    table = pd.DataFrame({"who": draw.integers(0, 50, 4000), "what": draw.integers(0, 30, 4000)})
    # Customers prefer the tenth of the items that goes with their number.
    table["what"] = np.where(draw.random(4000) < 0.5, table["who"] % 10, table["what"])
    return table.assign(when=pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D"))


def test_the_test_cut_of_a_table_is_measured_with_intervals_and_examples(shop):
    recommendation = declared()
    interactions = read_interactions(shop, recommendation)
    pairs = make_pairs(interactions, recommendation, DATASET, Split(strategy="time"))
    last = pairs["cut"] == pairs["cut"].max()
    split = pd.DataFrame({"part": np.where(last, "test", "train")}, index=pairs.index)
    scores = pd.DataFrame({MODEL: pairs["bought"].astype(float)})[last]
    found = measure_ranking(
        interactions, pairs, split, scores, recommendation, DATASET, Evaluation(resamples=100)
    )
    figures = found.all_items.figures
    assert figures[MODEL]["ndcg"].value > figures["ease"]["ndcg"].high
    assert all(low.low <= low.value <= low.high for low in (each["ndcg"] for each in figures.values()))
    assert found.all_items.differences["ndcg"].low > 0
    assert len(found.examples) == 3
    example = found.examples[0]
    assert sum(offer.hit for offer in example.offers) > 0
    assert example.ndcg >= found.examples[2].ndcg
    assert all(offer.reason.startswith(("bought", "because of")) for offer in example.offers)
