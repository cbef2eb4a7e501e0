"""How forecasts become orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lepton_pipeline.statistics.losses import Floats

# Rounding errors must not add a unit.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class OrderRule:
    """Order-up-to levels: medians over the lead time, and a factor times how far the upper quantiles are above them."""

    lead_time: int  # periods
    level: float  # share of orders that shall cover the demand of their lead time
    factor: float
    narrowest: float  # ranges below count as this one, which a factor can stretch
    whole: bool  # levels are rounded up to whole units

    def levels(self, median: Floats, high: Floats) -> Floats:
        """Order-up-to levels [n] from medians and upper quantiles, summed over the lead time, [n] each.

        >>> rule = OrderRule(2, 0.9, factor=1.2, narrowest=0.5, whole=True)
        >>> rule.levels(np.array([10.0, 2.0]), np.array([14.0, 2.0]))
        array([15.,  3.])
        """
        return stretch(median, np.maximum(high - median, self.narrowest), self.factor, whole=self.whole)


def stretch(middle: Floats, width: Floats, factor: Floats | float, *, whole: bool) -> Floats:
    """A middle and a factor times a width, [n] each; rounded up where units are `whole`."""
    levels: Floats = middle + factor * width
    return np.ceil(levels - _ROUNDING) if whole else levels
