"""Weekly sales of products, as a dense grid in which weeks without a sale are 0.

Opponents import this in an environment without the project (see `demand_requirements.txt`); only `read_lines` needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

FIRST_WEEK, WEEKS = "2009-11-30", 105  # The week of 2011-12-05 is not whole.
HORIZON = 4
ORIGINS = tuple(f"{day:%Y-%m-%d}" for day in pd.date_range("2011-06-13", "2011-10-31", freq="28D"))
QUANTILES = {"q10": 0.1, "q50": 0.5, "q90": 0.9}
KEYS = ["product", "origin", "ahead"]
_PRODUCT = r"\d{5}[A-Z]*"
_YEAR, _ACTIVE = 52, 20


@dataclass(frozen=True)
class Demand:
    """Units and prices of all products by week.

    Attributes:
        products: codes, in order.
        weeks: Mondays, in order, without a gap.
        units: sold, [products, weeks].
        prices: mean price of a unit [products, weeks]; NaN in weeks without a sale.
        tested: whether forecasts of the product are judged, [products].
    """

    products: npt.NDArray[Any]
    weeks: pd.DatetimeIndex
    units: Floats
    prices: Floats
    tested: npt.NDArray[np.bool_]

    def place(self, week: str) -> int:
        """Column of a week."""
        return _place(self.weeks, week)

    def known(self, origin: str) -> Demand:
        """What was known at the end of the origin's week."""
        end = self.place(origin) + 1
        return replace(self, weeks=self.weeks[:end], units=self.units[:, :end], prices=self.prices[:, :end])

    def with_all_tested(self) -> Demand:
        """The same with every product tested."""
        return replace(self, tested=np.ones_like(self.tested))

    def save(self, file: Path) -> None:
        """Write one row per product and week."""
        shape = self.units.shape
        pd.DataFrame(
            {
                "product": np.repeat(self.products, shape[1]),
                "week": np.tile(self.weeks.to_numpy(), shape[0]),
                "units": self.units.ravel().astype(np.int64),
                "price": self.prices.ravel(),
                "tested": np.repeat(self.tested, shape[1]),
            }
        ).to_parquet(file, index=False)

    @classmethod
    def load(cls, file: Path) -> Demand:
        """Read what `save` wrote."""
        rows = pd.read_parquet(file)
        weeks = pd.DatetimeIndex(rows["week"].unique())
        first = rows.iloc[:: len(weeks)]

        def grid(name: str) -> Floats:
            return rows[name].to_numpy(np.float64).reshape(-1, len(weeks))

        return cls(
            first["product"].to_numpy(object),
            weeks,
            grid("units"),
            grid("price"),
            first["tested"].to_numpy(bool),
        )


def _place(weeks: pd.DatetimeIndex, week: str) -> int:
    (found,) = np.flatnonzero(weeks == pd.Timestamp(week))
    return int(found)


def read_lines(folder: Path) -> pd.DataFrame:
    """Invoice lines of both files; an invoice that is in both counts once."""
    from lepton_pipeline.verticals.retail import drop_repeated_invoices

    files = [
        pd.read_csv(file, dtype={"Invoice": "str", "StockCode": "str"})
        for file in sorted(folder.glob("*.csv.xz"))
    ]
    lines = pd.concat(files, ignore_index=True)
    return drop_repeated_invoices(
        lines.assign(InvoiceDate=pd.to_datetime(lines["InvoiceDate"], format="%m/%d/%Y %H:%M"))
    )


def select_sales(lines: pd.DataFrame) -> pd.DataFrame:
    """Lines that sell a product: no cancellation, adjustment, return or stock correction, and a price above 0.

    Codes that differ in case are the same product: a till writes 85123a as well as 85123A.
    """
    product = lines["StockCode"].str.upper()
    sale = (lines["Quantity"] > 0) & (lines["Price"] > 0) & ~lines["Invoice"].str[0].isin(["C", "A"])
    return lines.assign(product=product)[sale & product.str.fullmatch(_PRODUCT)]


def sum_weeks(sales: pd.DataFrame, weeks: int = WEEKS, origin: str = ORIGINS[0]) -> Demand:
    """Sum up units and prices by product and week.

    Tested are products that are older than a year at the first origin, with a sale in at least 20 of 52 weeks.
    """
    mondays = pd.date_range(FIRST_WEEK, periods=weeks, freq="7D")
    day = sales["InvoiceDate"].dt.normalize()
    week = day - pd.to_timedelta(day.dt.day_of_week, unit="D")
    rows = sales.assign(week=week, value=sales["Quantity"] * sales["Price"])
    units, value = (
        rows.pivot_table(index="product", columns="week", values=name, aggfunc="sum", fill_value=0).reindex(
            columns=mondays, fill_value=0
        )
        for name in ("Quantity", "value")
    )
    sold = units.to_numpy(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        prices = value.to_numpy(np.float64) / sold
    end = _place(mondays, origin) + 1
    age = end - 1 - (sold > 0).argmax(axis=1)
    active = (sold[:, max(end - _YEAR, 0) : end] > 0).sum(axis=1) >= _ACTIVE
    return Demand(units.index.to_numpy(object), mondays, sold, prices, active & (age >= _YEAR))


def as_rows(demand: Demand, origin: str, quantiles: Floats) -> pd.DataFrame:
    """Forecasts of one origin [tested products, horizon, 3] as rows: whole units, no fewer than 0, in order."""
    products = demand.products[demand.tested]
    whole = np.rint(np.maximum(quantiles, 0))
    lacking = np.isnan(whole).any(axis=2, keepdims=True)
    flat = np.where(lacking, whole, np.sort(whole, axis=2)).reshape(-1, len(QUANTILES))
    keys = {
        "product": np.repeat(products, HORIZON),
        "origin": origin,
        "ahead": np.tile(np.arange(1, HORIZON + 1), len(products)),
    }
    return pd.DataFrame({**keys, **dict(zip(QUANTILES, flat.T, strict=True))})


def as_array(demand: Demand, forecasts: pd.DataFrame, origins: Sequence[str] = ORIGINS) -> Floats:
    """Rows of forecasts as [tested products, origins, horizon, 3].

    Raises:
        ValueError: a forecast lacks, or is there twice.
    """
    wanted = pd.MultiIndex.from_product(
        [demand.products[demand.tested], list(origins), range(1, HORIZON + 1)], names=KEYS
    )
    given = forecasts.assign(
        product=forecasts["product"].astype(object),
        origin=pd.to_datetime(forecasts["origin"]).dt.strftime("%Y-%m-%d"),
    ).set_index(KEYS)
    lacking = len(wanted) - int(wanted.isin(given.index).sum())
    if lacking or given.index.has_duplicates:
        raise ValueError(
            f"{lacking:,} of {len(wanted):,} forecasts lack, {int(given.index.duplicated().sum()):,} are there twice; "
            f"forecast every tested product from every origin ({', '.join(origins)}), 1 to {HORIZON} weeks ahead."
        )
    found = given.loc[wanted, list(QUANTILES)].to_numpy(np.float64)
    return found.reshape(-1, len(origins), HORIZON, len(QUANTILES))
