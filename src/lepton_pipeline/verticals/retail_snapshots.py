"""Monthly snapshots of retail customers, with the label whether each stayed away afterwards."""

from __future__ import annotations

import math

import pandas as pd

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.durations import as_timedelta

_ACTIVE = 180
_RECENT = 90
_WINDOWS = (30, _RECENT, _ACTIVE)
_YEAR = 365


def take_snapshots(customer_days: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Describe every active customer at every month start, and label whether it stayed away afterwards.

    A snapshot needs 180 days of records before it, and `dataset.label_delay` (the churn horizon) after it.

    Args:
        customer_days: output of `retail.summarise_days`.
        dataset: its `label_delay` is how long without a purchase counts as churned.

    Returns:
        One sorted row per snapshot and customer: `customer`, `snapshot` (a midnight), the features of
        `describe_customers`, and the target `churned` (bool).

    Raises:
        ConfigurationError: `dataset.label_delay` is no duration of dates.
        DataError: there are no records, or they are too short for a snapshot.
    """
    horizon = _horizon(dataset)
    if customer_days.empty:
        raise DataError(
            "no line is left of the raw table: all lack a known customer, a product or a price above 0; "
            "check the columns Customer ID, StockCode, Quantity and Price."
        )
    first, last = customer_days["day"].min(), customer_days["day"].max()
    # The last day may be incomplete: labels must be known when it begins.
    moments = pd.date_range(first + _days(_ACTIVE), last - horizon, freq="MS", unit="us")
    if moments.empty:
        raise DataError(
            f"the purchases cover {first:%Y-%m-%d} to {last:%Y-%m-%d}: no month start has {_ACTIVE} days before it and "
            f"{horizon.days} days (dataset.label_delay) after it; add files with earlier or later lines."
        )
    parts = []
    for moment in moments:
        rows, buyers = (
            describe_customers(customer_days, moment),
            _buyers(customer_days, moment, moment + horizon),
        )
        parts.append(rows.assign(churned=~rows["customer"].isin(buyers)))
    return pd.concat(parts, ignore_index=True)


def describe_customers(customer_days: pd.DataFrame, snapshot: pd.Timestamp) -> pd.DataFrame:
    """Describe the customers who bought in the 180 days before a snapshot, from earlier days only.

    Args:
        customer_days: see `take_snapshots`.
        snapshot: a midnight.

    Returns:
        One sorted row per customer. Names that end in `_days` are days, `value` is in pounds, `purchases` are
        days with a purchase, `_30d` means in the last 30 days, `_ever` since records began; `month_cos` and
        `month_sin` encode the month cyclically. Missing are `gap_mean_days` and `overdue` after one purchase,
        `gap_std_days` after two, and `purchases_year_ago` where the records do not reach back a year.
    """
    past = customer_days[customer_days["day"] < snapshot].sort_values(["customer", "day"])
    bought = past[past["lines"] > 0]
    active = bought.loc[bought["day"] >= snapshot - _days(_ACTIVE), "customer"].unique()
    bought = bought[bought["customer"].isin(active)]
    parts = [_recency(bought, snapshot), _sums(bought, snapshot), _baskets(bought)]
    parts += [_returns(past, bought, snapshot), _season(past, bought, snapshot)]
    features = pd.concat(parts, axis="columns")
    features = features.assign(**_trends(features))
    features = features.drop(columns=["purchases_180d_to_90d", "value_180d_to_90d"])
    country = past.groupby("customer")["country"].last()
    return features.assign(snapshot=snapshot, country=country).reset_index()


def _recency(bought: pd.DataFrame, snapshot: pd.Timestamp) -> pd.DataFrame:
    days = bought.groupby("customer")["day"]
    recency, tenure = (snapshot - days.max()).dt.days, (snapshot - days.min()).dt.days
    gaps = days.diff().dt.days.groupby(bought["customer"])
    gap_mean = gaps.mean()
    return pd.DataFrame(
        {
            "recency_days": recency,
            "tenure_days": tenure,
            "gap_mean_days": gap_mean,
            "gap_std_days": gaps.std(),
            "overdue": recency / gap_mean,
        }
    )


def _sums(bought: pd.DataFrame, snapshot: pd.Timestamp) -> pd.DataFrame:
    """Purchases and value by window, since records began, and in the window before the recent one."""
    windows = {f"{days}d": bought["day"] >= snapshot - _days(days) for days in _WINDOWS}
    before_recent = windows[f"{_ACTIVE}d"] & ~windows[f"{_RECENT}d"]
    windows |= {"ever": bought["day"] < snapshot, f"{_ACTIVE}d_to_{_RECENT}d": before_recent}
    sums = {}
    for name, inside in windows.items():
        rows = bought["customer"]
        sums[f"purchases_{name}"] = inside.groupby(rows).sum()
        sums[f"value_{name}"] = bought["pence"].where(inside, 0).groupby(rows).sum() / 100
    return pd.DataFrame(sums)


def _baskets(bought: pd.DataFrame) -> pd.DataFrame:
    """Mean and last basket, and the number of products ever bought."""
    rows = bought.groupby("customer")
    totals = rows[["pence", "lines", "units", "new_products"]].sum()
    purchases = rows.size()
    return pd.DataFrame(
        {
            "basket_value": totals["pence"] / 100 / purchases,
            "basket_lines": totals["lines"] / purchases,
            "basket_value_last": rows["pence"].last() / 100,
            "unit_price": totals["pence"] / 100 / totals["units"],
            "products_ever": totals["new_products"],
        }
    )


def _returns(past: pd.DataFrame, bought: pd.DataFrame, snapshot: pd.Timestamp) -> pd.DataFrame:
    """Returned share of spending; above 1 for goods bought before records began."""
    returned = past["returned_pence"]
    recent = (returned > 0) & (past["day"] >= snapshot - _days(_ACTIVE))
    spent = bought.groupby("customer")["pence"].sum()
    share = returned.groupby(past["customer"]).sum().reindex(spent.index) / spent.where(spent > 0)
    return pd.DataFrame(
        {"returns_180d": recent.groupby(past["customer"]).sum().reindex(spent.index), "returns_share": share}
    )


def _season(past: pd.DataFrame, bought: pd.DataFrame, snapshot: pd.Timestamp) -> pd.DataFrame:
    """The month, and purchases in the same season a year before."""
    start = snapshot - _days(_YEAR)
    inside = (bought["day"] >= start) & (bought["day"] < start + _days(_RECENT))
    last_year = inside.groupby(bought["customer"]).sum().astype("float64")
    known = past["day"].min() <= start
    # On a circle December is beside January; months that training has not seen lie between those it has.
    angle = 2 * math.pi * (snapshot.month - 1) / 12
    return pd.DataFrame(
        {
            "month_cos": math.cos(angle),
            "month_sin": math.sin(angle),
            "purchases_year_ago": last_year if known else math.nan,
        },
        index=last_year.index,
    )


def _trends(features: pd.DataFrame) -> dict[str, pd.Series]:
    """The last 90 days against the 90 before, from -1 (all before) to 1 (all recent)."""
    trends = {}
    for what in ("purchases", "value"):
        recent, before = features[f"{what}_{_RECENT}d"], features[f"{what}_{_ACTIVE}d_to_{_RECENT}d"]
        trends[f"{what}_trend"] = (recent - before) / (recent + before)
    return trends


def _buyers(customer_days: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> pd.Series:
    """Customers with a purchase from `start` until before `end`."""
    inside = (customer_days["day"] >= start) & (customer_days["day"] < end)
    return customer_days.loc[inside & (customer_days["lines"] > 0), "customer"]


def _horizon(dataset: Dataset) -> pd.Timedelta:
    if not isinstance(dataset.label_delay, str):
        raise ConfigurationError(
            f"dataset.label_delay: {dataset.label_delay!r} is no duration without a purchase that counts as churn; "
            "declare one such as 90d."
        )
    return as_timedelta(dataset.label_delay)


def _days(number: int) -> pd.Timedelta:
    return pd.Timedelta(number, "D")
