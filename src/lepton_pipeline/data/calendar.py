"""Periods of a calendar as whole numbers, counted from 1970."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.parameters.forecast import Frequency

Ints = npt.NDArray[np.int64]
_MINUTES = {"15min": 15, "30min": 30, "h": 60, "D": 24 * 60, "W": 7 * 24 * 60}
_MONTHS = {"MS": 1, "QS": 3, "YS": 12}
# 1970 began on a Thursday, three days after a Monday.
_MONDAY = {"W": 3 * 24 * 60}


@dataclass(frozen=True)
class Calendar:
    """Periods of one frequency, as pandas writes it; weeks begin on Monday.

    >>> weeks = Calendar("W")
    >>> weeks.numbers(pd.Series(pd.to_datetime(["1970-01-04T23", "1970-01-05T00"]))).tolist()
    [0, 1]
    >>> weeks.starts(np.array([0, 1])).strftime("%a %Y-%m-%d").tolist()
    ['Mon 1969-12-29', 'Mon 1970-01-05']
    """

    frequency: Frequency

    def numbers(self, times: pd.Series) -> Ints:
        """Number of the period that holds each time, int64 [n]; times have no zone and none is missing."""
        if self.frequency in _MONTHS:
            months = times.to_numpy("datetime64[M]").astype(np.int64)
            return np.asarray(months // _MONTHS[self.frequency], np.int64)
        seconds = times.to_numpy("datetime64[s]").astype(np.int64)
        minutes = seconds // 60 + _MONDAY.get(self.frequency, 0)
        return np.asarray(minutes // _MINUTES[self.frequency], np.int64)

    def starts(self, numbers: npt.ArrayLike) -> pd.DatetimeIndex:
        """First moment of periods [n]."""
        wanted = np.asarray(numbers, np.int64)
        if self.frequency in _MONTHS:
            starts = (wanted * _MONTHS[self.frequency]).astype("datetime64[M]").astype("datetime64[us]")
        else:
            minutes = wanted * _MINUTES[self.frequency] - _MONDAY.get(self.frequency, 0)
            starts = (minutes * 60).astype("datetime64[s]").astype("datetime64[us]")
        return pd.DatetimeIndex(starts)
