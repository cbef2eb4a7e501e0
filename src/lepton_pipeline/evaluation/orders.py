"""From forecasts to orders: order-up-to levels, and what they would have cost beside those of a moving average."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.forecast_scores import join_rows, quantile_columns
from lepton_pipeline.evaluation.forecasts import AMOUNT, SHARE, estimate
from lepton_pipeline.model.order_rule import OrderRule, stretch
from lepton_pipeline.parameters import Dataset, Evaluation
from lepton_pipeline.parameters.forecast import Forecast, Order
from lepton_pipeline.statistics.conformal import fit_upper
from lepton_pipeline.statistics.crossed import Cells, Drawn, Weights, divide, resample_both
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.losses import Floats

MODEL, AVERAGE = "model", "moving_average"
# What figures can be.
_BOUNDS = {"service": SHARE, "fill": SHARE, "left": AMOUNT, "short": AMOUNT, "cost": AMOUNT}
# Narrower ranges count as this one: a range of nought would never grow with the factor.
_NARROW = 0.05


@dataclass(frozen=True)
class Orders:
    """Orders of the test rows, one a series and origin, by the model and by the moving average.

    Figures, per order where nothing else is said:

    - service: share of orders that cover the demand of their lead time.
    - fill: share of the demand that is covered.
    - stock: the order-up-to level.
    - left, short: units not asked for, and units asked for and not there.
    - cost: of both, where costs are declared.
    - needed: the order-up-to level by the factor, in hindsight, that covers just the declared share of the
      demands. It compares both at the same service level.
    """

    orders: int = 0  # 0: none is declared, and nothing else is known
    held_out: int = 0  # orders of the validation rows, that chose the factors
    lead_time: int = 0
    level: float = 0.0
    by_costs: bool = False  # whether the level follows from costs
    unit: str = ""  # of costs
    factors: Mapping[str, float] = field(default_factory=dict)
    narrowest: float = 0.0  # see `OrderRule`
    whole: bool = False
    figures: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    differences: Mapping[str, Estimate] = field(default_factory=dict)  # model less moving average
    # Shares of the moving average's figure that the model's is above it: stock, left, short, cost and needed.
    shares: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def factor(self) -> float | None:
        """The factor of the model's orders; None where none are declared."""
        return self.factors.get(MODEL)

    @property
    def rule(self) -> OrderRule | None:
        """How the model's forecasts become orders; None where none are declared."""
        if self.factor is None:
            return None
        return OrderRule(self.lead_time, self.level, self.factor, self.narrowest, self.whole)


def measure_orders(
    scores: pd.DataFrame,
    feature_table: pd.DataFrame,
    dataset: Dataset,
    evaluation: Evaluation,
    forecast: Forecast | None,
) -> Orders:
    """Order by the forecasts of the test rows, and by their moving average; nothing if no order is declared.

    An order-up-to level is the sum of the medians over the lead time, and a factor times that of the upper
    quantiles less the medians; for the moving average, the sum of the scales stands for the latter. The factor
    of each is the conformal quantile at the declared level of orders of the validation rows. Arguments and
    intervals are those of `measure_forecasts`.

    Raises:
        DataError: the orders of the validation rows are too few for the level.
    """
    if forecast is None or forecast.order is None:
        return Orders()
    order = forecast.order
    held_out, test = (
        _sum_orders(scores, feature_table, dataset, forecast, part) for part in ("validation", "test")
    )
    labels = scores["label"].to_numpy(np.float64)
    whole, least = bool((labels == np.round(labels)).all()), 0.0 if (labels >= 0).all() else -inf
    widths = held_out["width"].to_numpy(np.float64)
    narrowest = float(np.quantile(widths[widths > 0], _NARROW)) if (widths > 0).any() else 1.0
    factors, drawn = {}, {}
    for name, (middle, width) in {MODEL: ("median", "width"), AVERAGE: ("average", "scale")}.items():
        guard = narrowest if name == MODEL else 0.0
        known, new = (_Policy.of(rows, middle, width, guard, whole, least) for rows in (held_out, test))
        factors[name] = fit_upper(known.factors_needed(), order.level, "orders")
        drawn[name] = _resample(test, new, factors[name], order, evaluation)
    both = {
        name: (drawn[MODEL][name], drawn[AVERAGE][name]) for name in drawn[MODEL] if name in drawn[AVERAGE]
    }
    return Orders(
        orders=len(test),
        held_out=len(held_out),
        lead_time=order.lead_time,
        level=order.level,
        by_costs=order.service_level is None,
        unit=order.unit,
        factors=factors,
        narrowest=narrowest,
        whole=whole,
        figures={
            policy: {
                name: estimate(each, test, _BOUNDS.get(name, (-inf, inf))) for name, each in figures.items()
            }
            for policy, figures in drawn.items()
        },
        differences={
            name: estimate(one.combine(other, np.subtract), test) for name, (one, other) in both.items()
        },
        shares={
            name: estimate(one.combine(other, _share_above), test)
            for name, (one, other) in both.items()
            if name not in ("service", "fill") and other.value
        },
    )


