"""Retail: invoice lines, summed per customer and day, as monthly snapshots labelled with who stayed away."""

from __future__ import annotations

import math

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.durations import as_timedelta
from lepton_pipeline.verticals.raw_tables import finish_table, raw_table

# Five digits, then letters for variants; postage, discounts, fees and tests have other codes.
PRODUCT = r"\d{5}[A-Za-z]*"
CANCELLED, ADJUSTED = "C", "A"
_DAY = pd.Timedelta(1, "D")
_ACTIVE, _RECENT, _YEAR = 180, 90, 365
_WINDOWS = (30, _RECENT, _ACTIVE)


def ingestion() -> Pipeline:
    """From invoice lines to one row per customer and month start."""
    return Pipeline(
        [
            raw_table("lines"),
            Node(drop_repeated_invoices, "checked_lines", "unique_lines", name="drop_repeated_invoices"),
            Node(select_customer_lines, "unique_lines", "customer_lines", name="select_customer_lines"),
            Node(summarise_days, "customer_lines", "customer_days", name="summarise_days"),
            Node(take_snapshots, ["customer_days", "params:dataset"], "snapshots", name="take_snapshots"),
            finish_table("snapshots"),
        ]
    )


def drop_repeated_invoices(lines: pd.DataFrame) -> pd.DataFrame:
    """Keep the first copy of every invoice that several files hold.

    A file begins where the time steps back. Equal lines within a file stay: a till writes a product once per
    scan, and half of the products listed twice on an invoice have different quantities.

    Args:
        lines: invoice lines, file below file, with `Invoice` and `InvoiceDate`.

    Raises:
        DataError: the copies of an invoice differ.
    """
    file = (lines["InvoiceDate"].diff() < pd.Timedelta(0)).cumsum()
    later_copy = file > file.groupby(lines["Invoice"]).transform("min")
    copied = lines["Invoice"].isin(lines.loc[later_copy, "Invoice"])
    # A sum of row hashes does not depend on the order of the lines, which differs between files.
    hashes = pd.util.hash_pandas_object(lines[copied], index=False)
    contents = hashes.groupby([lines.loc[copied, "Invoice"], file[copied]]).sum()
    contents = contents.groupby(level="Invoice").nunique()
    if (contents > 1).any():
        raise DataError(
            f"invoice {contents.idxmax()!r} occurs in several files with different lines; keep one version of it. "
            "A file begins where InvoiceDate steps back: if it occurs in one file only, sort that file by InvoiceDate."
        )
    return lines[~later_copy]


def select_customer_lines(unique_lines: pd.DataFrame) -> pd.DataFrame:
    """Keep the products that known customers bought or returned.

    Left out are lines without a customer, codes that are no products, adjustments, stock corrections (a
    negative quantity outside a cancellation) and prices of zero or less.

    Returns:
        `customer` (int64), `day` (midnight), `product`, `country`, `units` and `pence` (int64, the line's
        value); units and pence are negative for returns.
    """
    # Invoice and product codes without any letter were read as numbers.
    kind = unique_lines["Invoice"].astype("str").str[0]
    units = unique_lines["Quantity"]
    bought = ~kind.isin([CANCELLED, ADJUSTED]) & (units > 0)
    returned = (kind == CANCELLED) & (units < 0)
    product = unique_lines["StockCode"].astype("str").str.fullmatch(PRODUCT).fillna(False).astype(bool)
    known = unique_lines["Customer ID"].notna()
    kept = unique_lines[(bought | returned) & product & known & (unique_lines["Price"] > 0)]
    return pd.DataFrame(
        {
            "customer": kept["Customer ID"].astype("int64"),
            "day": kept["InvoiceDate"].dt.normalize(),
            "product": kept["StockCode"],
            "country": kept["Country"],
            "units": kept["Quantity"].astype("int64"),
            # Sums of whole pence do not depend on the order of the lines, those of fractions of a pound do.
            "pence": (kept["Quantity"] * kept["Price"] * 100).round().astype("int64"),
        }
    )


def summarise_days(customer_lines: pd.DataFrame) -> pd.DataFrame:
    """Sum up purchases and returns per customer and day; a day, not an invoice, counts as one purchase.

    Args:
        customer_lines: output of `select_customer_lines`.

    Returns:
        One sorted row per customer and day: `customer`, `day`, `country`, and int64 columns `lines` and
        `units` bought, `pence` spent, `new_products` (first bought that day) and `returned_pence`
        (positive). On a day with returns only, all but the last are 0.
    """
    keys = ["customer", "day"]
    bought = customer_lines[customer_lines["units"] > 0]
    returned = customer_lines[customer_lines["units"] < 0]
    first_bought = bought.groupby(["customer", "product"], as_index=False)["day"].min()
    # Take the first of several countries on a day, whatever the order of the lines.
    places = customer_lines[[*keys, "country"]].drop_duplicates().sort_values([*keys, "country"])
    days = places.drop_duplicates(keys).set_index(keys)
    columns = {
        "lines": bought.groupby(keys).size(),
        "units": bought.groupby(keys)["units"].sum(),
        "pence": bought.groupby(keys)["pence"].sum(),
        "new_products": first_bought.groupby(keys).size(),
        "returned_pence": -returned.groupby(keys)["pence"].sum(),
    }
    counts = {name: each.reindex(days.index, fill_value=0).astype("int64") for name, each in columns.items()}
    return days.assign(**counts).reset_index()


