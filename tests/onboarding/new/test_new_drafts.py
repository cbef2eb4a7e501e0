"""Whole drafts of small tables whose traps are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from customers import bare_project, new_shop

from lepton_pipeline.features.column_record import UNUSED

ROWS = 900


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return bare_project(tmp_path)


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def weak(target: np.ndarray, count: int = 6) -> dict[str, np.ndarray]:
    return {f"w{number}": draw(number + 1).normal(size=len(target)) + 0.3 * target for number in range(count)}


def lines(result: Any, what: str) -> dict[str, str]:
    return {each.choice: each.reason for each in result.decisions if each.what == what}


def test_a_derived_hour_that_decides_stays(project: Path) -> None:
    time = pd.Series(pd.date_range("2024-01-01", periods=ROWS, freq="h"))
    target = ((time.dt.hour >= 7) & (time.dt.hour <= 19)).astype(int).to_numpy()
    target = np.where(draw().random(ROWS) < 0.01, 1 - target, target)
    result, declared, _ = new_shop(project, pd.DataFrame({"at": time, **weak(target), "y": target}))
    assert declared["features"]["derive"]["at_hour"] == "hour(at)"
    assert lines(result, "likely leak") == {}
    assert "at_hour" not in declared.get("leaks", {}).get("trusted", [])


def test_leaks_in_company_are_left_out_and_a_strong_attribute_stays_and_is_asked_about(project: Path) -> None:
    target = (draw().random(ROWS) < 0.3).astype(int)
    later = {
        name: 2 * target + spread * draw(20 + k).normal(size=ROWS)
        for k, (name, spread) in enumerate(LATER.items())
    }
    age = 50 + 12 * target + 10 * draw(9).normal(size=ROWS)
    table = pd.DataFrame({**weak(target, 10), **later, "age": age.round(), "died": target})
    result, declared, text = new_shop(project, table)
    assert declared["dataset"]["exclude"] == [*LATER]
    assert set(lines(result, "likely leak")) == set(LATER)
    assert "leaks" not in declared
    assert "with it 0." in lines(result, "look at")["age"]
    assert "# age: strong, is it known at prediction time?" in text
    assert "# Is a strong one known only after the outcome? Then list it in exclude." in text


LATER = {"a": 1.2, "b": 1.3, "c": 1.4}


def test_features_that_are_too_good_together_are_said(project: Path) -> None:
    left, right = draw(1).normal(size=(2, ROWS))
    target = (left - right > 0.5).astype(int)
    result, _, text = new_shop(
        project, pd.DataFrame({"income": left, "price": right, **weak(0 * target), "y": target})
    )
    assert "together they reach AUC" in lines(result, "look at")["all features"]
    assert "# all features: together they reach" in text


def test_a_copy_of_the_time_is_left_out_under_a_split_by_time_only(project: Path) -> None:
    time = pd.Series(pd.date_range("2024-03-01", periods=ROWS, freq="47min"))
    target = (draw().random(ROWS) < 0.3).astype(int)
    table = pd.DataFrame({"at": time, "day": time.dt.day, **weak(target), "y": target})
    result, declared, _ = new_shop(project, table)
    assert declared["dataset"]["exclude"] == ["day"]
    assert "a copy of the time axis" in lines(result, "no feature")["day"]


def test_order_without_a_date_is_noticed(project: Path) -> None:
    target = np.repeat((draw().random(ROWS // 6) < 0.4).astype(int), 6)
    table = pd.DataFrame({"day": np.arange(ROWS) // 9, **weak(target), "y": target})
    result, declared, text = new_shop(project, table)
    assert declared["split"] == {"strategy": "stratified"}
    assert "give --time day" in lines(result, "order")["day"]
    assert "neighbouring rows" in lines(result, "order")["day"]
    assert "# day: rows are sorted by it" in text


def test_several_rows_of_one_outcome_are_asked_about_as_a_group(project: Path) -> None:
    source = draw(3)
    patient = np.sort(source.integers(10_000, 99_999, ROWS // 4)).repeat(4)
    target = np.repeat((source.random(ROWS // 4) < 0.4).astype(int), 4)
    table = pd.DataFrame({"mrn": patient, **weak(target), "y": target})
    result, declared, text = new_shop(project, table)
    assert "give --group mrn" in lines(result, "look at")["mrn"]
    assert lines(result, "order") == {}
    assert "# mrn: " in text
    assert "group" not in declared["dataset"]


def test_rows_in_some_order_are_noticed_and_a_drawn_file_is_not(project: Path) -> None:
    target = np.repeat((draw().random(ROWS // 6) < 0.4).astype(int), 6)
    table = pd.DataFrame({"row_id": range(ROWS), **weak(target), "y": target})
    result, _, _ = new_shop(project, table)
    assert list(lines(result, "order")) == ["rows"]


def test_a_random_file_with_a_running_id_raises_no_alarm(project: Path) -> None:
    target = (draw().random(ROWS) < 0.4).astype(int)
    result, _, _ = new_shop(project, pd.DataFrame({"row_id": range(ROWS), **weak(target), "y": target}))
    assert lines(result, "order") == {}


def test_everything_that_is_not_used_has_a_line(project: Path) -> None:
    start = pd.Series(pd.Timestamp("2023-01-01") + pd.to_timedelta(draw().integers(0, 600, ROWS), unit="D"))
    target = (draw().random(ROWS) < 0.3).astype(int)
    table = pd.DataFrame(
        {
            "case": [f"C{n}" for n in range(ROWS)],
            "opened": start,
            "closed_on": start + pd.to_timedelta(draw(1).integers(1, 9, ROWS), unit="D"),
            "ts": 1_700_000_000 + draw(2).permutation(ROWS) * 977,
            "note": [f"text {n}" for n in range(ROWS - 2)] + ["text 0", "text 1"],
            "agent": np.tile([f"{one} {two}" for one in ("Anna", "Ben", "Cleo") for two in FAMILIES], 60)[
                :ROWS
            ],
            "empty": np.nan,
            **{f"constant_{n}": 1 for n in range(8)},
            "verdict": np.where(target == 1, "guilty", "free"),
            "country": draw(3).choice(["DE", "NA", "FR"], ROWS),
            "price": [f"${value:,.2f}" for value in draw(4).lognormal(7, 1, ROWS)],
            **weak(target),
            "y": pd.Series(target).where(draw(5).random(ROWS) > 0.02),
        }
    )
    result, declared, text = new_shop(project, table)
    said = " ".join(f"{each.choice}" for each in result.decisions)
    unused = {
        each.name for each in result.table if each.used_as == UNUSED and each.role in ("excluded", "feature")
    }
    for name in (
        "closed_on",
        "ts",
        "note",
        "agent",
        "empty",
        "verdict",
        *(f"constant_{n}" for n in range(8)),
    ):
        assert name in said
        assert name in unused
    assert set(declared["dataset"]["exclude"]) == unused - {"closed_on"}
    assert list(lines(result, "no target")) == [
        f"{int(table['y'].isna().sum())} rows ({table['y'].isna().mean():.1%})"
    ]
    assert declared["ingestion"]["thousands"] == ","
    assert declared["ingestion"]["units"] == ["$"]
    assert "NA" not in declared["ingestion"]["missing"]
    assert "# numbers such as '$" in text.lower() or "Numbers such as '$" in text


FAMILIES = ["Maier", "Huber", "Graf", "Wolf", "Klein"]


def test_a_target_called_class_and_several_positive_values(project: Path) -> None:
    target = draw().choice(["pass", "fail", "withdrawn"], ROWS)
    table = pd.DataFrame({**weak((target == "fail").astype(int)), "class": target})
    _, declared, _ = new_shop(project, table, target="class", positive="in ['fail', 'withdrawn']")
    assert declared["dataset"]["positive_when"] == "`class` in ['fail', 'withdrawn']"


def test_lags_of_a_series_are_declared(project: Path) -> None:
    load = draw().normal(size=ROWS).cumsum()
    busy = (np.roll(load, -1) > np.median(load)).astype(int)
    time = pd.date_range("2024-01-01", periods=ROWS, freq="h")
    result, declared, text = new_shop(
        project, pd.DataFrame({"at": time, "load": load, **weak(0 * busy), "busy": busy})
    )
    assert declared["features"]["windows"]["load_before"] == {"statistic": "lag", "of": "load", "rows": 1}
    assert "rows are one series, 1h from row to row" in next(iter(lines(result, "lags").values()))
    assert lines(result, "likely leak") == {}
    assert "Lags read rows before a row's own time only." in text
