"""When a job starts next: pure functions of policy, record and clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from lepton_pipeline.operations.schedule.policies import Policy
from lepton_pipeline.operations.schedule.state import Record, Result, Running

# Bad usage, broken data and a refusal by the gate: a retry does not help.
FINAL_CODES = (2, 3, 4)
FIRST_RETRY = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)


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