def take_snapshots(customer_days: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Describe every active customer at every month start, and label whether it stayed away afterwards.

    A snapshot needs 180 days of records before it, and `dataset.label_delay` (the churn horizon) after it.

    Args:
        customer_days: output of `summarise_days`.
        dataset: its `label_delay` is how long without a purchase counts as churned.

    Returns:
        One sorted row per snapshot and customer: `customer`, `snapshot` (a midnight), the features of
        `describe_customers`, and the target `churned` (bool).

    Raises:
        ConfigurationError: `dataset.label_delay` is no duration of dates.
        DataError: there are no records, or they are too short for a snapshot.
    """
    if not isinstance(dataset.label_delay, str):
        raise ConfigurationError(
            f"dataset.label_delay: {dataset.label_delay!r} is no duration without a purchase that counts as churn; "
            "declare one such as 90d."
        )
    horizon = as_timedelta(dataset.label_delay)
    if customer_days.empty:
        raise DataError(
            "no line is left of the raw table: all lack a known customer, a product or a price above 0; "
            "check the columns Customer ID, StockCode, Quantity and Price."
        )
    first, last = customer_days["day"].min(), customer_days["day"].max()
    # The last day may be incomplete: labels must be known when it begins.
    moments = pd.date_range(first + _ACTIVE * _DAY, last - horizon, freq="MS", unit="us")
    if moments.empty:
        raise DataError(
            f"the purchases cover {first:%Y-%m-%d} to {last:%Y-%m-%d}: no month start has {_ACTIVE} days before it and "
            f"{horizon.days} days (dataset.label_delay) after it; add files with earlier or later lines."
        )
    parts = []
    for moment in moments:
        rows = describe_customers(customer_days, moment)
        inside = (customer_days["day"] >= moment) & (customer_days["day"] < moment + horizon)
        buyers = customer_days.loc[inside & (customer_days["lines"] > 0), "customer"]
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
    active = bought.loc[bought["day"] >= snapshot - _ACTIVE * _DAY, "customer"].unique()
    bought = bought[bought["customer"].isin(active)]
    features = pd.DataFrame(_purchases(bought, snapshot) | _returns_and_season(past, bought, snapshot))
    # The last 90 days against the 90 before, from -1 (all before) to 1 (all recent).
    for what in ("purchases", "value"):
        recent, before = features[f"{what}_{_RECENT}d"], features.pop(f"{what}_{_ACTIVE}d_to_{_RECENT}d")
        features[f"{what}_trend"] = (recent - before) / (recent + before)
    country = past.groupby("customer")["country"].last()
    return features.assign(snapshot=snapshot, country=country).reset_index()


def _purchases(bought: pd.DataFrame, snapshot: pd.Timestamp) -> dict[str, pd.Series]:
    """Recency, purchases and value by window, and baskets."""
    customers, rows = bought["customer"], bought.groupby("customer")
    days, purchases = rows["day"], rows.size()
    recency, gaps = (snapshot - days.max()).dt.days, days.diff().dt.days.groupby(customers)
    found = {
        "recency_days": recency,
        "tenure_days": (snapshot - days.min()).dt.days,
        "gap_mean_days": gaps.mean(),
        "gap_std_days": gaps.std(),
        "overdue": recency / gaps.mean(),
    }
    windows = {f"{days}d": bought["day"] >= snapshot - days * _DAY for days in _WINDOWS}
    before_recent = windows[f"{_ACTIVE}d"] & ~windows[f"{_RECENT}d"]
    windows |= {"ever": bought["day"] < snapshot, f"{_ACTIVE}d_to_{_RECENT}d": before_recent}
    for name, inside in windows.items():
        found[f"purchases_{name}"] = inside.groupby(customers).sum()
        found[f"value_{name}"] = bought["pence"].where(inside, 0).groupby(customers).sum() / 100
    totals = rows[["pence", "lines", "units", "new_products"]].sum()
    return found | {
        "basket_value": totals["pence"] / 100 / purchases,
        "basket_lines": totals["lines"] / purchases,
        "basket_value_last": rows["pence"].last() / 100,
        "unit_price": totals["pence"] / 100 / totals["units"],
        "products_ever": totals["new_products"],
    }


def _returns_and_season(
    past: pd.DataFrame, bought: pd.DataFrame, snapshot: pd.Timestamp
) -> dict[str, pd.Series | float]:
    """Returned share of spending, above 1 for goods bought before records began; the month, and a year before."""
    returned, customers = past["returned_pence"], past["customer"]
    recent = (returned > 0) & (past["day"] >= snapshot - _ACTIVE * _DAY)
    spent = bought.groupby("customer")["pence"].sum()
    start = snapshot - _YEAR * _DAY
    season = (bought["day"] >= start) & (bought["day"] < start + _RECENT * _DAY)
    last_year = season.groupby(bought["customer"]).sum().astype("float64")
    # On a circle December is beside January; months that training has not seen lie between those it has.
    angle = 2 * math.pi * (snapshot.month - 1) / 12
    return {
        "returns_180d": recent.groupby(customers).sum().reindex(spent.index),
        "returns_share": returned.groupby(customers).sum().reindex(spent.index) / spent.where(spent > 0),
        "month_cos": math.cos(angle),
        "month_sin": math.sin(angle),
        "purchases_year_ago": last_year if past["day"].min() <= start else math.nan,
    }