@dataclass(frozen=True)
class _Policy:
    """How orders are made: a middle, and a width that a factor stretches, [orders] each."""

    middle: Floats
    width: Floats
    demand: Floats
    whole: bool
    least: float

    @classmethod
    def of(
        cls, rows: pd.DataFrame, middle: str, width: str, narrowest: float, whole: bool, least: float
    ) -> _Policy:
        columns = (rows[name].to_numpy(np.float64) for name in (middle, width, "demand"))
        at, wide, demand = columns
        return cls(at, np.maximum(wide, narrowest), demand, whole, least)

    def factors_needed(self) -> Floats:
        """The least factor by which each order covers its demand."""
        needed: Floats = (self.demand - self.middle) / self.width
        return needed

    def levels(self, factor: Floats | float) -> Floats:
        return np.maximum(stretch(self.middle, self.width, factor, whole=self.whole), self.least)


def _sum_orders(
    scores: pd.DataFrame, feature_table: pd.DataFrame, dataset: Dataset, forecast: Forecast, part: str
) -> pd.DataFrame:
    """Sums over the lead time by series and origin; orders that lack a period of it are left out."""
    assert forecast.order is not None  # noqa: S101  # `measure_orders` has looked
    rows = join_rows(scores, feature_table, dataset, forecast, part)
    own = scores.loc[rows.index]
    summed = pd.DataFrame(
        {
            "series": rows["series"],
            "origin": rows["origin"],
            "demand": rows["label"],
            "median": own[MODEL],
            "width": own[quantile_columns(MODEL, forecast.levels)[-1]] - own[MODEL],
            "average": own[AVERAGE],
            "scale": rows["scale"],
            "periods": 1,
        }
    )
    lead_time = forecast.order.lead_time
    orders = summed[rows["ahead"] <= lead_time].groupby(["series", "origin"], sort=True, as_index=False).sum()
    return orders[orders["periods"] == lead_time].reset_index(drop=True)


def _resample(
    orders: pd.DataFrame, policy: _Policy, factor: float, order: Order, evaluation: Evaluation
) -> dict[str, Drawn]:
    series, origins = (pd.factorize(orders[name], sort=True)[0] for name in ("series", "origin"))
    levels, demand = policy.levels(factor), policy.demand
    short, left = np.maximum(demand - levels, 0.0), np.maximum(levels - demand, 0.0)
    columns = {
        "orders": np.ones(len(orders)),
        "demand": demand,
        "service": (levels >= demand).astype(np.float64),
        "stock": levels,
        "left": left,
        "short": short,
    }
    if order.under is not None and order.over is not None:
        columns["cost"] = order.under * short + order.over * left
    cells = Cells.of(series, origins, np.stack(list(columns.values()), axis=1))
    hindsight = _Hindsight.of(policy, series, origins, order.level)
    measure = partial(_measure, cells, list(columns), hindsight)
    drawn = resample_both(measure, cells.sizes, evaluation.resamples, evaluation.seed)
    return {name: each for name, each in drawn.items() if np.isfinite(each.value)}


def _measure(
    cells: Cells, names: list[str], hindsight: _Hindsight, first: Weights, second: Weights
) -> dict[str, Floats]:
    sums = dict(zip(names, cells.weigh(first, second).T, strict=True))
    means = {name: divide(sums[name], sums["orders"]) for name in names[2:]}
    fill = 1 - divide(sums["short"], sums["demand"])
    return {**means, "fill": fill, "needed": hindsight.needed(first, second)}


@dataclass(frozen=True)
class _Hindsight:
    """Orders by rising factor that they need, so that the weighted quantile of a resample is found at once."""

    policy: _Policy
    needed_factors: Floats
    series: np.ndarray
    origins: np.ndarray
    level: float

    @classmethod
    def of(cls, policy: _Policy, series: np.ndarray, origins: np.ndarray, level: float) -> _Hindsight:
        needed = policy.factors_needed()
        order = np.argsort(needed, kind="stable")
        ranked = _Policy(
            policy.middle[order], policy.width[order], policy.demand[order], policy.whole, policy.least
        )
        return cls(ranked, needed[order], series[order], origins[order], level)

    def needed(self, first: Weights, second: Weights) -> Floats:
        """Mean order-up-to level that just covers the demand of `level` of all orders, [resamples]."""
        resamples = max(1 if each is None else len(each) for each in (first, second))
        found = np.empty(resamples)
        for place in range(resamples):
            weights = np.ones(len(self.series))
            if first is not None:
                weights = weights * first[place][self.series]
            if second is not None:
                weights = weights * second[place][self.origins]
            reached = weights.cumsum()
            if not reached[-1]:
                found[place] = np.nan
                continue
            at = min(np.searchsorted(reached, self.level * reached[-1] * (1 - 1e-12)), len(weights) - 1)
            levels = self.policy.levels(self.needed_factors[at])
            found[place] = (weights * levels).sum() / reached[-1]
        return found


def _share_above(one: Floats, other: Floats) -> Floats:
    return divide(one - other, other)
