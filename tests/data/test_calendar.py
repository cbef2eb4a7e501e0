"""Periods of a calendar as numbers."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_pipeline.data.calendar import Calendar
from lepton_pipeline.parameters.forecast import Frequency

each_frequency = pytest.mark.parametrize("frequency", get_args(Frequency))


@pytest.mark.parametrize(
    ("frequency", "time", "start"),
    [
        ("15min", "2011-02-28 23:59", "2011-02-28 23:45"),
        ("30min", "2011-02-28 23:59", "2011-02-28 23:30"),
        ("h", "1969-12-31 23:30", "1969-12-31 23:00"),
        ("D", "2012-02-29 12:00", "2012-02-29"),
        ("W", "2011-12-04 23:59", "2011-11-28"),
        ("W", "2011-12-05", "2011-12-05"),
        ("MS", "2012-02-29", "2012-02-01"),
        ("QS", "2011-12-31", "2011-10-01"),
        ("YS", "1969-06-01", "1969-01-01"),
    ],
)
def test_a_period_begins_where_the_calendar_says(frequency, time, start):
    calendar = Calendar(frequency)
    found = calendar.starts(calendar.numbers(pd.Series([pd.Timestamp(time)])))
    assert found.tolist() == [pd.Timestamp(start)]


@each_frequency
@given(number=st.integers(-400, 4000))
def test_a_period_is_counted_from_its_start_to_the_last_moment_before_the_next(frequency, number):
    calendar = Calendar(frequency)
    start, after = calendar.starts(np.array([number, number + 1]))
    times = pd.Series([start, after - pd.Timedelta(1, "us")])
    assert calendar.numbers(times).tolist() == [number, number]
