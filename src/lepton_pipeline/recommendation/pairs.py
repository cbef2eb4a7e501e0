"""Pairs of customers and items at each cut, with features from before it and a label from after it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset, Split
from lepton_pipeline.parameters.recommendation import CUT, LABEL, WEIGHT, Recommendation
from lepton_pipeline.recommendation.candidates import CUSTOMER_AT, ITEM_AT, Weights, describe_pairs
from lepton_pipeline.recommendation.cuts import Cuts, find_cuts
from lepton_pipeline.recommendation.history import History, later_pairs
from lepton_pipeline.recommendation.interactions import DAY, day_dates


def make_pairs(
    interactions: pd.DataFrame, recommendation: Recommendation, dataset: Dataset, split: Split
) -> pd.DataFrame:
    """Turn interactions (see `read_interactions`) into the table of pairs that a ranker learns from.

    At each cut (see `find_cuts`) candidates are proposed to every customer who buys something in the label's time
    and was known before: the question is what such a customer buys, not whether it comes back. EASE and all
    features are of interactions before the cut. The test cut keeps all of them. At the others, `sample` customers keep
    what they bought and `negatives` other candidates, which have the weight of those left out; both are drawn by
    hashes of names and cut.

    Returns:
        Sorted by cut, customer and item, which keep their declared names: `cut` (a midnight), `weight`, the
        features of `describe_pairs`, and the label `bought` (bool).

    Raises:
        DataError: the records are too short, hold no known item, or nobody bought anything after a cut.
    """
    return pairs_of(
        interactions, find_cuts(interactions[DAY], recommendation, dataset, split), recommendation
    )


def pairs_of(interactions: pd.DataFrame, cuts: Cuts, recommendation: Recommendation) -> pd.DataFrame:
    """Pairs of given cuts, see `make_pairs`."""
    parts = []
    for cut in cuts.all:
        history = History.before(interactions, cut, cuts.horizon, recommendation)
        parts.append(pairs_at(interactions, history, cuts.horizon, recommendation, drawn=cut != cuts.test))
    return pd.concat(parts, ignore_index=True)


def pairs_at(
    interactions: pd.DataFrame,
    history: History,
    horizon: int,
    recommendation: Recommendation,
    *,
    drawn: bool,
    weights: Weights | None = None,
) -> pd.DataFrame:
    """Pairs of one cut, see `make_pairs`; all of them unless `drawn`."""
    bought = later_pairs(interactions, history, horizon)
    customers = np.unique(bought // len(history.items))
    if not len(customers):
        date = day_dates(np.array([history.cut]))[0]
        raise DataError(
            f"no known customer bought a known item in the {horizon} days from {date:%Y-%m-%d} on; declare a longer "
            "dataset.label_delay, a lower recommendation.min_customers, or fewer cuts."
        )
    if drawn:
        customers = draw_customers(history, customers, recommendation.sample)
    pairs = describe_pairs(history, weights or Weights.of(history, recommendation), customers, recommendation)
    customer_at, item_at = pairs[CUSTOMER_AT].to_numpy(), pairs[ITEM_AT].to_numpy()
    label = np.isin(customer_at * len(history.items) + item_at, bought, assume_unique=True)
    names = history.customers.names.take(customer_at), history.items.names.take(item_at)
    counts = np.ones(len(pairs))
    if drawn:
        hashed = _hash(names[0], history.cut) * np.uint64(31) + _hash(names[1], history.cut)
        counts = _weigh(customer_at, hashed, label, recommendation.negatives)
    made = pd.DataFrame(
        {
            recommendation.customer: names[0],
            recommendation.item: names[1],
            CUT: day_dates(np.array([history.cut]))[0],
        }
    )
    made = pd.concat([made, pairs.drop(columns=[CUSTOMER_AT, ITEM_AT])], axis=1)
    return made.assign(**{WEIGHT: counts, LABEL: label})[counts > 0].reset_index(drop=True)


def draw_customers(history: History, customers: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the customers at some places, ascending, by hashes of their names and the cut."""
    hashed = _hash(history.customers.names.take(customers), history.cut)
    return np.sort(customers[np.argsort(hashed, kind="stable")[:count]])


def _hash(names: pd.Index, cut: int) -> np.ndarray:
    """Hashes of names and a cut: unlike a generator's numbers, they depend on no other name."""
    once = pd.util.hash_array(np.asarray(names))
    return pd.util.hash_array(once ^ np.uint64(cut))


def _weigh(customers: np.ndarray, hashed: np.ndarray, label: np.ndarray, negatives: int) -> np.ndarray:
    """Weight of each pair: 1 if bought, 0 if not drawn, else how many pairs that were not bought it stands for."""
    order = np.lexsort((pd.util.hash_array(hashed), label, customers))
    starts = np.flatnonzero(np.diff(customers[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = place
    others = np.bincount(customers[~label], minlength=int(customers.max()) + 1)[customers]
    drawn = ~label & (rank < negatives)
    return np.where(label, 1.0, np.where(drawn, others / np.minimum(others, negatives).clip(1), 0.0))
