"""What a shop's customers buy next: the invoice lines of retail as interactions."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.verticals.interactions import pair_table
from lepton_pipeline.verticals.raw_tables import raw_table
from lepton_pipeline.verticals.retail import drop_repeated_invoices, select_customer_lines


def ingestion() -> Pipeline:
    """From invoice lines to pairs of a customer and an item."""
    return Pipeline(
        [
            raw_table("lines"),
            Node(drop_repeated_invoices, "checked_lines", "unique_lines", name="drop_repeated_invoices"),
            Node(select_customer_lines, "unique_lines", "customer_lines", name="select_customer_lines"),
            Node(select_purchases, "customer_lines", "purchases", name="select_purchases"),
            pair_table("purchases"),
        ]
    )


def select_purchases(customer_lines: pd.DataFrame) -> pd.DataFrame:
    """Keep what was bought, without returns; see `select_customer_lines`.

    Returns:
        `customer`, `product` (text), `day`, `units` and `price` (pounds a unit).
    """
    bought = customer_lines[customer_lines["units"] > 0]
    price = bought["pence"] / bought["units"] / 100
    return bought[["customer", "day", "units"]].assign(product=bought["product"].astype("str"), price=price)
