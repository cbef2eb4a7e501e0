"""Candidates and the features of pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from shop_interactions import declared, shop

from lepton_pipeline.recommendation.candidates import Weights, best, describe_pairs
from lepton_pipeline.recommendation.history import History
from lepton_pipeline.recommendation.interactions import day_number, read_interactions

CUT = day_number(pd.Timestamp("2020-09-01"))


def described(recommendation, customers=(0, 5), offered=None):
    history = History.before(read_interactions(shop(), recommendation), CUT, 30, recommendation)
    weights = Weights.of(history, recommendation)
    return history, describe_pairs(history, weights, np.array(customers), recommendation, offered)


def test_to_repeat_own_items_are_candidates_and_for_discovery_none_is():
    history, repeat = described(declared(candidates=10))
    keys = repeat["customer_at"] * len(history.items) + repeat["item_at"]
    own = [key for key in history.keys if key // len(history.items) in (0, 5)]
    assert set(own) <= set(keys)
    history, discovery = described(declared(candidates=10, purpose="discovery"))
    keys = discovery["customer_at"] * len(history.items) + discovery["item_at"]
    assert not set(keys) & set(history.keys)
    assert discovery.groupby("customer_at").size().tolist() == [10, 10]
    assert "own_visits" not in discovery


def test_ease_ranks_from_0_on():
    _, pairs = described(declared())
    first = pairs.sort_values(["customer_at", "ease_rank"]).groupby("customer_at").head(1)
    assert first["ease_rank"].tolist() == [0, 0]
    assert first["ease_share"].tolist() == [1, 1]
    assert first["ease"].tolist() == pairs.groupby("customer_at")["ease"].max().tolist()


def test_own_features_are_missing_for_what_was_never_bought():
    history, pairs = described(declared(candidates=24))
    bought = history.own_rows((pairs["customer_at"] * len(history.items) + pairs["item_at"]).to_numpy()) >= 0
    assert bought.any()
    assert not bought.all()
    assert (pairs["own_visits"] > 0).tolist() == bought.tolist()
    assert pairs["own_last_days"].notna().tolist() == bought.tolist()
    once = pairs["own_visits"] == 1
    assert pairs.loc[once, "own_gap_days"].isna().all()
    assert (pairs["own_overdue"] - pairs["own_last_days"] / pairs["own_gap_days"]).abs().max() == 0


def test_what_may_not_be_offered_is_no_candidate():
    offered = np.ones(24, dtype=bool)
    offered[[0, 3]] = False
    _, pairs = described(declared(candidates=24), offered=offered)
    assert not set(pairs["item_at"]) & {0, 3}


@pytest.mark.parametrize("count", [1, 3, 6])
def test_equal_scores_are_ranked_by_place(count):
    scores = np.array([[1.0, 2, 2, 0, 2, 1], [0, 0, 0, 0, 0, 0]])
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    assert best(scores, count).tolist() == expected.tolist()
