"""Retail: invoice lines, summed per customer and day, as monthly snapshots."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.errors import DataError
from lepton_pipeline.verticals.raw_tables import finish_table, raw_table
from lepton_pipeline.verticals.retail_snapshots import take_snapshots

# Five digits, then letters for variants; postage, discounts, fees and tests have other codes.
_PRODUCT = r"\d{5}[A-Za-z]*"
_CANCELLED, _ADJUSTED = "C", "A"


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
    contents = (
        hashes.groupby([lines.loc[copied, "Invoice"], file[copied]]).sum().groupby(level="Invoice").nunique()
    )
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
    bought = ~kind.isin([_CANCELLED, _ADJUSTED]) & (units > 0)
    returned = (kind == _CANCELLED) & (units < 0)
    product = unique_lines["StockCode"].astype("str").str.fullmatch(_PRODUCT).fillna(False).astype(bool)
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
    counts = {
        name: column.reindex(days.index, fill_value=0).astype("int64") for name, column in columns.items()
    }
    return days.assign(**counts).reset_index()
