"""Cuts on the calendar."""

from __future__ import annotations

import pandas as pd
import pytest
from shop_interactions import DATASET, SPLIT, declared

from lepton_pipeline.errors import DataError
from lepton_pipeline.recommendation.cuts import find_cuts
from lepton_pipeline.recommendation.interactions import day_dates, day_number


def cuts(first, last, **changes):
    days = pd.Series([day_number(pd.Timestamp(each)) for each in (first, last)])
    return find_cuts(days, declared(**changes), DATASET, SPLIT)


def dates(found):
    return [f"{date:%m-%d}" for date in day_dates(found)]


def test_a_part_is_known_before_the_next_one_begins():
    found = cuts("2020-01-15", "2020-08-20")
    assert dates([found.test, found.validation]) == ["07-01", "06-01"]
    assert dates(list(found.train)) == ["02-01", "03-01", "04-01", "05-01"]
    # 30 days after July 1 begins with July 31.
    assert dates([cuts("2020-01-15", "2020-07-31").test]) == ["07-01"]
    assert dates([cuts("2020-01-15", "2020-07-30").test]) == ["06-01"]


def test_cuts_that_are_too_near_to_the_next_part_are_not_used():
    found = cuts("2020-01-15", "2020-08-20", every="2w")
    assert found.test - found.validation >= 30
    assert all(found.validation - cut >= 30 for cut in found.train)
    assert all(cut % 14 == 0 for cut in found.all)


def test_weeks_begin_on_mondays():
    assert {
        date.day_name()
        for date in day_dates(list(cuts("2020-01-15", "2020-08-20", every="week", cuts=20).all))
    } == {"Monday"}


def test_later_rows_move_no_cut_of_the_calendar():
    one, other = cuts("2020-01-15", "2020-08-20"), cuts("2020-01-15", "2020-09-20")
    assert set(one.all) <= set(other.all)


def test_only_the_latest_are_used():
    assert len(cuts("2020-01-15", "2020-08-20", cuts=3).all) == 3


def test_too_short_records_are_refused():
    with pytest.raises(
        DataError, match=r"cover 2020-01-15 to 2020-04-10: the 2 cuts .* leave no training cut 30 days"
    ):
        cuts("2020-01-15", "2020-04-10")
