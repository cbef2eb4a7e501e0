"""What was known of customers and items at a cut, from the interactions before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters.durations import as_timedelta
from lepton_pipeline.parameters.recommendation import Recommendation
from lepton_pipeline.recommendation.ease import require_few_items
from lepton_pipeline.recommendation.interactions import CUSTOMER, DAY, ITEM, PRICE, UNITS, Codes

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_MONTH, _QUARTER, _YEAR = 30, 90, 365


@dataclass(frozen=True)
class History:
    """Customers and items before a cut.

    Attributes:
        cut: days since 1970; nothing of that day or later counts.
        customers, items: known ones. An item is known that `min_customers` customers bought, a customer who bought
            a known item.
        keys: customer place * items + item place of each pair that was bought, sorted.
        own: one row a key: `visits` (days with a purchase), `first` and `last` (days since 1970), `recent` (visits
            by their recency), `season` (visits in the time a year before the label's) and `units`.
        of_items, of_customers: features, one row a place; see `_items` and `describe_customers`.
        half_life: days.
    """

    cut: int
    customers: Codes
    items: Codes
    keys: np.ndarray
    own: pd.DataFrame
    of_items: pd.DataFrame
    of_customers: pd.DataFrame
    half_life: float

    @classmethod
    def before(
        cls, interactions: pd.DataFrame, cut: int, horizon: int, recommendation: Recommendation
    ) -> History:
        """Describe the interactions (see `read_interactions`) before a cut; `horizon` is the label's, in days.

        Raises DataError where no item is known, or too many are.
        """
        past = interactions[interactions[DAY] < cut]
        buyers = past.drop_duplicates([CUSTOMER, ITEM]).groupby(ITEM, observed=True).size()
        items = Codes(pd.Index(np.sort(buyers.index[buyers >= recommendation.min_customers].to_numpy())))
        if not len(items):
            most = 0 if buyers.empty else int(buyers.max())
            raise DataError(
                f"recommendation.min_customers: before {_date(cut)} no item was bought by "
                f"{recommendation.min_customers} customers (the most are {most}); declare a lower number, fewer cuts, "
                "or bring earlier interactions."
            )
        require_few_items(len(items))
        past = past[items.of(past[ITEM]) >= 0]
        customers = Codes(pd.Index(np.sort(past[CUSTOMER].unique())))
        half_life = as_timedelta(recommendation.half_life).total_seconds() / 86400
        start = cut - _YEAR
        past = past.assign(
            customer_at=customers.of(past[CUSTOMER]),
            item_at=items.of(past[ITEM]),
            recent=0.5 ** ((cut - past[DAY]) / half_life),
            season=((past[DAY] >= start) & (past[DAY] < start + horizon)).astype("float64"),
        )
        past = past.assign(key=past["customer_at"] * len(items) + past["item_at"])
        grouped = past.groupby("key")
        own = pd.DataFrame(
            {
                "visits": grouped.size(),
                "first": grouped[DAY].min(),
                "last": grouped[DAY].max(),
                "recent": grouped["recent"].sum(),
                "season": grouped["season"].sum(),
                "units": grouped[UNITS].sum(),
            }
        )
        keys, own = own.index.to_numpy(), own.reset_index(drop=True)
        # A year ago must lie in the records; their first day may be incomplete.
        seasonal = bool(past[DAY].min() < start)
        if not seasonal:
            own = own.assign(season=np.nan)
        return cls(
            cut,
            customers,
            items,
            keys,
            own,
            _items(past, keys, own, cut, seasonal, len(items)),
            describe_customers(past, keys, own, cut, len(items)),
            half_life,
        )

    def bought(self, *, weighted: bool) -> csr_matrix:
        """Customers by items: 1 where bought, or, `weighted`, half of it a half-life since the last purchase."""
        from scipy.sparse import csr_matrix

        values = np.ones(len(self.keys))
        if weighted:
            values = 0.5 ** ((self.cut - self.own["last"].to_numpy()) / self.half_life)
        shape = len(self.customers), len(self.items)
        return csr_matrix((values.astype(np.float32), np.divmod(self.keys, len(self.items))), shape=shape)

    def own_rows(self, keys: np.ndarray) -> np.ndarray:
        """Row of `own` of each key, -1 for pairs that were never bought."""
        return find(self.keys, keys)


def find(sorted_keys: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Place of each key among sorted ones, -1 where it is absent.

    >>> find(np.array([2, 5]), np.array([5, 3, 9])).tolist()
    [1, -1, -1]
    """
    at = np.searchsorted(sorted_keys, keys)
    inside = np.minimum(at, max(len(sorted_keys) - 1, 0))
    if not len(sorted_keys):
        return np.full(len(keys), -1)
    return np.where(sorted_keys[inside] == keys, inside, -1)


def later_pairs(interactions: pd.DataFrame, history: History, horizon: int) -> np.ndarray:
    """Keys of known customers and items with an interaction in the `horizon` days from the cut on, sorted."""
    days = interactions[DAY]
    rows = interactions[(days >= history.cut) & (days < history.cut + horizon)]
    customer, item = history.customers.of(rows[CUSTOMER]), history.items.of(rows[ITEM])
    known = (customer >= 0) & (item >= 0)
    return np.unique(customer[known] * len(history.items) + item[known])


def _items(
    past: pd.DataFrame, keys: np.ndarray, own: pd.DataFrame, cut: int, seasonal: bool, size: int
) -> pd.DataFrame:
    """Features of items: buyers, visits of the last 30 and 90 days and of the season, price, age."""
    place, rows = np.mod(keys, size), past.groupby("item_at")
    age = cut - past[DAY]
    month = (age <= _MONTH).groupby(past["item_at"]).sum()
    quarter = (age <= _QUARTER).groupby(past["item_at"]).sum()
    buyers = np.bincount(place, minlength=size)
    found = {
        "item_customers": buyers,
        "item_recent": rows["recent"].sum(),
        "item_visits_30d": month,
        "item_visits_90d": quarter,
        # From -1, nothing in the last of three months, to 1, everything in it; 0 is even.
        "item_trend": (3 * month - quarter) / (3 * month + quarter + 1),
        "item_season": rows["season"].sum() if seasonal else np.nan,
        "item_age_days": cut - rows[DAY].min(),
        "item_last_days": cut - rows[DAY].max(),
        "item_repeat_share": np.bincount(place[own["visits"].to_numpy() > 1], minlength=size) / buyers,
        "item_units": rows[UNITS].sum() / rows.size(),
    }
    if PRICE in past:
        found["item_price"] = rows[PRICE].mean()
    return pd.DataFrame(found)


def describe_customers(
    past: pd.DataFrame, keys: np.ndarray, own: pd.DataFrame, cut: int, size: int
) -> pd.DataFrame:
    """Features of customers: visits, breadth, basket, price, share of items that they repeat."""
    days = past.drop_duplicates(["customer_at", DAY])
    visits, rows = days.groupby("customer_at"), past.groupby("customer_at")
    place = keys // size
    items = np.bincount(place)
    found = {
        "customer_last_days": cut - visits[DAY].max(),
        "customer_tenure_days": cut - visits[DAY].min(),
        "customer_visits": visits.size(),
        "customer_visits_90d": (cut - days[DAY] <= _QUARTER).groupby(days["customer_at"]).sum(),
        "customer_items": items,
        "customer_basket": rows.size() / visits.size(),
        "customer_units": rows[UNITS].sum() / rows.size(),
        "customer_repeat_share": np.bincount(place[own["visits"].to_numpy() > 1], minlength=len(items))
        / items,
    }
    if PRICE in past:
        found["customer_price"] = rows[PRICE].mean()
    return pd.DataFrame(found)


def _date(day: int) -> str:
    return f"{pd.Timestamp('1970-01-01') + pd.Timedelta(day, 'D'):%Y-%m-%d}"
