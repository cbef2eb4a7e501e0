"""Declared durations: 90d, 12h, 10min, or a plain number."""

from __future__ import annotations

import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters.base import DURATION

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def before(times: pd.Series, duration: str | int, where: str) -> pd.Series:
    """Times (dates or numbers) minus `duration`, which the key `where` declares.

    Raises DataError if the duration does not fit the column, or reaches back too far.
    """
    if duration == 0:
        return times
    dates = pd.api.types.is_datetime64_any_dtype(times)
    if dates != isinstance(duration, str):
        wanted = "a duration such as 90d, 12h or 10min" if dates else "a number in the units of that column"
        raise DataError(
            f"{where}: {duration!r} does not fit column {times.name!r}, which holds {'dates' if dates else 'numbers'}; "
            f"declare {wanted}."
        )
    try:
        return times - (as_timedelta(duration) if isinstance(duration, str) else duration)
    except (OverflowError, ValueError) as error:
        raise DataError(f"{where}: {duration!r} reaches too far back; declare a shorter one.") from error


def as_timedelta(duration: str) -> pd.Timedelta:
    """Parse a duration such as 90d, 12h, 10min, 30s or 2w."""
    number, unit = DURATION.fullmatch(duration).groups()  # type: ignore[union-attr]  # declared so
    return pd.Timedelta(float(number) * _SECONDS[unit], "s")


def as_declared(span: pd.Timedelta) -> str:
    """Write a span as a duration in its largest whole unit.

    >>> as_declared(pd.Timedelta(hours=36)), as_declared(pd.Timedelta(days=14))
    ('36h', '2w')
    """
    seconds = span.total_seconds()
    unit = next((unit for unit in reversed(_SECONDS) if seconds % _SECONDS[unit] == 0), "s")
    return f"{seconds / _SECONDS[unit]:g}{unit}"
