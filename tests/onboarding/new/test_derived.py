import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.onboarding.new.derived import date_parts, find_series, propose_lags
from lepton_pipeline.parameters import Window

ROWS, STEPS = 400, 600


def table(**later: float) -> pd.DataFrame:
    """Rows booked over two years, and dates so many days later on average."""
    draw = np.random.default_rng(0)
    booked = pd.Series(pd.Timestamp("2023-01-01") + pd.to_timedelta(draw.integers(0, 17_000, ROWS), unit="h"))
    dates = {
        name: booked + pd.to_timedelta(draw.exponential(days, ROWS), unit="D") for name, days in later.items()
    }
    return pd.DataFrame({"booked_at": booked, **dates})


def test_several_dates_give_calendar_and_lead_time_without_what_comes_later() -> None:
    rows = table(travel_date=20, closed_on=30, payment=25, other=10)
    rows["birth_date"] = rows["booked_at"] - pd.Timedelta("9000D")
    rows["travel_date"] = rows["travel_date"].dt.normalize()
    made = date_parts(rows, None, ())
    assert made.first == "booked_at"
    assert made.derive == {
        "booked_at_month": "month(booked_at)",
        "booked_at_weekday": "weekday(booked_at)",
        "booked_at_hour": "hour(booked_at)",
        "days_to_travel_date": "days_between(travel_date, booked_at)",
        "travel_date_weekday": "weekday(travel_date)",
        "days_since_birth_date": "days_between(booked_at, birth_date)",
    }
    assert set(made.unused) == {"closed_on", "payment", "other"}
    assert "days_to_other: days_between(other, booked_at)" in made.unused["other"]
    assert "planned ahead" in made.asked["travel_date"]
    assert date_parts(rows, "booked_at", ()).derive == made.derive


def test_a_planned_date_that_many_rows_lack_is_not_used() -> None:
    rows = table(expected_end=20)
    rows.loc[::3, "expected_end"] = pd.NaT
    assert set(date_parts(rows, "booked_at", ()).unused) == {"expected_end"}


def test_dates_in_no_order_give_their_own_parts_only() -> None:
    rows = pd.DataFrame(
        {"alpha": table()["booked_at"], "beta": table()["booked_at"].sample(frac=1).to_numpy()}
    )
    made = date_parts(rows, None, ())
    assert made.first is None
    assert set(made.derive) == {f"{name}_{part}" for name in rows for part in ("month", "weekday", "hour")}


def test_first_days_of_months_have_no_weekday() -> None:
    rows = pd.DataFrame({"issued": pd.date_range("2020-01-01", periods=40, freq="MS")})
    assert list(date_parts(rows, "issued", ()).derive) == ["issued_month"]


@pytest.mark.parametrize("zoned", ["booked_at", "travel_date"])
def test_dates_with_and_without_a_zone_are_not_compared(zoned: str) -> None:
    rows = table(travel_date=20)
    rows[zoned] = rows[zoned].dt.tz_localize("UTC")
    made = date_parts(rows, "booked_at", ())
    assert "days_to_travel_date" not in made.derive
    assert "time zone" in made.unused["travel_date"]


def series(seed: int = 0) -> pd.DataFrame:
    load = np.random.default_rng(seed).normal(size=STEPS).cumsum()
    return pd.DataFrame(
        {
            "at": pd.date_range("2024-01-01", periods=STEPS, freq="15min"),
            "load": load,
            "noise": np.random.default_rng(9).normal(size=STEPS),
            "busy": (load > np.median(load)).astype(int),
        }
    )


def test_one_series_gets_lags_of_what_follows_itself() -> None:
    rows = series()
    found = find_series(rows, "at", [])
    assert found is not None
    assert (found.by, found.step) == (None, "15min")
    assert found.present([rows["busy"]]) == ["load", "busy"]
    assert propose_lags(rows, found, "busy", [rows["busy"]], ["load", "noise"]) == (
        {f"{name}_before": Window(statistic="lag", of=name, rows=1) for name in ("busy", "load")},
        "",
    )


def test_one_series_for_each_thing_is_found_and_lags_stay_within_it() -> None:
    rows = pd.concat([series(seed).assign(machine=f"M{seed}") for seed in range(3)]).sort_values("at")
    rows = rows.reset_index(drop=True)
    found = find_series(rows, "at", ["machine"])
    assert found is not None
    assert found.by == "machine"
    windows, _ = propose_lags(rows, found, "busy", [rows["busy"]], ["load"])
    assert windows["load_before"] == Window(statistic="lag", of="load", by=["machine"], rows=1)


def test_events_are_no_series() -> None:
    rows = series()
    rows["at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(
        np.random.default_rng(0).integers(0, 9**6, STEPS), unit="s"
    )
    assert find_series(rows, "at", []) is None
    assert find_series(rows.head(50), "at", []) is None


def test_a_target_that_looks_ahead_or_is_text_gets_no_lag_of_its_own() -> None:
    rows = series()
    found = find_series(rows, "at", [])
    assert found is not None
    ahead = rows.rename(columns={"busy": "fails_within_24h"})
    assert "rows ahead" in propose_lags(ahead, found, "fails_within_24h", [rows["busy"]], ["load"])[1]
    failures = pd.Series(np.random.default_rng(1).random(STEPS) < 0.02)
    soon = failures[::-1].rolling(6, min_periods=1).max()[::-1].astype(int)
    found = find_series(rows.assign(busy=soon), "at", [])
    assert found is not None
    assert "rows ahead" in propose_lags(rows.assign(busy=soon), found, "busy", [soon], ["load"])[1]
    text = rows.assign(busy=rows["busy"].map({0: "no", 1: "yes"}))
    windows, refused = propose_lags(text, found, "busy", [rows["busy"]], ["load"])
    assert "the target is text" in refused
    assert list(windows) == ["load_before"]


def test_of_several_classes_there_are_lags_of_columns_only_and_of_a_number_its_own_too() -> None:
    rows = series()
    rows["state"] = np.digitize(rows["load"], np.quantile(rows["load"], [0.3, 0.6]))
    found = find_series(rows, "at", [])
    assert found is not None
    each = [(rows["state"] == place).astype(int) for place in range(3)]
    windows, refused = propose_lags(rows, found, "state", each, ["load", "noise"])
    assert list(windows) == ["load_before"]
    assert "the target's own past is a class" in refused
    assert found.present(each) == ["load", "busy", "state"]
    windows, refused = propose_lags(rows, found, "load", [rows["load"].rank()], ["noise"])
    assert (list(windows), refused) == (["load_before"], "")
