from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from lepton_pipeline.operations.schedule.policies import Cron

BERLIN = ZoneInfo("Europe/Berlin")


def ticks(expression: str, start: datetime, count: int, zone: str = "Europe/Berlin") -> list[str]:
    """Each next tick is asked for at the one before, as the scheduler does."""
    cron, found, moment = Cron(expression, zone), [], start
    for _ in range(count):
        moment = cron.after(moment)
        found.append(f"{moment.astimezone(ZoneInfo(zone)):%m-%d %H:%M%z}")
    return found


def test_the_hour_that_spring_skips_is_made_up_for_once():
    start = datetime(2026, 3, 28, 12, tzinfo=BERLIN)
    assert ticks("30 2 * * *", start, 2) == ["03-29 03:00+0200", "03-30 02:30+0200"]


def test_the_hour_that_autumn_repeats_counts_once():
    start = datetime(2026, 10, 24, 12, tzinfo=BERLIN)
    assert ticks("30 2 * * *", start, 2) == ["10-25 02:30+0200", "10-26 02:30+0100"]


def test_within_the_repeated_hour_no_tick_of_the_past_comes_again():
    second_pass = datetime(2026, 10, 25, 2, 15, tzinfo=BERLIN, fold=1)
    after = Cron("30 2 * * *", "Europe/Berlin").after(second_pass)
    assert after > second_pass
    assert after == datetime(2026, 10, 26, 2, 30, tzinfo=BERLIN)


def test_what_goes_by_the_hour_follows_the_real_course_of_time():
    start = datetime(2026, 10, 25, 1, 30, tzinfo=BERLIN)
    assert ticks("0 * * * *", start, 3) == ["10-25 02:00+0200", "10-25 02:00+0100", "10-25 03:00+0100"]


@pytest.mark.parametrize(
    "expression", ["*/7 * * * *", "15,45 1-3 * * *", "0 */2 * * *", "59 2 25 10 *", "0 0 * * *"]
)
@pytest.mark.parametrize(
    "day", [datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)]
)
def test_ticks_never_stand_still(expression, day):
    cron, moment = Cron(expression, "Europe/Berlin"), day
    for _ in range(40):
        later = cron.after(moment)
        assert later > moment
        moment = later


def test_sunday_is_0_and_7_and_days_join_as_in_cron():
    start = datetime(2026, 11, 2, tzinfo=UTC)
    assert ticks("0 3 * * 0", start, 1, "UTC") == ticks("0 3 * * 7", start, 1, "UTC") == ["11-08 03:00+0000"]
    assert ticks("0 3 10 * mon", start, 3, "UTC") == [
        "11-02 03:00+0000",
        "11-09 03:00+0000",
        "11-10 03:00+0000",
    ]


def test_fields_are_normalised():
    fields = Cron("*/30 3 * * 5-7", "UTC").fields
    assert (fields.minutes, fields.hours, fields.weekdays) == ((0, 30), (3,), (0, 5, 6))
    assert len(fields.days) == 31
    assert not fields.either
    assert Cron("0 0 1 * 1", "UTC").fields.either
    # Day or weekday, where every day of the month fits.
    assert Cron("0 0 1-31 * 1", "UTC").fields.weekdays == tuple(range(7))


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("61 * * * *", "bad minute"),
        ("* * * *", "4 fields"),
        ("0 0 0 * * *", "6 fields"),
        ("@daily", "1 fields"),
        ("0 3 L * *", "'L' is no field"),
        ("0 3 * * MON#2", "is no field"),
        ("0 3 30 2 *", "bad day-of-month"),
        ("0 3 * * 5-1", "bad day-of-week"),
        ("0 3 * * *; rm", "6 fields"),
    ],
)
def test_what_is_no_schedule_is_refused(expression, said):
    with pytest.raises(ValueError, match=said):
        Cron(expression, "UTC")
