"""The schedules as a table: next starts and last results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from lepton_pipeline.operations.schedule.policies import Policy
from lepton_pipeline.operations.schedule.state import FOLDER, Record, next_start, read_records


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    vertical: str
    schedule: str = ""  # expression and zone
    next_times: tuple[str, ...] = ()  # in the vertical's zone; the first may be now
    last: str = ""  # result and time of the last job
    attempts: str = ""  # starts of the last tick, of those allowed
    problem: str = ""  # why it is not scheduled


def overview(project: Path, env: str | None, times: int) -> list[Line]:
    """Read policies and state of a project.

    Raises ConfigurationError if there is no vertical, LeptonError if the state is damaged.
    """
    from lepton_pipeline.operations.schedule.read import read_policies

    policies, records = read_policies(project, env), read_records(project / FOLDER / "state.json")
    now = datetime.now(UTC)
    lines = [Line(name, problem=problem) for name, problem in policies.wrong.items()]
    for name, policy in policies.good.items():
        lines.append(line_of(policy, records.get(name) or Record(now), now, times))
    return sorted(lines, key=lambda line: line.vertical)


def line_of(policy: Policy, record: Record, now: datetime, times: int) -> Line:
    """The line of a vertical with a valid policy."""
    zone = ZoneInfo(policy.cron.zone if policy.cron else "UTC")
    schedule = f"{policy.cron.expression} {policy.cron.zone}" if policy.cron else ""
    attempts = f"{record.attempt} of {policy.retries + 1}" if record.attempt else ""
    next_times = _next_times(policy, record, now, times, zone)
    return Line(policy.vertical, schedule, next_times, _last(record, zone), attempts)


def _next_times(policy: Policy, record: Record, now: datetime, times: int, zone: ZoneInfo) -> tuple[str, ...]:
    if record.running is not None:
        shown = [f"running since {_show(record.running.started, zone)}"]
        moment = now
    else:
        start = next_start(policy, record, now)
        if start is None:
            return ()
        retry = " (retry)" if start == record.retry_at else ""
        shown = [f"{_show(start, zone)}{retry}" if start > now else f"due{retry}"]
        moment = max(start, now)
    while policy.cron is not None and len(shown) < times:
        moment = policy.cron.after(moment)
        shown.append(_show(moment, zone))
    return tuple(shown[:times])


def _last(record: Record, zone: ZoneInfo) -> str:
    if record.last is None:
        return ""
    code = f" (exit code {record.last.code})" if record.last.code else ""
    return f"{record.last.outcome}{code} {_show(record.last.ended, zone)}"


def _show(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"
