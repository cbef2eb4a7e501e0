"""Bootstrap intervals of rows that two factors cross, such as series and origins of forecasts.

Rows of a series depend on each other, and so do rows of an origin. The pigeonhole bootstrap draws both with
replacement, and a row counts as often as its series times as often as its origin (Owen 2007, "The pigeonhole
bootstrap", Annals of Applied Statistics 1). It errs on the wide side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lepton_pipeline.statistics.intervals import normal_deviate, percentile_interval, student_deviate
from lepton_pipeline.statistics.losses import Floats

# Weights of the units of a factor, [resamples, units]; None where each counts once.
Weights = Floats | None
Measure = Callable[[Weights, Weights], Mapping[str, Floats]]
# Numbers held at once.
_CELLS = 250_000


@dataclass(frozen=True)
class Drawn:
    """A figure with its resamples: of both factors, and of each of them with the other as it is."""

    value: float
    both: Floats  # [resamples]
    first: Floats
    second: Floats
    sizes: tuple[int, int]  # units of the factors

    def combine(self, other: Drawn, how: Callable[[Floats, Floats], Floats]) -> Drawn:
        """A function of two figures on the same resamples, so that common chance cancels."""
        value = float(how(np.array(self.value), np.array(other.value)))
        return Drawn(
            value,
            how(self.both, other.both),
            how(self.first, other.first),
            how(self.second, other.second),
            self.sizes,
        )

    def interval(self, level: float) -> tuple[float, float] | None:
        """Percentile interval, stretched for few units; None with one unit, or where a resample has no value.

        Degrees of freedom are those of the sum of the factors' variances (Satterthwaite 1946).
        """
        if max(self.sizes) < 2 or not np.isfinite([self.value, *self.both]).all():
            return None
        parts = [float(np.var(each)) for each in (self.first, self.second)]
        least = sum(part**2 / (size - 1) for part, size in zip(parts, self.sizes, strict=True) if size > 1)
        freedom = max(sum(parts) ** 2 / least, 1.0) if least > 0 else max(self.sizes) - 1
        stretch = student_deviate(level, freedom + 1) / normal_deviate(level)
        return percentile_interval(self.value + (self.both - self.value) * stretch, level)


@dataclass(frozen=True)
class Cells:
    """Sums of the rows of each pair of units, [first, second, quantities]."""

    sums: Floats

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray, values: Floats) -> Cells:
        """Sum `values` [rows, quantities] by the units of each row, numbered from 0 on without a gap."""
        shape = int(first.max(initial=-1)) + 1, int(second.max(initial=-1)) + 1
        codes = first * shape[1] + second
        columns = [np.bincount(codes, column, shape[0] * shape[1]).astype(np.float64) for column in values.T]
        return cls(np.stack(columns, axis=-1).reshape(*shape, len(columns)))

    @property
    def sizes(self) -> tuple[int, int]:
        """Units of both factors."""
        return self.sums.shape[0], self.sums.shape[1]

    def weigh(self, first: Weights, second: Weights) -> Floats:
        """Sums over all rows, [resamples, quantities]; [1, quantities] where each row counts once."""
        # No matrix products: their last bits depend on the number of threads.
        by_second = (
            self.sums.sum(axis=0)[None] if first is None else _contract("rf,fsq->rsq", first, self.sums)
        )
        if second is None:
            summed: Floats = by_second.sum(axis=1)
            return summed
        return _contract(
            "rs,rsq->rq", second, np.broadcast_to(by_second, (len(second), *by_second.shape[1:]))
        )

    def mean_of_ratios(self, first: Weights, second: Weights) -> Floats:
        """Mean over first units of the ratio of their quantities 0 and 1, [resamples]; units without 1 are left out."""
        # By second unit first, along which the sum runs: that is many times faster.
        kinds = [np.ascontiguousarray(self.sums[..., kind].T) for kind in (0, 1)]
        if second is None:
            parts, wholes = (kind.sum(axis=0)[None] for kind in kinds)
        else:
            parts, wholes = (_contract("rs,sf->rf", second, kind) for kind in kinds)
        known = wholes > 0
        ratios = np.divide(parts, wholes, out=np.zeros(known.shape), where=known)
        counts = known.astype(np.float64)
        if first is not None:
            ratios, counts = ratios * first, counts * first
        return divide(ratios.sum(axis=1), counts.sum(axis=1))


def resample_both(measure: Measure, sizes: tuple[int, int], resamples: int, seed: int) -> dict[str, Drawn]:
    """Draw the figures of `measure` [resamples]; equal sizes, resamples and seed give the same draws.

    `measure` takes the weights of both factors. n - 1 of the n units of a factor are drawn, so that few of
    them do not vary too little (Rao and Wu 1988, "Resampling inference with complex survey data").
    """
    once = {name: float(value[0]) for name, value in measure(None, None).items()}
    chunks: dict[str, list[list[Floats]]] = {name: [[], [], []] for name in once}
    for first, second in _draw_both(sizes, resamples, seed):
        for place, weights in enumerate(((first, second), (first, None), (None, second))):
            for name, drawn in measure(*weights).items():
                chunks[name][place].append(np.broadcast_to(drawn, len(first)))
    found = {name: [np.concatenate(parts) for parts in drawn] for name, drawn in chunks.items()}
    return {
        name: Drawn(once[name], both, by_first, by_second, sizes)
        for name, (both, by_first, by_second) in found.items()
    }


def divide(parts: Floats, wholes: Floats) -> Floats:
    """Ratios, nan where the whole is 0."""
    ratios: Floats = np.divide(parts, wholes, out=np.full(np.shape(wholes), np.nan), where=wholes != 0)
    return ratios


def _draw_both(sizes: Sequence[int], resamples: int, seed: int) -> Iterator[tuple[Floats, Floats]]:
    generators = [np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(2)]
    most = max(1, _CELLS // sum(sizes))
    for start in range(0, resamples, most):
        rows = min(most, resamples - start)
        one, two = (_draw(each, rows, units) for each, units in zip(generators, sizes, strict=True))
        yield one, two


def _draw(generator: np.random.Generator, resamples: int, units: int) -> Floats:
    """How much each unit counts, [resamples, units]."""
    if units == 1:
        return np.ones((resamples, 1))
    drawn = generator.integers(units, size=(resamples, units - 1))
    drawn += np.arange(resamples)[:, None] * units
    counts: Floats = (
        np.bincount(drawn.ravel(), minlength=resamples * units).reshape(resamples, units).astype(np.float64)
    )
    return counts * units / (units - 1)


def _contract(how: str, one: Floats, two: Floats) -> Floats:
    summed: Floats = np.einsum(how, one, two)
    return summed
