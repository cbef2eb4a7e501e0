"""How good forecasts of weekly demand are, and how far apart two of them are, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from demand_table import HORIZON, QUANTILES, Demand, Floats

from lepton_pipeline.statistics.intervals import percentile_interval

RESAMPLES, INTERVAL = 2000, 0.95
MEDIAN = list(QUANTILES).index("q50")
PAIRED = ("MASE", "WAPE", "WQL")


@dataclass(frozen=True)
class Parts:
    """What one measure is made of: a ratio of sums over products and origins.

    Attributes:
        above: numerator by product and origin, [products, origins].
        below: denominator, likewise.
    """

    above: Floats
    below: Floats

    def value(self, products: Floats | None = None, origins: Floats | None = None) -> Floats:
        """The measure, once for every row of weights: of products [n, products] and of origins [n, origins]."""
        if products is None or origins is None:
            products, origins = (np.ones((1, size)) for size in self.above.shape)
        above, below = (((products @ each) * origins).sum(axis=1) for each in (self.above, self.below))
        return np.asarray(above / below)

    def by_origin(self) -> list[float]:
        """The measure of every origin."""
        return [float(each) for each in self.above.sum(axis=0) / self.below.sum(axis=0)]


@dataclass(frozen=True)
class Difference:
    """One measure of a method minus that of another, with its 95 % interval; below 0 the first is better."""

    value: float
    low: float
    high: float


def truth_of(demand: Demand, origins: tuple[str, ...]) -> Floats:
    """Units that were sold, [tested products, origins, horizon]."""
    places = [demand.place(origin) for origin in origins]
    return np.stack([demand.units[demand.tested, each + 1 : each + 1 + HORIZON] for each in places], axis=1)


def scales_of(demand: Demand, origins: tuple[str, ...]) -> Floats:
    """Mean change from week to week, from the first sale to the origin, [tested products, origins].

    It is what MASE divides by (Hyndman and Koehler, 2006, section 3); 0 or no weeks at all would make it useless.
    """
    units = demand.units[demand.tested]
    changes = np.abs(np.diff(units, axis=1))
    since = np.arange(changes.shape[1]) >= (units > 0).argmax(axis=1)[:, None]
    ends = [demand.place(origin) for origin in origins]
    return np.stack([np.mean(changes[:, :end], axis=1, where=since[:, :end]) for end in ends], axis=1)


def parts_of(truth: Floats, scales: Floats, forecasts: Floats) -> dict[str, Parts]:
    """Parts of every measure that the forecasts allow.

    Args:
        truth: units sold, [products, origins, horizon].
        scales: of MASE, [products, origins].
        forecasts: quantiles of `QUANTILES`, [products, origins, horizon, 3]; where the outer ones are NaN, only
            measures of the median are known.
    """
    errors = forecasts[..., MEDIAN] - truth
    absolute, sold = np.abs(errors).sum(axis=2), truth.sum(axis=2)
    weeks = np.full(sold.shape, truth.shape[2], dtype=np.float64)
    found = {
        "MASE": Parts(absolute / scales, weeks),
        "WAPE": Parts(absolute, sold),
        "bias": Parts(errors.sum(axis=2), sold),
    }
    if np.isnan(forecasts).any():
        return found
    levels = np.array(list(QUANTILES.values()))
    short = truth[..., None] - forecasts
    pinball = np.maximum(levels * short, (levels - 1) * short).sum(axis=2).mean(axis=2)
    low, high = forecasts[..., 0], forecasts[..., -1]
    covered = ((low <= truth) & (truth <= high)).sum(axis=2).astype(np.float64)
    return {
        **found,
        "WQL": Parts(2 * pinball, sold),
        "coverage": Parts(covered, weeks),
        "width": Parts((high - low).sum(axis=2), sold),
    }


def figures_of(parts: Mapping[str, Parts]) -> dict[str, float]:
    """Every measure over all products and origins."""
    return {name: float(each.value()[0]) for name, each in parts.items()}


def differences(
    ours: Mapping[str, Parts], theirs: Mapping[str, Parts], resamples: int = RESAMPLES
) -> dict[str, Difference]:
    """Paired differences with bootstrap intervals: products and origins are drawn, both with replacement.

    A resample weighs a product and an origin by how often each was drawn: errors of a product are alike from
    origin to origin, and so are those of an origin over products (Owen, 2007, the pigeonhole bootstrap).
    """
    sizes = ours["MASE"].above.shape
    random = np.random.default_rng(0)
    products, origins = (
        random.multinomial(n, np.full(n, 1 / n), resamples).astype(np.float64) for n in sizes
    )
    found = {}
    for name in PAIRED:
        if name in ours and name in theirs:
            apart = ours[name].value(products, origins) - theirs[name].value(products, origins)
            value = ours[name].value()[0] - theirs[name].value()[0]
            found[name] = Difference(float(value), *percentile_interval(apart, INTERVAL))
    return found
