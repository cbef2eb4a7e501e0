"""Demand of a shop: invoice lines as sales of products, to be summed by week."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.verticals.raw_tables import forecast_table, raw_table
from lepton_pipeline.verticals.retail import ADJUSTED, CANCELLED, PRODUCT, drop_repeated_invoices


def ingestion() -> Pipeline:
    """From invoice lines to one row per product, origin and week ahead."""
    return Pipeline(
        [
            raw_table("lines"),
            Node(drop_repeated_invoices, "checked_lines", "unique_lines", name="drop_repeated_invoices"),
            Node(select_sales, "unique_lines", "sales", name="select_sales"),
            forecast_table("sales"),
        ]
    )


def select_sales(unique_lines: pd.DataFrame) -> pd.DataFrame:
    """Keep what was sold of products, whoever bought it.

    Left out are cancellations and adjustments, codes that are no products, and lines without units or a price: a
    return says nothing of the demand of its week.

    Returns:
        `product`, `sold_at`, `units` (int64) and `price` (pounds a unit).
    """
    kind = unique_lines["Invoice"].astype("str").str[0]
    product = unique_lines["StockCode"].astype("str").str.fullmatch(PRODUCT).fillna(False).astype(bool)
    sold = ~kind.isin([CANCELLED, ADJUSTED]) & (unique_lines["Quantity"] > 0) & (unique_lines["Price"] > 0)
    kept = unique_lines[sold & product]
    return pd.DataFrame(
        {
            # Some tills wrote 85123a for 85123A.
            "product": kept["StockCode"].astype("str").str.upper(),
            "sold_at": kept["InvoiceDate"],
            "units": kept["Quantity"].astype("int64"),
            "price": kept["Price"],
        }
    )
