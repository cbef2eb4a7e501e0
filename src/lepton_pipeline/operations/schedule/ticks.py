"""The moments that a cron expression means in its time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from cronsim import CronSim

from lepton_pipeline.system.cron import require_cron


@dataclass(frozen=True)
class Fields:
    """What an expression allows.

    Attributes:
        minutes: 0 to 59, sorted.
        hours: 0 to 23.
        days: days of the month, 1 to 31.
        months: 1 to 12.
        weekdays: 0 to 6, Sunday is 0.
        either: a day needs to fit `days` or `weekdays`, as cron has it where both are restricted; else both.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    either: bool

    @property
    def every_day(self) -> bool:
        """Whether all days of the month are allowed."""
        return len(self.days) == 31

    @property
    def every_weekday(self) -> bool:
        """Whether all days of the week are allowed."""
        return len(self.weekdays) == 7


@dataclass(frozen=True)
class Cron:
    """A cron expression of five fields in a time zone, read as Debian's cron does.

    A time that the spring change skips is made up for when the change is over; one that autumn repeats counts
    once, unless minutes or hours start with `*`, which go by the clock's real course.

    Attributes:
        expression: minute, hour, day of the month, month, weekday.
        zone: such as Europe/Berlin.
    """

    expression: str
    zone: str

    def __post_init__(self) -> None:
        """Raises ValueError: the expression means nothing, or no moment at all."""
        require_cron(self.expression)

    def after(self, moment: datetime) -> datetime:
        """The first tick later than `moment`, in UTC."""
        # Within the hour that autumn repeats, cronsim's first answer may lie in the hour's first pass.
        ticks = CronSim(self.expression, moment.astimezone(ZoneInfo(self.zone)))
        return next(tick.astimezone(UTC) for tick in ticks if tick.astimezone(UTC) > moment)

    @cached_property
    def fields(self) -> Fields:
        """The values that each field allows."""
        parsed = CronSim(self.expression, datetime(2024, 1, 1, tzinfo=UTC))
        days = set(parsed.days)
        weekdays = {int(day) % 7 for day in parsed.weekdays if isinstance(day, int)}
        either = not parsed.day_and
        if either and (len(days) == 31 or len(weekdays) == 7):
            days, weekdays, either = set(range(1, 32)), set(range(7)), False
        allowed = (parsed.minutes, parsed.hours, days, parsed.months, weekdays)
        minutes, hours, month_days, months, week = (tuple(sorted(values)) for values in allowed)
        return Fields(minutes, hours, month_days, months, week, either)
