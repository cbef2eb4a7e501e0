"""Intervals of predicted numbers that cover as often as they say, from errors on held-out rows.

Split conformal prediction: Vovk et al. 2005, "Algorithmic Learning in a Random World"; Lei et al. 2018,
"Distribution-free predictive inference for regression". Around quantiles: Romano, Patterson and Candès 2019,
"Conformalized quantile regression". The truth of a new row lies in the interval with at least the stated
probability, on average over rows, if it and the held-out rows are exchangeable.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from lepton_pipeline.errors import DataError
from lepton_pipeline.statistics.losses import Floats

# Keeps 0.95 * 20 from being a little more than 19.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Conformal:
    """What to take from a lower end and to add to an upper one; below 0 for intervals that were too wide."""

    below: float
    above: float

    def interval(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Lower and upper ends [n] from a lower and an upper quantile, [n] each.

        For a model of one number both are its prediction. Ends that cross meet half-way.
        """
        low, high = np.minimum(low, high) - self.below, np.maximum(low, high) + self.above
        middle = (low + high) / 2
        return np.minimum(low, middle), np.maximum(high, middle)


def fit_residuals(
    truth: Floats, predicted: Floats, level: float, weights: np.ndarray | None = None
) -> Conformal:
    """Offsets of intervals around one prediction, of the same width for all rows; see `fit_cqr`."""
    return fit_cqr(truth, predicted, predicted, level, weights)


def fit_cqr(
    truth: Floats, low: Floats, high: Floats, level: float, weights: np.ndarray | None = None
) -> Conformal:
    """Offsets of intervals of `level`, in (0, 1), from two quantiles of held-out rows, [n] each.

    Each end has an offset of its own, so that either is missed by (1 - level) / 2 of the rows (Romano et al.,
    theorem 2): with one offset for both, all misses of skewed errors lie on one side, and the other end says
    nothing. An offset is the ceil((n + 1) (1 + level) / 2)-th smallest miss. `weights` [n] say how much each
    row counts; the new row, the + 1, counts as much as the heaviest (Barber et al. 2023, "Conformal
    prediction beyond exchangeability").

    >>> fit_residuals(np.arange(1.0, 20.0), np.zeros(19), level=0.9)
    Conformal(below=-1.0, above=19.0)

    Raises:
        DataError: the rows are too few for the level: less than (1 + level) / (1 - level), 19 for 0.9.
    """
    weights = np.ones(len(truth)) if weights is None else weights
    _refuse_too_few(weights, level)
    low, high = np.minimum(low, high), np.maximum(low, high)
    return Conformal(_offset(low - truth, level, weights), _offset(truth - high, level, weights))


def _refuse_too_few(weights: np.ndarray, level: float) -> None:
    counted = weights.sum() / weights.max() if weights.any() else 0.0
    needed = (1 + level) / (1 - level)
    if counted < needed * (1 - _ROUNDING):
        unequal = "" if counted == len(weights) else f" (which weigh as much as {counted:.1f} equal ones)"
        raise DataError(
            f"{len(weights):,} held-out rows{unequal} are too few for intervals that cover {level:.4g} of "
            f"all rows: {ceil(needed * (1 - _ROUNDING)):,} are needed. Hold out more, or lower the level."
        )


def _offset(misses: Floats, level: float, weights: np.ndarray) -> float:
    order = np.argsort(misses, kind="stable")
    reached = weights[order].cumsum()
    wanted = (1 + level) / 2 * (reached[-1] + weights.max()) * (1 - _ROUNDING)
    # With just enough rows, rounding may ask for one more.
    return float(misses[order[min(np.searchsorted(reached, wanted), len(order) - 1)]])


def fit_upper(misses: Floats, level: float, cases: str = "rows") -> float:
    """What a share `level`, in (0, 1), of new misses lies below, from those of held-out rows [n].

    It is the ceil((n + 1) level)-th smallest. `cases` names the rows in messages.

    >>> fit_upper(np.arange(1.0, 20.0), 0.95)
    19.0

    Raises:
        DataError: there are too few for the level: less than level / (1 - level).
    """
    needed = level / (1 - level) * (1 - _ROUNDING)
    if len(misses) < needed or not len(misses):
        raise DataError(
            f"{len(misses):,} held-out {cases} are too few for a level of {level:.4g}: {max(1, ceil(needed)):,} are "
            "needed. Hold out more, or lower the level."
        )
    return _offset(misses, 2 * level - 1, np.ones(len(misses)))
