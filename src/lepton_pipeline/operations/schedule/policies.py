"""The declared policies with the ticks of their crons, and how the scheduler notices a change."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

from lepton_pipeline.errors import ConfigurationError
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


@dataclass(frozen=True)
class Policy:
    """When the job of a vertical starts."""

    vertical: str
    cron: Cron | None  # None: never by the clock
    retries: int = 1  # after a failure
    timeout: float = 12 * 3600.0  # in seconds


@dataclass(frozen=True)
class Policies:
    """The valid policies by vertical, and the errors of the others."""

    good: dict[str, Policy] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def fetch_policies(project: Path, env: str | None) -> Policies:
    """Read the policies in a process, to free Kedro's memory; ConfigurationError if they cannot be read."""
    done, reason = run_module("schedule.read", project, env)
    if reason:
        raise ConfigurationError(f"{project}: the policies cannot be read: {reason}")
    found = json.loads(done.stdout.splitlines()[-1])
    for declared in found["good"].values():
        declared["cron"] = declared["cron"] and Cron(**declared["cron"])
    return Policies({name: Policy(**declared) for name, declared in found["good"].items()}, found["wrong"])


def run_module(
    module: str, project: Path, env: str | None, **options: Any
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run a module of `operations` in a process; return it, and in a line why it failed, or ""."""
    command = [sys.executable, "-m", f"lepton_pipeline.operations.{module}", str(project)]
    command += [env] if env else []
    options |= {"cwd": project, "capture_output": True, "text": True, "check": False}
    done = subprocess.run(command, **options)  # noqa: S603  # ours
    last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    return done, last[0] if done.returncode else ""


def fingerprint(project: Path) -> frozenset[tuple[str, int, int]]:
    """Names, sizes and times of all configuration files, to detect changes."""
    found = set()
    for path in (project / "conf").rglob("*.y*ml"):
        try:
            status = path.stat()
        except OSError:
            # An editor may be replacing the file.
            continue
        found.add((str(path), status.st_mtime_ns, status.st_size))
    return frozenset(found)
