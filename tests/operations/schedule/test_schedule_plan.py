from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lepton_pipeline.operations.schedule.policies import Cron, Policy
from lepton_pipeline.operations.schedule.state import (
    Record,
    Result,
    Running,
    back_off,
    begun,
    ended,
    next_start,
)

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOURLY = Policy("finance", Cron("0 * * * *", "UTC"), retries=2)
MINUTE = timedelta(minutes=1)


def result(outcome: str, at: datetime, code: int | None = 1) -> Result:
    return Result(outcome, code, 1, at, at)


def test_a_new_vertical_waits_for_its_next_tick():
    assert next_start(HOURLY, Record(NOON + MINUTE), NOON + MINUTE) == NOON + timedelta(hours=1)


def test_many_missed_ticks_are_one_start():
    record, now = Record(NOON), NOON + timedelta(days=3, minutes=10)
    assert next_start(HOURLY, record, now) < now
    record = begun(HOURLY, record, now)
    record = ended(HOURLY, record, result("done", now + MINUTE, 0))
    assert next_start(HOURLY, record, now + MINUTE) == NOON + timedelta(days=3, hours=1)


def test_ticks_while_the_job_runs_are_not_owed():
    record = begun(HOURLY, Record(NOON), NOON + timedelta(hours=1))
    end = NOON + timedelta(hours=4, minutes=30)
    record = ended(HOURLY, record, result("done", end, 0))
    assert next_start(HOURLY, record, end) == NOON + timedelta(hours=5)


def test_a_failure_is_retried_ever_later_and_then_given_up():
    policy, now, waits = Policy("finance", Cron("0 0 * * *", "UTC"), retries=2), NOON, []
    record = Record(NOON - timedelta(days=1))
    for attempt in (1, 2, 3):
        record = begun(policy, record, now)
        assert record.attempt == attempt
        record = ended(policy, record, result("timed out" if attempt == 1 else "failed", now))
        if record.retry_at is not None:
            waits.append(record.retry_at - now)
            now = record.retry_at
    assert waits == [MINUTE, 2 * MINUTE]
    assert next_start(policy, record, now) == NOON.replace(hour=0) + timedelta(days=1)


def test_waits_double_up_to_an_hour():
    assert [back_off(attempt) / MINUTE for attempt in (1, 2, 3, 6, 7, 10)] == [1, 2, 4, 32, 60, 60]


@pytest.mark.parametrize("code", [2, 3, 4])
def test_what_stays_wrong_is_not_retried(code):
    record = ended(HOURLY, begun(HOURLY, Record(NOON), NOON), result("failed", NOON, code))
    assert record.retry_at is None


def test_a_new_tick_takes_the_place_of_a_retry():
    record = Record(NOON, attempt=2, retry_at=NOON + timedelta(minutes=90))
    assert next_start(HOURLY, record, NOON) == NOON + timedelta(hours=1)
    assert begun(HOURLY, record, NOON + timedelta(hours=1)).attempt == 1


def test_a_stopped_job_goes_on_and_loses_no_attempt():
    record = ended(HOURLY, begun(HOURLY, Record(NOON), NOON), result("stopped", NOON, -15))
    assert next_start(HOURLY, record, NOON + MINUTE) == NOON
    assert begun(HOURLY, record, NOON + MINUTE).attempt == 1


def test_a_job_that_was_lost_is_looked_after_first_then_started_again():
    record = replace(Record(NOON, attempt=1), running=Running(NOON, 123))
    assert next_start(HOURLY, record, NOON + MINUTE) == NOON + MINUTE
    record = ended(HOURLY, record, result("lost", NOON + MINUTE, None))
    assert record.retry_at == NOON + MINUTE
    assert begun(HOURLY, record, NOON + MINUTE).attempt == 2


def test_a_clock_that_was_years_ahead_does_not_silence_the_schedule():
    record = Record(NOON + timedelta(days=3650))
    assert next_start(HOURLY, record, NOON) == NOON + timedelta(hours=1)


def test_without_a_schedule_nothing_comes():
    assert next_start(Policy("finance", None), Record(NOON), NOON + timedelta(days=9)) is None
