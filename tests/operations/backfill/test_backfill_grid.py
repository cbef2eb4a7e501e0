from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.backfill.grid import make_grid

DAY = "2026-01-02"
NOW = datetime(2026, 6, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "dates", "end"),
    [
        # Counted from the first date: a short month does not shift those after it.
        (
            ("2026-01-31", "2026-05-15", "1mo"),
            ("2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"),
            "2026-05-31",
        ),
        (("2026-01-01", "2026-01-29", "2w"), ("2026-01-01", "2026-01-15", "2026-01-29"), "2026-02-12"),
        (
            ("2026-01-01T06:00", "2026-01-02", "12h"),
            ("2026-01-01T06:00:00", "2026-01-01T18:00:00"),
            "2026-01-02T06:00:00",
        ),
        (("2026-01-01T01:00+02:00", "2026-01-01", "1d"), ("2025-12-31T23:00:00",), "2026-01-01T23:00:00"),
        (("2026-01-01", "2026-01-01", "1d"), ("2026-01-01",), "2026-01-02"),
        (("0", "0.3", "0.1"), (0.0, 0.1, 0.2), pytest.approx(0.3)),
        (("100", "250", "75"), (100.0, 175.0, 250.0), 325.0),
    ],
)
def test_dates_lie_at_equal_distances(arguments, dates, end):
    grid = make_grid(*arguments, NOW)
    assert grid.dates == pytest.approx(dates) if grid.numeric else grid.dates == dates
    assert grid.end == end


def test_a_date_is_a_moment_and_a_name_of_a_file():
    grid = make_grid("2026-01-01T06:00", "2026-01-01T06:00", "1d", NOW)
    assert grid.moment(0, NOW) == datetime(2026, 1, 1, 6, tzinfo=UTC)
    assert grid.names() == ["2026-01-01T060000"]
    # The clock says nothing about numbers.
    numbers = make_grid("1.5", "3", "1", NOW)
    assert (numbers.moment(0, NOW), numbers.names()) == (NOW, ["1.5", "2.5"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("2026-02-01", "2026-01-01", "1mo"), "--from: 2026-02-01 is later than --to, 2026-01-01"),
        (("9", "3", "1"), "--from: 9 is later than --to, 3"),
        (("soon", "2026-01-01", "1mo"), "--from: 'soon' is no date"),
        (("2026-01-01", "5", "1mo"), "--to: '5' is no date"),
        (("2026-01-01", "2026-02-01", "7"), "--every: 7 is a number, so --from and --to must be"),
        (("1", "2", "0"), "--every: 0 is no step"),
        (("2026-01-01", "2026-02-01", "0mo"), "--every: '0mo' is no distance"),
        (("2026-01-01", "2026-02-01", "0d"), "--every: '0d' is no distance"),
        (
            ("2026-01-01", "2026-02-01", "monthly"),
            "--every: 'monthly' is no distance; write 1mo, 2w, 7d or 12h",
        ),
        (("2026-01-01", "2026-07-01", "1mo"), "--to: 2026-07-01 is in the future"),
        (("2026-01-01", "2026-02-01", "1s"), "makes more than 1,000 dates"),
        (("0", "1000000", "1"), "makes more than 1,000 dates"),
    ],
)
def test_what_makes_no_grid_is_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message.replace("(", r"\(")):
        make_grid(*arguments, NOW)
