"""What was predicted for many rows, in a few figures, light enough for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import frexp, ldexp
from typing import TYPE_CHECKING

from lepton_pipeline.system.records import Omitted

if TYPE_CHECKING:
    from lepton_pipeline.statistics.losses import Floats

# Units of a mean in the spread of its values: finer than any difference that is shown.
_BITS = 40


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Figures of all predicted rows; those that a task does not have are None.

    Attributes:
        scored: rows with a prediction.
        positives: rows decided as positive.
        share_positive: `positives` as a fraction of `scored`.
        mean_score: mean probability of the positive class.
        decided: rows by decided class, in the order of the classes, 0 for one that no row was decided for; last,
            where that is declared, those handed over.
        mean_probability: mean probability of the likeliest class.
        mean_prediction, median_prediction: in the target's unit; None without rows.
        mean_width: mean width of the intervals, in the target's unit.
    """

    scored: int
    positives: Omitted[int] = None
    share_positive: Omitted[float] = None
    mean_score: Omitted[float] = None
    decided: Omitted[Mapping[str, int]] = None
    mean_probability: Omitted[float] = None
    mean_prediction: Omitted[float] = None
    median_prediction: Omitted[float] = None
    mean_width: Omitted[float] = None


class Mean:
    """The mean of finite numbers that come in parts.

    Numbers are rounded to units: sums of whole numbers do not depend on how the rows were divided.
    """

    def __init__(self, spread: float = 1.0) -> None:
        """Units are a power of two, at most 2^-40 of `spread`."""
        self._bits = _BITS + 1 - frexp(spread)[1]
        self._units = self.count = 0

    def add(self, values: Floats) -> None:
        """Count further numbers, [n]."""
        import numpy as np

        # Python's own integers: of a regression's values, units may need more than 64 bits.
        self._units += sum(map(int, np.rint(np.ldexp(values, self._bits)).tolist()))
        self.count += len(values)

    @property
    def value(self) -> float:
        """The mean; 0 without numbers."""
        return ldexp(self._units, -self._bits) / max(self.count, 1)
