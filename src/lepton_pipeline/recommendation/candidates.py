"""Candidates of customers, and the features of each pair of a customer and a candidate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lepton_pipeline.parameters.recommendation import Recommendation
from lepton_pipeline.recommendation.ease import cosine_neighbours, fit_ease
from lepton_pipeline.recommendation.history import History
from lepton_pipeline.recommendation.interactions import PRICE

# Customers whose scores of all items are held at once; more gain nothing.
CHUNK = 500
# Keys of the pairs' places, beside their features.
CUSTOMER_AT, ITEM_AT = "customer_at", "item_at"


@dataclass(frozen=True)
class Weights:
    """Weights of items on items at a cut, float32 [items, items] each: EASE, and cosine neighbours."""

    ease: np.ndarray
    neighbours: np.ndarray

    @classmethod
    def of(cls, history: History, recommendation: Recommendation) -> Weights:
        """Fit both on a history; EASE with purchases weighted by recency."""
        ease = fit_ease(history.bought(weighted=True), recommendation.l2)
        return cls(ease, cosine_neighbours(history.bought(weighted=False)))


@dataclass(frozen=True)
class Scores:
    """Scores of all items for some customers, [customers, items] each."""

    customers: np.ndarray  # places
    ease: np.ndarray
    neighbours: np.ndarray
    owned: np.ndarray  # bool


def score_all(history: History, weights: Weights, customers: np.ndarray) -> Iterator[Scores]:
    """Score all items for the customers of the given places, some at once."""
    recent, bought = history.bought(weighted=True), history.bought(weighted=False)
    for start in range(0, len(customers), CHUNK):
        some = customers[start : start + CHUNK]
        owned = bought[some]
        yield Scores(
            some,
            np.asarray(recent[some] @ weights.ease),
            np.asarray(owned @ weights.neighbours),
            owned.toarray() > 0,
        )


def propose(scores: Scores, recommendation: Recommendation, offered: np.ndarray | None = None) -> np.ndarray:
    """Mark candidates: the best by EASE and, to repeat, those that were bought; bool [customers, items].

    For discovery, items that a customer bought are left out. `offered` marks items that may be offered, bool [items].
    """
    allowed = (
        np.ones_like(scores.owned) if offered is None else np.repeat(offered[None], len(scores.owned), axis=0)
    )
    repeats = recommendation.purpose == "repeat"
    if not repeats:
        allowed &= ~scores.owned
    ranked = np.where(allowed, scores.ease, -np.inf)
    found = np.zeros_like(allowed)
    count = min(recommendation.candidates, ranked.shape[1])
    np.put_along_axis(found, best(ranked, count), True, axis=1)
    if repeats:
        found |= scores.owned
    kept: np.ndarray = found & allowed
    return kept


def best(scores: np.ndarray, count: int) -> np.ndarray:
    """Places of the `count` highest scores of each row, best first; of equal ones, the first place first.

    >>> best(np.array([[1.0, 3.0, 3.0, 2.0]]), 3).tolist()
    [[1, 2, 3]]
    """
    count = min(count, scores.shape[1])
    if count < scores.shape[1]:
        # Sort only what reaches the smallest of them, and break ties at the edge by place.
        edge = -np.partition(-scores, count - 1, axis=1)[:, count - 1 : count]
        above, level = scores > edge, scores == edge
        kept = above | (level & (np.cumsum(level, axis=1) <= count - above.sum(axis=1, keepdims=True)))
        places = np.nonzero(kept)[1].reshape(len(scores), count)
    else:
        places = np.tile(np.arange(count), (len(scores), 1))
    order = np.argsort(-np.take_along_axis(scores, places, axis=1), axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)


def describe_pairs(
    history: History,
    weights: Weights,
    customers: np.ndarray,
    recommendation: Recommendation,
    offered: np.ndarray | None = None,
) -> pd.DataFrame:
    """Features of the candidates of customers (their places), from before the cut; `offered` as in `propose`.

    Returns:
        One row a pair, by customer and item: `customer_at` and `item_at` (places), then features: `ease` (score),
        `ease_share` (of the customer's highest) and `ease_rank` (0 is the best), `neighbours` (score of item-kNN),
        those of the item and of the customer (see `History`), and to repeat those of the pair, missing where it
        was never bought.
    """
    parts = []
    for scores in score_all(history, weights, customers):
        candidates = propose(scores, recommendation, offered)
        row, item = np.nonzero(candidates)
        ranked = np.where(candidates, scores.ease, -np.inf)
        ranks = np.empty(ranked.shape, dtype=np.int64)
        order = np.argsort(-ranked, axis=1, kind="stable")
        np.put_along_axis(ranks, order, np.arange(ranked.shape[1])[None], axis=1)
        highest = np.maximum(ranked.max(axis=1), np.float32(1e-9))
        parts.append(
            pd.DataFrame(
                {
                    CUSTOMER_AT: scores.customers[row],
                    ITEM_AT: item,
                    "ease": scores.ease[row, item].astype(np.float64),
                    "ease_share": (scores.ease[row, item] / highest[row]).astype(np.float64),
                    "ease_rank": ranks[row, item],
                    "neighbours": scores.neighbours[row, item].astype(np.float64),
                }
            )
        )
    pairs = pd.concat(parts, ignore_index=True)
    return pd.concat([pairs, _features(history, pairs, recommendation)], axis=1)


def _features(history: History, pairs: pd.DataFrame, recommendation: Recommendation) -> pd.DataFrame:
    item = history.of_items.iloc[pairs[ITEM_AT]].reset_index(drop=True)
    customer = history.of_customers.iloc[pairs[CUSTOMER_AT]].reset_index(drop=True)
    found = pd.concat([item, customer], axis=1)
    # An item that came after the customer's last visit has not been seen by it.
    found["launched_since"] = found["item_age_days"] < found["customer_last_days"]
    if f"item_{PRICE}" in found:
        found["relative_price"] = found["item_price"] / found["customer_price"]
    if recommendation.purpose == "repeat":
        at = history.own_rows((pairs[CUSTOMER_AT] * len(history.items) + pairs[ITEM_AT]).to_numpy())
        own = history.own.iloc[np.maximum(at, 0)].reset_index(drop=True)
        bought = pd.Series(at >= 0)
        for name in ("visits", "recent", "season", "units"):
            # Times 0, so that a season before the records stays missing.
            found[f"own_{name}"] = own[name].where(bought, own[name] * 0)
        last = (history.cut - own["last"]).where(bought)
        gap = ((own["last"] - own["first"]) / (own["visits"] - 1)).where(bought & (own["visits"] > 1))
        found["own_last_days"], found["own_first_days"] = last, (history.cut - own["first"]).where(bought)
        found["own_gap_days"], found["own_overdue"] = gap, last / gap
        found["own_share"] = found["own_visits"] / found["customer_visits"]
        # 0: it was bought on the customer's last visit.
        found["own_skipped_days"] = last - found["customer_last_days"]
    return found
