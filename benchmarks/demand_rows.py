"""Rows of product, origin and weeks ahead for a global model of demand: what is known at the origin, over the level.

The level of a product is its mean of the last 26 weeks plus 1; target, lags and spreads are shares of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from demand_table import HORIZON, Demand, Floats

LAGS, LEVEL_WEEKS, YEAR = 8, 26, 52
MEANS, SPREADS = (2, 4, 8, 13, 52), (8, 26)
Columns = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Rows:
    """Rows of a direct model: those of one origin lie together, weeks ahead innermost.

    Attributes:
        columns: one float32 value a row by name; NaN where the grid does not reach back far enough.
        level: what the target is a share of, [rows].
        share: target over level, [rows]; NaN where it is not known yet.
    """

    columns: Columns
    level: Floats
    share: Floats

    def matrix(self, names: Iterable[str] | None = None) -> npt.NDArray[np.float32]:
        """Columns side by side, all of them or those that are named."""
        return np.column_stack([self.columns[name] for name in (names or self.columns)])


def make_rows(demand: Demand, origins: Iterable[int], products: npt.NDArray[np.bool_] | None = None) -> Rows:
    """Describe products at origins, given as columns of the grid; `demand` holds what is known and no more.

    Args:
        demand: the grid up to the last known week.
        origins: columns of their last known weeks.
        products: which to describe, [products]; else at each origin those that have been sold before it.
    """
    shop = _Shop.of(demand)
    parts = [_of_origin(demand, shop, origin, products) for origin in origins]
    names = list(parts[0].columns)
    return Rows(
        {name: np.concatenate([each.columns[name] for each in parts]) for name in names},
        np.concatenate([each.level for each in parts]),
        np.concatenate([each.share for each in parts]),
    )


@dataclass(frozen=True)
class _Shop:
    """What is the same for all origins: first sales, prices carried on, sums over products."""

    first: npt.NDArray[np.intp]
    prices: Floats
    total: Floats
    on_sale: Floats

    @classmethod
    def of(cls, demand: Demand) -> _Shop:
        return cls(
            (demand.units > 0).argmax(axis=1),
            pd.DataFrame(demand.prices).ffill(axis=1).to_numpy(),
            demand.units.sum(axis=0),
            (demand.units > 0).mean(axis=0),
        )


def _of_origin(demand: Demand, shop: _Shop, origin: int, products: npt.NDArray[np.bool_] | None) -> Rows:
    units = demand.units
    chosen = np.asarray((units[:, : origin + 1] > 0).any(axis=1) if products is None else products)
    units, first, prices = units[chosen], shop.first[chosen], shop.prices[chosen]
    past = units[:, : origin + 1]
    age = origin - first
    level = past[:, -LEVEL_WEEKS:].mean(axis=1) + 1
    known: dict[str, Any] = {
        **_history(past, level),
        **_age(past, age),
        **_prices(prices, origin),
        **_shop_level(shop, origin),
        "log level": np.log(level),
    }
    rows = len(units)
    columns = {name: np.repeat(np.broadcast_to(each, rows), HORIZON) for name, each in known.items()}
    ahead: list[dict[str, Any]] = [
        {**_calendar(demand, origin + h), **_year_ago(units, shop, level, origin, h), "ahead": np.float64(h)}
        for h in range(1, HORIZON + 1)
    ]
    for name in ahead[0]:
        columns[name] = np.stack([np.broadcast_to(each[name], rows) for each in ahead], axis=1).ravel()
    later = np.full((rows, HORIZON), np.nan)
    found = units[:, origin + 1 : origin + 1 + HORIZON]
    later[:, : found.shape[1]] = found
    levels = np.repeat(level, HORIZON)
    return Rows(
        {name: each.astype(np.float32) for name, each in columns.items()}, levels, later.ravel() / levels
    )


def _history(past: Floats, level: Floats) -> dict[str, Floats]:
    """Lags, means and spreads over the level; spreads of the last 8 and 26 weeks."""
    nothing = np.full(len(past), np.nan)
    weeks = past.shape[1]
    found = {f"lag {k}": past[:, -1 - k] / level if k < weeks else nothing for k in range(LAGS)}
    for size in MEANS:
        found[f"mean {size}"] = past[:, -size:].mean(axis=1) / level
    for size in SPREADS:
        window = past[:, -size:]
        low, middle, high = np.quantile(window, [0.1, 0.5, 0.9], axis=1)
        found |= {
            f"low {size}": low / level,
            f"median {size}": middle / level,
            f"high {size}": high / level,
            f"deviation {size}": window.std(axis=1) / level,
            f"largest {size}": window.max(axis=1) / level,
        }
    weights = 0.7 ** np.arange(weeks)[::-1]
    return {**found, "smoothed": past @ (weights / weights.sum()) / level}


def _age(past: Floats, age: npt.NDArray[np.intp]) -> dict[str, Floats]:
    sold = past > 0
    return {
        "age": np.minimum(age, YEAR).astype(np.float64),
        "weeks since sale": sold[:, ::-1].argmax(axis=1).astype(np.float64),
        "without sale 8": 1 - sold[:, -8:].mean(axis=1),
        "without sale 26": 1 - sold[:, -LEVEL_WEEKS:].mean(axis=1),
    }


def _prices(prices: Floats, origin: int) -> dict[str, Floats]:
    """The last price, and what it is to those of a month and half a year ago."""
    price = np.log(prices[:, origin])
    return {
        "price": price,
        "price to 4 weeks ago": price - np.log(prices[:, max(origin - 4, 0)]),
        "price to 26 weeks ago": price - np.log(prices[:, max(origin - LEVEL_WEEKS, 0)]),
    }


def _shop_level(shop: _Shop, origin: int) -> dict[str, Floats]:
    total = shop.total[: origin + 1]
    usual = total[-LEVEL_WEEKS:].mean()
    return {
        "shop last week": total[-1] / usual,
        "shop 4 weeks": total[-4:].mean() / usual,
        "shop 8 weeks": total[-8:].mean() / usual,
        "products on sale": shop.on_sale[: origin + 1][-4:].mean(),
    }


def _calendar(demand: Demand, week: int) -> dict[str, np.float64]:
    """The target's week, weeks to Christmas, working days without the shop's closure and bank holidays."""
    monday = demand.weeks[0] + pd.Timedelta(7 * week, "D")
    days = pd.date_range(monday, periods=7, freq="D")
    year = monday.year if days[-1] <= pd.Timestamp(monday.year, 12, 25) else monday.year + 1
    christmas = pd.Timestamp(year, 12, 25)
    closed = sum(_is_closed(day) for day in days)
    return {
        "week of year": np.float64((monday.day_of_year - 1) // 7),
        "weeks to Christmas": np.float64((christmas - monday).days // 7),
        "days closed": np.float64(closed),
    }


def _is_closed(day: pd.Timestamp) -> bool:
    """Closed from Christmas Eve to 3 January; England's bank holidays of these years."""
    return (day.month, day.day) >= (12, 24) or (day.month, day.day) <= (1, 3) or day in _BANK_HOLIDAYS


