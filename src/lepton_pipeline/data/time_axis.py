"""Times of a column, dates or numbers, as numbers to cut windows from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lepton_pipeline.errors import ConfigurationError, did_you_mean
from lepton_pipeline.parameters import Dataset, Index
from lepton_pipeline.parameters.durations import as_timedelta

_DAY, _HOUR = 86400.0, 3600.0
_FEW_STEPS = 4
_PERIODS = {"day": "D", "week": "W", "month": "M", "quarter": "Q", "year": "Y"}


@dataclass(frozen=True)
class TimeWindow:
    """A half-open interval of the time axis, (start, end], and the positions of its rows."""

    start: float
    end: float
    rows: np.ndarray


def axis(times: pd.Series) -> np.ndarray:
    """Seconds since 1970 of dates, or the numbers themselves; NaN where missing."""
    if not pd.api.types.is_datetime64_any_dtype(times):
        return times.to_numpy(np.float64, na_value=np.nan)
    micros = times.dt.as_unit("us").astype("int64").to_numpy() / 1e6
    return np.where(times.isna(), np.nan, micros)


def shown(time: float, dates: bool) -> str:
    """A time of the axis as an ISO date or a number."""
    return pd.Timestamp(time, unit="s").round("s").isoformat() if dates else f"{time:.15g}"


def periods(table: pd.DataFrame, index: Index, dataset: Dataset) -> pd.Series | None:
    """Calendar period of each row that an index is taken by, missing without a date; None: all rows are one.

    Raises ConfigurationError if the declared column of times is absent or holds no dates.
    """
    name = index.time or dataset.time
    if index.every == "batch" or name is None:
        return None
    key = "dataset.time" if index.time is None else "monitoring.index.time"
    if name not in table:
        close = did_you_mean(name, map(str, table))
        raise ConfigurationError(
            f"{key}: there is no column {name!r} in the table; {close}name a column of dates."
        )
    times = table[name]
    if not pd.api.types.is_datetime64_any_dtype(times):
        shown = ", ".join(map(repr, times.dropna().iloc[:1].tolist())) or "nothing"
        raise ConfigurationError(
            f"{key}: {name!r} holds no dates, but {shown}, and periods of monitoring.index are of dates; declare their "
            "format in ingestion.dates, name another column in monitoring.index.time, or declare every: batch."
        )
    found: pd.Series = times.dt.tz_localize(None).dt.to_period(_PERIODS[index.every or "month"])
    return found


def months(times: pd.Series, key: str) -> pd.Series:
    """Calendar month of each time, 1 to 12; ConfigurationError, which names `key`, if they are no dates."""
    if not pd.api.types.is_datetime64_any_dtype(times):
        raise ConfigurationError(
            f"{key}: column {times.name!r} (dataset.time) holds no dates, so there are no months; declare their format "
            f"in ingestion.dates, or leave out {key}."
        )
    found: pd.Series = times.dt.month
    return found


def window_length(
    declared: str | int | None, span: tuple[float, float], dates: bool, step: float | None = None
) -> float:
    """Length of a window on the axis: as declared, or about a tenth of `span`.

    A tenth shorter than a few steps (`step`: the longest time between two rows) becomes whole steps, so that
    windows of monthly rows are not empty in turn; of dates it becomes whole days, or hours.
    """
    if declared is None:
        tenth = (span[1] - span[0]) / 10
        if step and tenth < _FEW_STEPS * step:
            return max(round(tenth / step), 1) * step
        unit = next((unit for unit in (_DAY, _HOUR) if dates and tenth >= 2 * unit), None)
        return tenth if unit is None else round(tenth / unit) * unit
    if isinstance(declared, str) != dates:
        holds = "dates; declare a duration such as 30d" if dates else "numbers; declare a number in its units"
        raise ConfigurationError(
            f"monitoring.window: {declared!r} does not fit dataset.time, which holds {holds}."
        )
    length = as_timedelta(declared).total_seconds() if isinstance(declared, str) else float(declared)
    if length <= 0:
        raise ConfigurationError(f"monitoring.window: {declared!r} is no length; declare a positive one.")
    return length


def cut(times: np.ndarray, start: float, length: float, most: int) -> list[TimeWindow]:
    """Cut times after `start` into windows of equal length, at most the latest `most` of them.

    Windows are counted from `start`, the end of what was known before, so that they do not move when rows are
    added. They reach to the last one with a row; those without any are included.
    """
    if not len(times) or length <= 0:
        return []
    # A row at the very end of a window still belongs to it: times come after `start`, not at it.
    place = np.ceil((times - start) / length).astype(np.int64) - 1
    last = int(place.max())
    return [
        TimeWindow(start + number * length, start + (number + 1) * length, np.flatnonzero(place == number))
        for number in range(max(0, last + 1 - most), last + 1)
    ]
