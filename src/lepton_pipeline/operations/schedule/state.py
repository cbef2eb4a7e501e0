"""The state of scheduled jobs, a JSON file that survives a kill, and when each starts next."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.operations.schedule.policies import Policy
from lepton_pipeline.system.files import write_json
from lepton_pipeline.system.locks import JobLock

FOLDER = Path("data/.scheduler")
# Bad usage, broken data and a refusal by the gate: a retry does not help.
FINAL_CODES = (2, 3, 4)
FIRST_RETRY = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True)
class Running:
    """A running job."""

    started: datetime
    pid: int | None = None  # process and process group; None until it has started


@dataclass(frozen=True)
class Result:
    """How a job ended."""

    outcome: str  # "done", "failed", "timed out", "not started", "lost", "stopped" (with the scheduler)
    code: int | None  # negative for a signal; None where not known
    attempt: int  # 1 for the first start of a tick
    started: datetime
    ended: datetime
    log: str = ""  # file of its output


@dataclass(frozen=True)
class Record:
    """The state of a vertical."""

    seen: datetime  # ticks up to this moment have been dealt with
    attempt: int = 0  # starts of the last tick so far
    retry_at: datetime | None = None  # when a failed or interrupted job starts again
    running: Running | None = None  # now, or when the scheduler was killed
    last: Result | None = None


class State:
    """Records of all verticals, in memory and on disk; thread-safe. LeptonError if the file is no state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._records = read_records(path)
        self._unsaved = False

    def __getitem__(self, vertical: str) -> Record:
        return self._records[vertical]

    def begin(self, vertical: str, now: datetime) -> None:
        """Add a vertical without a record; ticks before now are not owed to it."""
        if vertical not in self._records:
            self.put(vertical, Record(now))

    def put(self, vertical: str, record: Record) -> None:
        """Keep a record in memory, and on disk if possible."""
        with self._lock:
            self._records[vertical] = record
            self._unsaved = True
        self.save()

    def save(self) -> str | None:
        """Write unsaved changes; return the error, a full disk say, after which the next call tries again."""
        with self._lock:
            if not self._unsaved:
                return None
            content = {"verticals": {name: asdict(record) for name, record in sorted(self._records.items())}}
            try:
                write_json(self.path, content, indent=1, default=datetime.isoformat, alone=True)
            except OSError as error:
                return str(error)
            self._unsaved = False
            return None


def open_state(path: Path, say: Callable[[str], None]) -> State:
    """Open a state; a damaged file is moved aside with a message, so that jobs start again unattended."""
    try:
        return State(path)
    except LeptonError:
        aside = path.with_name(f"{path.name}.damaged")
        path.replace(aside)
        say(f"{path.name} is damaged and was moved to {aside.name}: missed starts and retries are lost")
        return State(path)


@contextmanager
def only_scheduler(folder: Path) -> Iterator[None]:
    """Be the project's only scheduler; LeptonError, which names the other one, if it is running."""
    with JobLock(folder, "scheduler", "kedro schedule") as holder:
        if holder is not None:
            raise LeptonError(f"a scheduler of this project is at work already: {holder}; stop it first.")
        yield


def read_records(path: Path) -> dict[str, Record]:
    """The records in a state file by vertical, none without a file; LeptonError if it is no state."""
    try:
        content = json.loads(path.read_bytes())["verticals"]
        return {vertical: _record(fields) for vertical, fields in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LeptonError(
            f"{path} is no state of the scheduler: {error}; the next `kedro schedule run` replaces it."
        ) from error


def _record(fields: Mapping[str, Any]) -> Record:
    running, last = fields["running"], fields["last"]
    return Record(
        _moment(fields["seen"]),
        fields["attempt"],
        _moment(fields["retry_at"]) if fields["retry_at"] else None,
        Running(_moment(running["started"]), running["pid"]) if running else None,
        Result(**(last | {key: _moment(last[key]) for key in ("started", "ended")})) if last else None,
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment


def next_start(policy: Policy, record: Record, now: datetime) -> datetime | None:
    """When the job starts next: in the past for missed ticks, now for an orphan, None for never."""
    if record.running is not None:
        return now
    tick = _next_tick(policy, record, now)
    return min(filter(None, (tick, record.retry_at)), default=None)


def begun(policy: Policy, record: Record, now: datetime) -> Record:
    """The record when a job starts; a new tick replaces the retry of an older one."""
    tick = _next_tick(policy, record, now)
    again = record.retry_at is not None and (tick is None or tick > now)
    attempt = record.attempt + 1 if again else 1
    return replace(record, seen=now, attempt=attempt, retry_at=None, running=Running(now))


def ended(policy: Policy, record: Record, result: Result, first_retry: timedelta = FIRST_RETRY) -> Record:
    """The record after a job; ticks that passed while it ran are skipped, and waits double up to an hour."""
    at = result.ended
    record = replace(record, seen=max(at, record.seen), running=None, retry_at=None, last=result)
    if result.outcome == "stopped":
        # No attempt is lost, and it starts again with the scheduler.
        return replace(record, attempt=record.attempt - 1, retry_at=at)
    if result.outcome == "done" or result.code in FINAL_CODES or record.attempt > policy.retries:
        return record
    if result.outcome == "lost":
        # It has waited already.
        return replace(record, retry_at=at)
    return replace(record, retry_at=at + back_off(record.attempt, first_retry))


def back_off(attempt: int, first: timedelta = FIRST_RETRY) -> timedelta:
    """The wait after the attempt of this number: 1, 2, 4 … minutes, at most an hour."""
    return min(first * float(2 ** (attempt - 1)), LONGEST_WAIT)


def _next_tick(policy: Policy, record: Record, now: datetime) -> datetime | None:
    if policy.cron is None:
        return None
    # A clock that was ahead must not suspend the schedule until that time.
    return policy.cron.after(min(record.seen, now))


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
    """Read a project's policies and state; ConfigurationError without a vertical, LeptonError if damaged."""
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
