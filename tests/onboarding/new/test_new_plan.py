from pathlib import Path

import pandas as pd
import pytest
from customers import ROWS, bare_project, frame, left_over, new_shop

from lepton_pipeline.errors import ConfigurationError, DataError, SplitError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return bare_project(tmp_path)


def test_time_axis_makes_a_split_by_time_and_parts_of_the_date(project: Path) -> None:
    days = pd.date_range("2024-01-01", periods=ROWS, freq="9D")
    _, declared, text = new_shop(
        project,
        frame(day=days.strftime("%d.%m.%Y"), joined=(days - pd.Timedelta("40D")).strftime("%Y-%m-%d")),
        time="day",
    )
    assert declared["ingestion"]["dates"] == {"day": "%d.%m.%Y", "joined": "ISO8601"}
    assert declared["dataset"]["time"] == "day"
    assert declared["split"] == {"strategy": "time"}
    assert declared["features"]["derive"] == {
        "day_month": "month(day)",
        "day_weekday": "weekday(day)",
        "days_since_joined": "days_between(day, joined)",
        "joined_weekday": "weekday(joined)",
    }
    assert "label_delay" in text


def test_split_by_an_inferred_time_that_parts_the_classes_is_not_taken(project: Path) -> None:
    days = pd.date_range("2026-01-01", periods=ROWS).strftime("%Y-%m-%d")
    table = frame(day=days, churn=["yes"] * 30 + ["no"] * 30)
    _, declared, text = new_shop(project, table)
    assert declared["dataset"]["time"] == "day"
    assert declared["split"] == {"strategy": "stratified"}
    assert "one part would lack a class" in text


def test_split_that_was_asked_for_and_cannot_be_is_an_error(project: Path) -> None:
    table = frame(step=range(ROWS), churn=["yes"] * 30 + ["no"] * 30)
    with pytest.raises(SplitError):
        new_shop(project, table, time="step")
    assert left_over(project) == []


def test_group_is_declared_only_where_asked_for(project: Path) -> None:
    table = frame(client=[f"c{n % 20}" for n in range(ROWS)], churn=["yes", "no"] * (ROWS // 2), one="same")
    with pytest.raises(DataError, match="--group: column 'one' holds one value only"):
        new_shop(project, table, group="one")
    with pytest.raises(ConfigurationError, match="--group: there is no column 'kunde'"):
        new_shop(project, table, group="kunde")
    _, declared, _ = new_shop(project, table, group="client")
    assert declared["dataset"]["group"] == "client"
    assert declared["split"] == {"strategy": "group"}


def test_leak_is_excluded_with_its_reason(project: Path) -> None:
    table = frame()
    result, declared, text = new_shop(
        project, table.assign(final_bill=(table["churn"] == "yes") * 100 + table["visits"])
    )
    assert declared["dataset"]["exclude"] == ["final_bill"]
    assert "# final_bill: likely a leak" in text
    assert [each.choice for each in result.decisions if each.what == "likely leak"] == ["final_bill"]


def test_rows_without_a_target_are_allowed_for(project: Path) -> None:
    table = frame(churn=["yes", "no", None, "no", "yes", "no"] * (ROWS // 6))
    result, declared, _ = new_shop(project, table)
    assert declared["contract"]["max_quarantined"] == pytest.approx(0.22)
    assert result.outcome == "40.0% positive"


def test_table_without_a_feature_is_refused(project: Path) -> None:
    with pytest.raises(DataError, match=r"learn from: 'id' \(it names rows\)\."):
        new_shop(project, frame()[["churn"]].assign(id=range(ROWS)))
    assert left_over(project) == []


def test_group_without_a_time_that_was_asked_for_is_split_by_group_where_both_would_not_do(
    project: Path,
) -> None:
    days = pd.date_range("2026-01-01", periods=ROWS).strftime("%Y-%m-%d")
    table = frame(day=days, client=[f"c{n % 20}" for n in range(ROWS)], churn=["yes", "no"] * (ROWS // 2))
    with pytest.raises(SplitError, match=r"Or leave out --time or --group\.$"):
        new_shop(project, table, group="client", time="day")
    _, declared, text = new_shop(project, table, group="client")
    assert declared["split"] == {"strategy": "group"}
    assert "the split is by group only" in text
    assert "label_delay" not in text


def test_features_called_like_the_target_are_pointed_out(project: Path) -> None:
    delays = [10.0, 20.0, 30.0] * (ROWS // 3)
    table = frame(arr_delay=delays, arr_time=[n % 17 for n in range(ROWS)])
    result, _, text = new_shop(project, table, target="arr_delay", positive=">= 15")
    assert "# arr_time: named like the target, arr_delay" in text
    assert [each.choice for each in result.decisions if "named like the target" in each.reason] == [
        "arr_time"
    ]