_BANK_HOLIDAYS = pd.DatetimeIndex(
    [
        *("2010-04-02", "2010-04-05", "2010-05-03", "2010-05-31", "2010-08-30"),
        *("2011-04-22", "2011-04-25", "2011-04-29", "2011-05-02", "2011-05-30", "2011-08-29"),
    ]
)


def _year_ago(units: Floats, shop: _Shop, level: Floats, origin: int, ahead: int) -> dict[str, Floats]:
    """The target's week a year ago and its neighbours, and what the season did then to product and shop."""
    then, start = origin + ahead - YEAR, origin - YEAR
    nothing = np.full(len(units), np.nan)
    found = {
        f"year ago {near:+d}": units[:, then + near] / level if then + near >= 0 else nothing
        for near in (-2, -1, 0, 1, 2)
    }
    if start < LAGS - 1:
        rises = dict.fromkeys(("year ago, 5 weeks", "rise a year ago", "shop's rise a year ago"), nothing)
        return found | rises
    around = units[:, max(then - 2, 0) : then + 3].mean(axis=1)
    before = units[:, start - LAGS + 1 : start + 1].mean(axis=1)
    shop_before = shop.total[start - LAGS + 1 : start + 1].mean()
    return {
        **found,
        "year ago, 5 weeks": around / level,
        "rise a year ago": (around + 1) / (before + 1),
        "shop's rise a year ago": np.asarray(shop.total[max(then, 0)] / shop_before),
    }
