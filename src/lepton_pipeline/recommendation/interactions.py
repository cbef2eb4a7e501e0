"""Interactions of customers with items: one row per customer, item and day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters.recommendation import Recommendation

EPOCH = pd.Timestamp("1970-01-01")
CUSTOMER, ITEM, DAY, UNITS, PRICE = "customer", "item", "day", "units", "price"


def read_interactions(table: pd.DataFrame, recommendation: Recommendation) -> pd.DataFrame:
    """Sum up a table of interactions per customer, item and day.

    A row without customer, item or time counts for nothing, nor does one of a quantity of 0 or less, such as a
    return. Several rows of a customer, an item and a day are one purchase, so that a row that stands twice changes
    the units only.

    Args:
        table: interactions with the declared columns, in any order.
        recommendation: the columns' roles.

    Returns:
        Sorted by all of `customer`, `item` (as in the table) and `day` (int64, days since 1970), with `units`
        (float64, 1 a row without a declared quantity) and, where it is declared, `price` (float64, mean of the day).

    Raises:
        DataError: a column is absent, holds no dates or numbers, or no interaction is left.
    """
    roles = {CUSTOMER: recommendation.customer, ITEM: recommendation.item, DAY: recommendation.time}
    roles |= {} if recommendation.quantity is None else {UNITS: recommendation.quantity}
    roles |= {} if recommendation.price is None else {PRICE: recommendation.price}
    names = [str(name) for name in table.columns]
    declared = {"customer": CUSTOMER, "item": ITEM, "time": DAY, "quantity": UNITS, "price": PRICE}
    needed = {f"recommendation.{key}": [roles[role]] for key, role in declared.items() if role in roles}
    check_columns(names, needed, "the table of interactions")
    rows = pd.DataFrame({role: table[name] for role, name in roles.items()})
    _require_types(rows, roles)
    if UNITS not in rows:
        rows[UNITS] = 1.0
    rows = rows[
        rows[[CUSTOMER, ITEM, DAY]].notna().all(axis=1) & (rows[UNITS] > 0).fillna(False).astype(bool)
    ]
    if rows.empty:
        raise DataError(
            f"none of the {len(table):,} interactions has a {roles[CUSTOMER]}, a {roles[ITEM]} and a {roles[DAY]}"
            f"{' with a ' + str(recommendation.quantity) + ' above 0' if recommendation.quantity else ''}; "
            "check the columns that recommendation names, and the raw files."
        )
    days = rows[DAY].dt.tz_localize(None) if rows[DAY].dt.tz is not None else rows[DAY]
    numbered = (days.dt.normalize() - EPOCH) // pd.Timedelta(1, "D")
    rows = rows.assign(**{DAY: numbered.astype("int64"), UNITS: rows[UNITS].astype("float64")})
    found: dict[str, tuple[str, str]] = {UNITS: (UNITS, "sum")}
    if PRICE in rows:
        rows, found = rows.assign(**{PRICE: rows[PRICE].astype("float64")}), {**found, PRICE: (PRICE, "mean")}
    summed: pd.DataFrame = rows.groupby([CUSTOMER, ITEM, DAY], as_index=False, observed=True).agg(**found)
    return summed


def _require_types(rows: pd.DataFrame, roles: dict[str, str]) -> None:
    if rows.empty:
        raise DataError("the table of interactions has no row; check the raw files, and dataset.as_of.")
    if not pd.api.types.is_datetime64_any_dtype(rows[DAY]):
        raise DataError(
            f"recommendation.time: column {roles[DAY]!r} holds {rows[DAY].iloc[0]!r}, no date; "
            "declare its format in ingestion.dates."
        )
    for role in (UNITS, PRICE):
        if role in rows and not pd.api.types.is_numeric_dtype(rows[role]):
            raise DataError(
                f"column {roles[role]!r} holds {rows[role].iloc[0]!r}, no number; name another one."
            )


def day_number(date: pd.Timestamp) -> int:
    """Days since 1970 of a date.

    >>> day_number(pd.Timestamp("1970-02-01"))
    31
    """
    return (date.normalize() - EPOCH).days


def day_dates(days: np.ndarray) -> pd.DatetimeIndex:
    """Dates of days since 1970.

    >>> day_dates(np.array([31]))[0].date().isoformat()
    '1970-02-01'
    """
    return pd.DatetimeIndex(EPOCH + pd.to_timedelta(days, unit="D")).as_unit("us")


@dataclass(frozen=True)
class Codes:
    """Names and their places, such as the customers or the items before a cut."""

    names: pd.Index

    def __len__(self) -> int:
        return len(self.names)

    def of(self, names: pd.Series | pd.Index) -> np.ndarray:
        """Place of each name, -1 for an unknown one."""
        return self.names.get_indexer(pd.Index(names))
