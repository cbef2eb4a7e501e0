import numpy as np
import pandas as pd

from lepton_pipeline.onboarding.new.derived import find_series, propose_lags
from lepton_pipeline.parameters import Window

ROWS = 600


def walk(seed: int, rows: int = ROWS) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=rows).cumsum()


def series(seed: int = 0) -> pd.DataFrame:
    load = walk(seed)
    return pd.DataFrame(
        {
            "at": pd.date_range("2024-01-01", periods=ROWS, freq="15min"),
            "load": load,
            "noise": np.random.default_rng(9).normal(size=ROWS),
            "busy": (load > np.median(load)).astype(int),
        }
    )


def test_one_series_gets_lags_of_what_follows_itself() -> None:
    rows = series()
    found = find_series(rows, "at", [])
    assert found is not None
    assert (found.by, found.step) == (None, "15min")
    assert found.present(rows["busy"]) == ["load", "busy"]
    assert propose_lags(rows, found, "busy", rows["busy"], ["load", "noise"]) == (
        {f"{name}_before": Window(statistic="lag", of=name, rows=1) for name in ("busy", "load")},
        "",
    )


def test_one_series_for_each_thing_is_found_and_lags_stay_within_it() -> None:
    rows = pd.concat([series(seed).assign(machine=f"M{seed}") for seed in range(3)]).sort_values("at")
    rows = rows.reset_index(drop=True)
    found = find_series(rows, "at", ["machine"])
    assert found is not None
    assert found.by == "machine"
    windows, _ = propose_lags(rows, found, "busy", rows["busy"], ["load"])
    assert windows["load_before"] == Window(statistic="lag", of="load", by=["machine"], rows=1)


def test_events_are_no_series() -> None:
    rows = series()
    rows["at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(
        np.random.default_rng(0).integers(0, 9**6, ROWS), unit="s"
    )
    assert find_series(rows, "at", []) is None
    assert find_series(rows.head(50), "at", []) is None


def test_a_target_that_looks_ahead_or_is_text_gets_no_lag_of_its_own() -> None:
    rows = series()
    found = find_series(rows, "at", [])
    assert found is not None
    ahead = rows.rename(columns={"busy": "fails_within_24h"})
    assert "rows ahead" in propose_lags(ahead, found, "fails_within_24h", rows["busy"], ["load"])[1]
    failures = pd.Series(np.random.default_rng(1).random(ROWS) < 0.02)
    soon = failures[::-1].rolling(6, min_periods=1).max()[::-1].astype(int)
    found = find_series(rows.assign(busy=soon), "at", [])
    assert found is not None
    assert "rows ahead" in propose_lags(rows.assign(busy=soon), found, "busy", soon, ["load"])[1]
    text = rows.assign(busy=rows["busy"].map({0: "no", 1: "yes"}))
    windows, refused = propose_lags(text, found, "busy", rows["busy"], ["load"])
    assert "the target is text" in refused
    assert list(windows) == ["load_before"]
