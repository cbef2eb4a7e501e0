"""Infer how long a period of series is from the times of their records."""

from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.calendar import Calendar
from lepton_pipeline.parameters.forecast import Frequency

Ints = npt.NDArray[np.int64]

FREQUENCIES: tuple[Frequency, ...] = get_args(Frequency)
NAMES: dict[str, str] = {
    "15min": "quarters of an hour",
    "30min": "half hours",
    "h": "hours",
    "D": "days",
    "W": "weeks",
    "MS": "months",
    "QS": "quarters",
    "YS": "years",
}
_SINGULAR = {"15min": "quarter of an hour"}
_MINUTES: dict[Frequency, int] = {"15min": 15, "30min": 30, "h": 60, "D": 1440, "W": 10080}
_MONTHS = ("MS", "QS", "YS")
# Series, or steps of them, that may be otherwise.
_MOSTLY = 0.97
_STEADY = 0.9


def counted(number: int, frequency: Frequency) -> str:
    """So many periods, in words.

    >>> counted(1, "W"), counted(1344, "h")
    ('1 week', '1,344 hours')
    """
    plural = NAMES[frequency]
    return f"{number:,} {_SINGULAR.get(frequency, plural[:-1]) if number == 1 else plural}"


def infer_frequency(times: pd.Series, series: Ints) -> tuple[Frequency, str]:
    """Find the longest period that holds one time of a series at most, always at the same place of the period.

    Where times are closer, such as every ten minutes, it is the next longer one that such steps divide; where they
    are at no steps, as events are, a day.

    Args:
        times: dates of the records, without a zone, none missing.
        series: number of the series of each record.

    Returns the frequency, and why.
    """
    moments = pd.DataFrame({"series": series, "time": times.to_numpy("datetime64[us]")})
    moments = moments.drop_duplicates().sort_values(["series", "time"], kind="stable")
    several = moments[moments.duplicated("series", keep=False)]
    if several.empty:
        return "D", "no series has two times, so a day is a guess"
    steps = several.groupby("series")["time"].diff().dropna().dt.total_seconds() / 60
    step = float(steps.mode().iloc[0])
    if (steps == step).mean() >= _STEADY and step not in _MINUTES.values():
        longer = [each for each, minutes in _MINUTES.items() if minutes >= step and minutes % step == 0]
        if longer and step < _MINUTES["D"]:
            return longer[0], f"records are {step:g} minutes apart, several of each period"
    for frequency in reversed(FREQUENCIES):
        if _fits(several, Calendar(frequency)):
            return frequency, f"a series has one time in each of its {NAMES[frequency]} at most"
    return "D", "records are events at any time, so they are counted by day; W, say, is --frequency W"


def _fits(several: pd.DataFrame, calendar: Calendar) -> bool:
    """Whether series have one time a period, at one place of it."""
    numbers = calendar.numbers(several["time"])
    cells = pd.DataFrame({"series": several["series"].to_numpy(), "number": numbers})
    if cells.duplicated().mean() > 1 - _MOSTLY:
        return False
    starts = calendar.starts(numbers)
    ends = calendar.starts(numbers + 1)
    times = pd.DatetimeIndex(several["time"])
    # Months differ in length, so that their last day is a place, too.
    return any(
        _steady(cells["series"], place)
        for place in (_place(times, starts, calendar), (ends - times).to_numpy())
    )


def _place(times: pd.DatetimeIndex, starts: pd.DatetimeIndex, calendar: Calendar) -> npt.NDArray[np.int64]:
    """Distance of each time from the start of its period, by month, day and time of day."""
    if calendar.frequency not in _MONTHS:
        return (times - starts).to_numpy().astype(np.int64)
    months = (times.year - starts.year) * 12 + times.month - starts.month
    within = (times - times.to_period("M").start_time).to_numpy().astype("timedelta64[s]").astype(np.int64)
    return np.asarray(months, np.int64) * 10_000_000 + within


def _steady(series: pd.Series, place: npt.NDArray[np.generic]) -> bool:
    """Whether nearly all records of a series stand at its most frequent place."""
    counts = pd.DataFrame({"series": series.to_numpy(), "place": place}).value_counts()
    return bool(counts.groupby(level="series").max().sum() / counts.sum() >= _MOSTLY)
