"""The decision dates of a backfill."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.parameters.base import DURATION
from lepton_pipeline.parameters.durations import as_timedelta

_MOST = 1000


@dataclass(frozen=True)
class Grid:
    """Equidistant dates, or numbers where the time column is numeric."""

    dates: tuple[str | float, ...]  # as `dataset.as_of` takes them, ascending
    end: str | float  # end of the last period
    every: str  # the distance as given

    @property
    def numeric(self) -> bool:
        """Whether dates are numbers."""
        return isinstance(self.end, float)

    def names(self) -> list[str]:
        """The dates as they are shown and as files are named."""
        return [f"{date:.15g}" if isinstance(date, float) else date.replace(":", "") for date in self.dates]

    def moment(self, position: int, now: datetime) -> datetime:
        """The moment of a decision; `now` where dates are numbers."""
        date = self.dates[position]
        return now if isinstance(date, float) else datetime.fromisoformat(date).replace(tzinfo=UTC)


def make_grid(since: str, until: str, every: str, now: datetime) -> Grid:
    """Lay out the dates from `since` to `until`.

    Both are an ISO date or time in UTC, no later than `now`, or a number where `every` is one; the last date
    is at or before `until`. `every` is such as "1mo", "2w", "7d", "12h", or a number. Months are counted from
    the first date: one on the 31st is followed by the last day of a shorter month, and then by the 31st
    again.

    Raises ConfigurationError if an argument cannot be read, the order is wrong, or there are too many dates.
    """
    if re.fullmatch(r"\d+(\.\d+)?", every):
        dates = _numbers(since, until, float(every))
        return Grid(tuple(dates[:-1]), dates[-1], every)
    first, last = _date(since, "--from"), _date(until, "--to")
    if last > now.astimezone(UTC).replace(tzinfo=None):
        raise ConfigurationError(f"--to: {until} is in the future, whose rows are not known yet.")
    found = [first]
    while found[-1] <= last and len(found) < _MOST + 2:
        found.append(_later(first, every, len(found)))
    _check(first <= last, len(found), since, until, every)
    shown = [(date.date() if date == date.normalize() else date).isoformat() for date in found]
    return Grid(tuple(shown[:-1]), shown[-1], every)


def _numbers(since: str, until: str, every: float) -> list[float]:
    try:
        first, last = float(since), float(until)
    except ValueError as error:
        raise ConfigurationError(
            f"--every: {every:g} is a number, so --from and --to must be: {since!r}, {until!r}; beside dates "
            "write 1mo, 2w, 7d or 12h."
        ) from error
    if every <= 0:
        raise ConfigurationError(f"--every: {every:g} is no step; write a number above 0.")
    # One more: the end of the last period.
    count = int((last - first) // every) + 2
    _check(first <= last, count, since, until, f"{every:g}")
    return [first + number * every for number in range(count)]


def _later(first: pd.Timestamp, every: str, steps: int) -> pd.Timestamp:
    if months := re.fullmatch(r"(\d+)mo", every):
        if int(months[1]):
            return first + pd.DateOffset(months=steps * int(months[1]))
    elif DURATION.fullmatch(every) and as_timedelta(every) > pd.Timedelta(0):
        return first + steps * as_timedelta(every)
    raise ConfigurationError(
        f"--every: {every!r} is no distance; write 1mo, 2w, 7d or 12h, or a number beside numbers."
    )


def _date(text: str, option: str) -> pd.Timestamp:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        advice = "write 2026-01-31 or 2026-01-31T12:00, or a number together with a number as --every."
        raise ConfigurationError(f"{option}: {text!r} is no date; {advice}") from error
    return pd.Timestamp(at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None))


def _check(ordered: bool, count: int, since: str, until: str, every: str) -> None:
    if not ordered:
        raise ConfigurationError(f"--from: {since} is later than --to, {until}; exchange them.")
    if count > _MOST + 1:
        raise ConfigurationError(
            f"--every: from {since} to {until}, {every} makes more than {_MOST:,} dates; choose a longer distance."
        )
