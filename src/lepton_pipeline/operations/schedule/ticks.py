"""The ticks of a cron expression in its time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from cronsim import CronSim

from lepton_pipeline.system.cron import require_cron


@dataclass(frozen=True)
class Fields:
    """The values that an expression allows, sorted."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]  # of the month
    months: tuple[int, ...]
    weekdays: tuple[int, ...]  # 0 to 6, Sunday is 0
    either: bool  # a day must fit `days` or `weekdays`, else both

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

    A time skipped by the spring change runs once the change is over; one repeated in autumn runs once, unless
    minutes or hours start with `*`.
    """

    expression: str
    zone: str

    def __post_init__(self) -> None:
        """Raises ValueError: the expression is invalid, or has no tick."""
        require_cron(self.expression)

    def after(self, moment: datetime) -> datetime:
        """The first tick later than `moment`, in UTC."""
        # In the hour repeated in autumn, cronsim's first answer may be in the past.
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
