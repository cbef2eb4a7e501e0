"""How long a period is, by the times of records."""

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.onboarding.new.frequency import infer_frequency


def of(*series):
    """Times of series one after another, and the number of the series of each."""
    times = pd.Series(np.concatenate([pd.DatetimeIndex(each).to_numpy() for each in series]))
    return times, np.repeat(np.arange(len(series)), [len(each) for each in series])


@pytest.mark.parametrize("frequency", ["15min", "30min", "h", "D", "W-MON", "W-SUN", "MS", "ME", "QS", "YS"])
def test_regular_times_tell_the_frequency(frequency):
    longest = {"D": 60, "W-MON": 60, "W-SUN": 60}.get(frequency, 40 if frequency != "YS" else 10)
    times, series = of(pd.date_range("2020-01-01", periods=longest, freq=frequency))
    expected = {"W-MON": "W", "W-SUN": "W", "ME": "MS"}.get(frequency, frequency)
    assert infer_frequency(times, series)[0] == expected


def test_gaps_are_no_longer_steps():
    draw = np.random.default_rng(0)
    weeks = pd.date_range("2020-01-06", periods=100, freq="W-MON")
    some = [weeks[draw.random(100) < 0.3] for _ in range(20)]
    assert infer_frequency(*of(*some))[0] == "W"


def test_series_may_report_on_different_weekdays():
    weeks = [
        pd.date_range(start, periods=30, freq="7D") for start in ("2020-01-06", "2020-01-08", "2020-01-11")
    ]
    assert infer_frequency(*of(*weeks))[0] == "W"


@pytest.mark.parametrize(
    ("step", "expected"), [("5min", "15min"), ("10min", "30min"), ("20min", "h"), ("2h", "D")]
)
def test_closer_readings_are_of_the_next_period_that_their_steps_divide(step, expected):
    frequency, why = infer_frequency(*of(pd.date_range("2020-01-01", periods=500, freq=step)))
    assert frequency == expected
    assert "apart" in why


def test_events_are_counted_by_day():
    draw = np.random.default_rng(0)
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.sort(draw.integers(0, 90 * 86400, 900)), unit="s")
    frequency, why = infer_frequency(*of(times))
    assert frequency == "D"
    assert "--frequency W" in why


def test_series_of_one_time_leave_a_guess():
    assert infer_frequency(*of(["2020-01-01"], ["2020-02-01"]))[1].endswith("guess")
