"""Times of a column, dates or numbers, as numbers that windows can be cut from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.parameters.durations import as_timedelta

_DAY, _HOUR = 86400.0, 3600.0
_FEW_STEPS = 4


@dataclass(frozen=True)
class TimeWindow:
    """A stretch of time, without its start and with its end.

    Attributes:
        start: as `axis` counts.
        end: likewise.
        rows: positions of the rows in it.
    """

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
    """A time of the axis as text: an ISO date, or the number."""
    return pd.Timestamp(time, unit="s").round("s").isoformat() if dates else f"{time:.15g}"


def window_length(
    declared: str | int | None, span: tuple[float, float], dates: bool, step: float | None = None
) -> float:
    """Length of a window on the axis: as declared, or about a tenth of a time.

    A tenth that is no longer than a few steps is made whole steps, so that windows of monthly rows are not
    empty in turn; of dates it is made whole days, or hours.

    Args:
        declared: `monitoring.window`.
        span: the time of which a tenth is taken.
        dates: whether the axis is that of dates.
        step: the longest time between two rows, where it is known.

    Raises:
        ConfigurationError: a number beside dates, or days beside numbers, or nothing.
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
        raise ConfigurationError(
            f"monitoring.window: {declared!r} is no length; declare a longer one, or nothing."
        )
    return length


def cut(times: np.ndarray, start: float, length: float, most: int) -> list[TimeWindow]:
    """Cut times after `start` into windows of equal length, counted from `start`.

    Args:
        times: on the axis; all after `start`.
        start: end of what was known before. Windows do not move when more rows come.
        length: of a window.
        most: how many of the latest are given.

    Returns:
        The windows from the first to the last that has a row, those without any included.
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
