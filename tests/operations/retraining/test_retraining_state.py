from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest
from monitored import column, monitored, window

from lepton_pipeline.errors import DataError
from lepton_pipeline.operations.monitoring.findings import Coverage, DomainDrift
from lepton_pipeline.operations.retraining.state import (
    Champion,
    QualityWindow,
    count_rows,
    read_monitoring,
)
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.statistics.estimates import Estimate

NOW = datetime(2026, 1, 11, tzinfo=UTC)
TABLE = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=10), "y": [0, 1] * 5})


def made_until(day: str | None = None, rows: int | None = None) -> Champion:
    return Champion(3, "2026-01-02", day, rows, NOW, NOW, 4, None)


def dataset(**keys: object) -> Dataset:
    return Dataset(target="y", positive=1, **{"present": "2026-01-11", **keys})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("champion", "new"),
    [(None, None), (made_until("2026-01-04"), 2), (made_until("2026-01-10"), 0), (made_until(), 4)],
)
def test_new_rows_are_later_than_the_champions_and_have_their_label(champion, new):
    rows = count_rows(TABLE, dataset(time="day", label_delay="5d"), champion, "2d")
    # The label of 6 January is known on the 11th.
    assert (rows.mature, rows.immature, rows.new) == (6, 4, new)
    assert (rows.latest, rows.window_start) == ("2026-01-06T00:00:00", "2026-01-04T00:00:00")


def test_a_time_zone_of_the_rows_is_kept():
    there = TABLE.assign(day=TABLE["day"].dt.tz_localize("Asia/Tokyo"))
    rows = count_rows(
        there, dataset(time="day", present="2026-01-05"), made_until("2026-01-04T00:00:00+09:00")
    )
    assert (rows.mature, rows.new) == (5, 1)


def test_the_clock_says_nothing_of_numbers():
    numbered = pd.DataFrame({"day": range(10), "y": [0, 1] * 5})
    rows = count_rows(numbered, dataset(time="day"), made_until("7"), 3)
    assert (rows.mature, rows.immature, rows.new, rows.latest, rows.window_start) == (10, 0, 2, "9", 6.0)


def test_without_a_time_rows_are_counted():
    assert count_rows(TABLE, dataset(), made_until(rows=7)).new == 3
    assert count_rows(TABLE, dataset(), made_until()).new is None
    assert count_rows(TABLE, dataset(), made_until(rows=12)).new == 0


def test_rows_without_a_known_label_are_none_to_count():
    assert count_rows(TABLE, dataset(time="day", label_delay="1w", present="2026-01-02"), None).mature == 0


def test_what_cannot_be_compared_is_said():
    with pytest.raises(DataError, match="does not compare with column 'day'"):
        count_rows(TABLE, dataset(time="day"), made_until("soon"))
    with pytest.raises(DataError, match=r"retraining\.window: 5 does not fit"):
        count_rows(TABLE, dataset(time="day"), None, 5)


RESULT = monitored(
    3,
    drifted=True,
    columns=[column("age", flagged=True), column("city", flagged=False)],
    scores=column("probability", flagged=True),
    domain=DomainDrift(0.7, 0.01, 200, 0.01, flagged=True),
    windows=[window("a", "b", 0.7, below=True)],
)


def test_a_monitoring_result_is_read():
    found = read_monitoring(RESULT, made_until())
    assert found["drifted"] == ("age", "scores", "all columns together")
    assert (found["domain_auc"], found["domain_p"]) == (0.7, 0.01)
    assert [window.below for window in found["windows"]] == [True]


def test_windows_without_labels_say_nothing_of_quality():
    found = read_monitoring(replace(RESULT, windows=[*RESULT.windows, window("b", "c", None)]), made_until())
    assert [window.since for window in found["windows"]] == ["a"]


def test_coverage_of_intervals_is_read_where_there_are_any():
    assert read_monitoring(RESULT, made_until())["coverage"] is None
    covered = window("a", "b", 5.0, metric="rmse", coverage=Estimate(0.8, 0.7, 0.85), coverage_below=True)
    # Without an interval it cannot be judged.
    few = window("b", "c", 5.0, metric="rmse", coverage=Estimate(0.8))
    watched = Coverage(Estimate(0.9, 0.88, 0.92), 0.88, None)
    found = read_monitoring(replace(RESULT, windows=[covered, few], coverage=watched), made_until())
    assert found["coverage"] == (QualityWindow("a", "b", 0.8, 0.7, 0.85, True, "coverage"),)
    assert [(each.value, each.metric) for each in found["windows"]] == [(5.0, "rmse"), (5.0, "rmse")]


def test_what_was_not_compared_is_not_known():
    assert read_monitoring(replace(RESULT, drifted=None), made_until())["drifted"] is None


def test_nothing_is_taken_from_a_result_about_another_champion():
    assert read_monitoring(monitored(2, drifted=True), made_until()) == {}
    assert read_monitoring(RESULT, None) == {}
    assert read_monitoring(None, made_until()) == {}


def test_a_result_without_drift_names_nothing():
    assert read_monitoring(replace(RESULT, drifted=False, domain=None), made_until())["drifted"] == ()
