"""What a registered version carries to offer items for a basket: the catalogue of items, and weights among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lepton_pipeline.parameters import Dataset, code_text
from lepton_pipeline.parameters.recommendation import Recommendation
from lepton_pipeline.recommendation.candidates import ITEM_AT, Weights, best, describe_pairs
from lepton_pipeline.recommendation.cuts import in_days
from lepton_pipeline.recommendation.history import History, describe_customers
from lepton_pipeline.recommendation.interactions import DAY, PRICE, UNITS, Codes
from lepton_pipeline.recommendation.reasons import discovery_reason, give_reasons
from lepton_pipeline.system.descriptions import read_description, write_arrays, write_description
from lepton_pipeline.system.records import from_plain, to_plain

FORMAT = 1
DESCRIPTION, ARRAYS = "recommender.json", "recommender.safetensors"
# Weights of an item that are kept, by size: the rest moves no list, and a version stays small.
KEPT = 256
# Columns of the offers for a basket, with their types in MLflow.
OFFERED = {"row": "long", "rank": "long", "item": "string", "score": "double", "reason": "string"}


@dataclass(frozen=True)
class Recommender:
    """The state of a shop at a cut, without its customers.

    Attributes:
        cut: days since 1970, the day after the last interaction.
        customers: how many are known.
        items: names, as texts.
        of_items: features of the items, see `History`.
        weights: of items on items, the `KEPT` largest of each item.
        excluded: items that are never offered.
    """

    recommendation: Recommendation
    cut: int
    customers: int
    items: Sequence[str]
    of_items: pd.DataFrame
    weights: Weights
    excluded: Sequence[str]

    def offer(
        self, baskets: Sequence[Sequence[str]], score: Callable[[pd.DataFrame], np.ndarray]
    ) -> pd.DataFrame:
        """Offers for baskets, also of unknown customers: the columns of `OFFERED`, `row` being the basket's place.

        All that is in a basket counts as bought on the day before the cut, and is not offered. An item that is not
        known counts for nothing; a basket without a known one gets the items of most customers, whose score is
        their share of customers.
        """
        places = Codes(pd.Index(self.items))
        known = [
            np.unique(found[found >= 0]) for found in (places.of(pd.Index(basket)) for basket in baskets)
        ]
        allowed = ~np.isin(np.array(self.items), np.array(self.excluded, dtype=str))
        filled = [row for row, basket in enumerate(known) if len(basket)]
        parts = [self._popular(row, allowed) for row, basket in enumerate(known) if not len(basket)]
        if filled:
            parts.append(self._ranked(filled, [known[row] for row in filled], allowed, score))
        offers = (
            pd.concat([pd.DataFrame({name: [] for name in OFFERED}), *parts])
            if not parts
            else pd.concat(parts)
        )
        return offers.sort_values(["row", "rank"], kind="stable").reset_index(drop=True)

    def _ranked(
        self,
        rows: Sequence[int],
        known: Sequence[np.ndarray],
        allowed: np.ndarray,
        score: Callable[[pd.DataFrame], np.ndarray],
    ) -> pd.DataFrame:
        history = self._history(known)
        # What is in the basket is no offer, so that it is asked for as for discovery.
        recommendation = self.recommendation
        pairs = describe_pairs(history, self.weights, np.arange(len(rows)), recommendation, allowed)
        keys = (pairs["customer_at"] * len(self.items) + pairs[ITEM_AT]).to_numpy()
        pairs = pairs[history.own_rows(keys) < 0].reset_index(drop=True)
        pairs = pairs.assign(score=score(pairs))
        pairs = pairs.sort_values(
            ["customer_at", "score", ITEM_AT], ascending=[True, False, True], kind="stable"
        )
        pairs = pairs.assign(rank=pairs.groupby("customer_at").cumcount() + 1)
        pairs = pairs[pairs["rank"] <= recommendation.top]
        customers, items = pairs["customer_at"].to_numpy(), pairs[ITEM_AT].to_numpy()
        return pd.DataFrame(
            {
                "row": np.array(rows, dtype=np.int64)[customers],
                "rank": pairs["rank"].to_numpy(),
                "item": np.array(self.items, dtype=object)[items],
                "score": pairs["score"].to_numpy(),
                "reason": give_reasons(history, self.weights.ease, customers, items),
            }
        )

    def _popular(self, row: int, allowed: np.ndarray) -> pd.DataFrame:
        buyers = self.of_items["item_customers"].to_numpy(np.float64)
        places = best(np.where(allowed, buyers, -np.inf)[None], self.recommendation.top)[0]
        places = places[allowed[places]]
        reasons = [
            discovery_reason([], np.array([], int), np.array([]), int(buyers[place])) for place in places
        ]
        return pd.DataFrame(
            {
                "row": row,
                "rank": np.arange(1, len(places) + 1),
                "item": np.array(self.items, dtype=object)[places],
                "score": buyers[places] / self.customers,
                "reason": reasons,
            }
        )

    def _history(self, known: Sequence[np.ndarray]) -> History:
        """Customers who bought their basket on the day before the cut, and nothing before."""
        sizes, items = [len(basket) for basket in known], np.concatenate(known)
        customers, day = np.repeat(np.arange(len(known)), sizes), self.cut - 1
        keys = customers * len(self.items) + items
        units = self.of_items["item_units"].to_numpy()[items]
        bought = {"customer_at": customers, "item_at": items, DAY: day, UNITS: units}
        if f"item_{PRICE}" in self.of_items:
            bought[PRICE] = self.of_items[f"item_{PRICE}"].to_numpy()[items]
        half_life = in_days(self.recommendation.half_life)
        own = pd.DataFrame(
            {"visits": 1, "first": day, "last": day, "recent": 0.5 ** (1 / half_life)}, range(len(keys))
        )
        own = own.assign(season=0.0 if self.of_items["item_season"].notna().any() else np.nan, units=units)
        of_customers = describe_customers(pd.DataFrame(bought), keys, own, self.cut, len(self.items))
        names = Codes(pd.RangeIndex(len(known))), Codes(pd.Index(self.items))
        return History(self.cut, *names, keys, own, self.of_items, of_customers, float(half_life))

    def save(self, folder: Path) -> None:
        """Write the weights and features as plain arrays, and the rest as JSON."""
        from scipy.sparse import csc_matrix

        arrays = {f"of_items.{name}": self.of_items[name].to_numpy(np.float64) for name in self.of_items}
        for name, weights in (("ease", self.weights.ease), ("neighbours", self.weights.neighbours)):
            sparse = csc_matrix(weights)
            arrays |= {f"{name}.{part}": getattr(sparse, part) for part in ("data", "indices", "indptr")}
        write_description(
            folder / DESCRIPTION,
            {
                "format": FORMAT,
                "recommendation": to_plain(self.recommendation),
                "cut": self.cut,
                "customers": self.customers,
                "items": list(self.items),
                "features": list(self.of_items),
                "excluded": list(self.excluded),
            },
        )
        write_arrays(folder / ARRAYS, arrays)

    @classmethod
    def load(cls, folder: Path) -> Recommender:
        """Read what `save` wrote; `DataError` on another format."""
        from safetensors.numpy import load_file
        from scipy.sparse import csc_matrix

        described, arrays = read_description(folder / DESCRIPTION, FORMAT), load_file(folder / ARRAYS)
        size = len(described["items"])
        dense = [
            csc_matrix(
                (arrays[f"{name}.data"], arrays[f"{name}.indices"], arrays[f"{name}.indptr"]),
                shape=(size, size),
            ).toarray()
            for name in ("ease", "neighbours")
        ]
        return cls(
            from_plain(Recommendation, described["recommendation"], DESCRIPTION),
            described["cut"],
            described["customers"],
            described["items"],
            pd.DataFrame({name: arrays[f"of_items.{name}"] for name in described["features"]}),
            Weights(*dense),
            described["excluded"],
        )


def fit_recommender(
    interactions: pd.DataFrame, recommendation: Recommendation, dataset: Dataset
) -> Recommender:
    """Fit what serves baskets on all interactions, see `read_interactions`."""
    cut = int(interactions[DAY].max()) + 1
    history = History.before(interactions, cut, in_days(dataset.label_delay), recommendation)
    weights = Weights.of(history, recommendation)
    names = [code_text(value) for value in history.items.names.tolist()]
    # A file of exclusions is read when offers are made; what is listed travels with the version.
    excluded = [] if isinstance(recommendation.exclude, str) else list(recommendation.exclude)
    kept = Weights(keep_largest(weights.ease, KEPT), weights.neighbours)
    return Recommender(recommendation, cut, len(history.customers), names, history.of_items, kept, excluded)


def keep_largest(weights: np.ndarray, count: int) -> np.ndarray:
    """Weights with all but the `count` largest of each column, by size, set to 0.

    >>> keep_largest(np.array([[0.1, -3.0], [0.2, 1.0], [-0.5, 2.0]]), 2).tolist()
    [[0.0, -3.0], [0.2, 0.0], [-0.5, 2.0]]
    """
    if len(weights) <= count:
        return weights
    size = np.abs(weights)
    edge = np.partition(size, len(weights) - count, axis=0)[len(weights) - count]
    return np.where(size >= edge, weights, np.zeros((), dtype=weights.dtype))
