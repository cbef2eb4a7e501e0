"""Logistics: times, population and joins against flights worked out by hand, and what must not depend on the future."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from lepton_pipeline.data.columns import feature_columns
from lepton_pipeline.data.sql import run_query
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.verticals.logistics import ingestion, time_flights

CONF = Path(__file__).parents[2] / "conf/base/logistics/parameters.yml"
QUERY = CONF.with_name("table.sql").read_text()
PLANES = pd.DataFrame({"tailnum": ["N1", "N2"], "year": [2003.0, np.nan], "seats": [180, 55]})
AIRPORTS = pd.DataFrame(
    {
        "faa": ["JFK", "EWR", "LAX", "PHX"],
        "lat": [40.6, 40.7, 33.9, 33.4],
        "lon": [-73.8, -74.2, -118.4, -112.0],
        "alt": [13, 18, 126, 1135],
        "tz": [-5, -5, -8, -7],
        "dst": ["A", "A", "A", "N"],
    }
)
OBSERVED = {
    "temp": 50.0,
    "dewp": 40.0,
    "humid": 60.0,
    "wind_dir": 90.0,
    "wind_speed": 10.0,
    "wind_gust": 20.0,
}
OBSERVED |= {"precip": 0.0, "pressure": 1010.0, "visib": 10.0}
KNOWN_LATER = {"dep_delay", "arr_delay", "departed_at", "arrived_at"}


def flight(**values: Any) -> dict[str, Any]:
    """A flight JFK-LAX on 15 January: due 09:30 to 12:45 local, left 09:40, arrived 12:50; 325 minutes in the air."""
    due = {
        "month": 1,
        "day": 15,
        "sched_dep_time": 930,
        "sched_arr_time": 1245,
        "time_hour": "2013-01-15 14:00",
    }
    seen = {"dep_delay": 10.0, "arr_delay": 5.0, "air_time": 325.0}
    keys = {"carrier": "UA", "flight": 1, "tailnum": "N1", "origin": "JFK", "dest": "LAX", "distance": 2475}
    return {"year": 2013, **due, **seen, **keys, **values}


def flights(*rows: dict[str, Any]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    clock = table["sched_dep_time"]
    hours = pd.to_datetime(table["time_hour"]).astype("datetime64[us]")
    return table.assign(hour=clock // 100, minute=clock % 100, time_hour=hours)


def only(table: pd.DataFrame) -> dict[str, Any]:
    assert len(table) == 1
    return {str(name): value for name, value in table.iloc[0].items()}


def timed(*rows: dict[str, Any]) -> pd.DataFrame:
    return time_flights(flights(*rows), AIRPORTS)


def weather(*rows: dict[str, Any]) -> pd.DataFrame:
    """Observations of JFK, at `hour` on 15 January (UTC)."""
    table = pd.DataFrame([{"origin": "JFK", **OBSERVED, **row} for row in rows])
    hours = pd.Timestamp("2013-01-15") + pd.to_timedelta(table.pop("hour"), unit="h")
    return table.assign(time_hour=hours.astype("datetime64[us]"))


def joined(timed_flights: pd.DataFrame, hours: pd.DataFrame, planes: pd.DataFrame = PLANES) -> pd.DataFrame:
    tables = {"timed_flights": timed_flights, "weather": hours, "planes": planes}
    return run_query(
        QUERY, tables, Dataset(target="arr_delay", positive_when="arr_delay >= 15"), "logistics/table.sql"
    )


def test_times_are_worked_out_in_utc():
    row = only(timed(flight()))
    assert row["scheduled_at"] == pd.Timestamp("2013-01-15 14:30")
    assert row["scheduled_local"] == pd.Timestamp("2013-01-15 09:30")
    assert row["departed_at"] == pd.Timestamp("2013-01-15 14:40")
    # 12:45 in Los Angeles is 20:45 UTC; five minutes late.
    assert row["arrived_at"] == pd.Timestamp("2013-01-15 20:50")
    assert (row["time_difference"], row["scheduled_minutes"]) == (-3, 375)


def test_summer_time_moves_only_places_that_have_it():
    july = {"month": 7, "time_hour": "2013-07-15 13:00"}
    both = timed(flight(**july), flight(**july, dest="PHX", sched_arr_time=1130))
    assert both["time_difference"].tolist() == [-3, -3]
    # 11:30 in Phoenix is 14:30 in New York in summer.
    assert both["scheduled_minutes"].tolist() == [375, 300]
    winter = timed(flight(dest="PHX", sched_arr_time=1130))
    assert (only(winter)["time_difference"], only(winter)["scheduled_minutes"]) == (-2, 240)


def test_an_arrival_after_midnight_is_on_the_next_day():
    late = flight(sched_dep_time=2150, sched_arr_time=105, time_hour="2013-01-16 02:00", arr_delay=-5.0)
    row = only(timed(late))
    assert row["scheduled_minutes"] == 375
    assert row["arrived_at"] == pd.Timestamp("2013-01-16 09:00")


def test_an_unknown_destination_has_an_arrival_that_is_never_too_early():
    row = only(timed(flight(dest="SJU")))
    assert not row["airport_matched"]
    assert np.isnan(row["dest_lat"])
    assert np.isnan(row["scheduled_minutes"])
    assert row["arrived_at"] == pd.Timestamp("2013-01-15 14:40") + pd.Timedelta(minutes=325 + 240)


def test_only_flights_that_arrived_are_kept():
    cancelled = flight(flight=2, dep_delay=None, arr_delay=None, air_time=None)
    diverted = flight(flight=3, arr_delay=None, air_time=None)
    table = flights(cancelled, flight(flight=4), diverted, flight(flight=5))
    kept = time_flights(table, AIRPORTS)
    assert kept["flight"].tolist() == [4, 5]
    assert kept.index.tolist() == [1, 3]
    assert kept["airport_matched"].all()


def test_what_becomes_known_later_is_not_in_the_table_but_for_the_sources_of_windows():
    early, late = flight(), flight(dep_delay=95.0, arr_delay=80.0, air_time=330.0)
    same = timed(early).drop(columns=list(KNOWN_LATER))
    pd.testing.assert_frame_equal(same, timed(late).drop(columns=list(KNOWN_LATER)))
    assert not {"dep_time", "arr_time", "air_time"} & set(timed(early).columns)


def test_weather_is_that_of_the_hour_before():
    hours = weather({"hour": 13, "temp": 41.0}, {"hour": 14, "temp": 99.0}, {"hour": 15, "temp": 98.0})
    row = only(joined(timed(flight()), hours))
    assert row["temp"] == 41.0
    assert row["weather_matched"]


@pytest.mark.parametrize("minute", [0, 1, 59])
def test_weather_of_the_same_or_a_later_hour_is_never_used(minute):
    late = weather(*({"hour": hour, "precip": 1.0} for hour in range(14, 24)))
    row = only(joined(timed(flight(sched_dep_time=900 + minute)), late))
    assert not row["weather_matched"]
    added = [*OBSERVED, "temp_change", "pressure_change", "precip_3h"]
    assert all(np.isnan(row[name]) for name in added)


def test_changes_and_rain_look_back_three_hours():
    hours = weather(
        {"hour": 10, "pressure": 1014.0, "temp": 46.0, "precip": 0.7},
        {"hour": 11, "precip": 0.3},
        {"hour": 12, "precip": 0.2},
        {"hour": 13, "pressure": 1008.0, "temp": 49.0, "precip": 0.1},
        {"hour": 14, "precip": 9.0},
    )
    row = only(joined(timed(flight()), hours))
    assert (row["pressure_change"], row["temp_change"]) == (-6.0, 3.0)
    assert row["precip_3h"] == pytest.approx(0.6)
    without_noon = joined(timed(flight()), hours[hours["precip"] != 0.2])
    assert only(without_noon)["precip_3h"] == pytest.approx(0.4)


def test_weather_is_that_of_the_origin():
    hours = weather({"hour": 13, "temp": 41.0}, {"hour": 13, "origin": "EWR", "temp": 44.0})
    made = joined(timed(flight(origin="EWR"), flight(), flight(origin="LGA", dest="LAX")), hours)
    assert made["temp"].tolist()[:2] == [44.0, 41.0]
    assert made["weather_matched"].tolist() == [True, True, False]


def test_planes_are_found_by_their_number_and_unknown_ones_stay():
    table = timed(flight(tailnum="N2"), flight(tailnum="N9"), flight(), flight(tailnum=np.nan))
    made = joined(table, weather({"hour": 13}))
    assert made["plane_age"].fillna(-1).tolist() == [-1, -1, 10, -1]
    assert made["seats"].fillna(-1).tolist() == [55, -1, 180, -1]
    assert made["plane_matched"].tolist() == [True, False, True, False]


def many_flights(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    made = []
    for number in range(rows):
        local = pd.Timestamp("2013-01-15 05:00") + pd.Timedelta(minutes=int(rng.integers(0, 18 * 60)))
        made.append(
            flight(
                flight=number,
                sched_dep_time=local.hour * 100 + local.minute,
                time_hour=local.floor("h") + pd.Timedelta(hours=5),
                tailnum=f"N{number % 9}",
                origin=str(rng.choice(["JFK", "EWR"])),
                dep_delay=float(rng.integers(-10, 90)),
                arr_delay=float(rng.integers(-20, 100)) if rng.random() > 0.1 else None,
            )
        )
    return flights(*made)


@pytest.mark.parametrize("hour", [14, 20])
def test_what_happens_later_changes_no_earlier_flight(hour):
    rng = np.random.default_rng(1)
    cut = pd.Timestamp("2013-01-15") + pd.Timedelta(hours=hour)
    table = many_flights(120)
    hours = weather(
        *({"hour": at, "temp": float(rng.integers(10, 90)), "precip": rng.random()} for at in range(6, 29))
    )
    later = table["time_hour"] >= cut
    changed = table.assign(
        dep_delay=table["dep_delay"].mask(later, 900.0), dest=table["dest"].mask(later, "PHX")
    ).sample(frac=1, random_state=2)
    stormy = hours.assign(
        temp=hours["temp"].mask(hours["time_hour"] >= cut, -40.0),
        precip=hours["precip"].mask(hours["time_hour"] >= cut, 9.0),
    ).sample(frac=1, random_state=3)
    before = joined(time_flights(table, AIRPORTS), hours)
    # A flight due in the hour of the cut still has the weather of the hour before.
    earlier = before.index[before["scheduled_at"] < cut]
    same_hour = before.index[before["scheduled_at"].dt.floor("h") == cut]
    after = joined(time_flights(changed, AIRPORTS), stormy)
    assert len(earlier) > 5
    assert len(same_hour) > 0
    pd.testing.assert_frame_equal(after.loc[earlier], before.loc[earlier])
    assert after.loc[same_hour, "temp"].equals(before.loc[same_hour, "temp"])


def test_no_declared_feature_uses_what_was_unknown_at_the_scheduled_departure():
    declared = read_vertical("logistics", yaml.safe_load(CONF.read_text())["logistics"])
    table = joined(time_flights(many_flights(300), AIRPORTS), weather({"hour": 13}))
    cut = pd.Timestamp("2013-01-15 23:00")
    changed = table.assign(
        dep_delay=table["dep_delay"].mask(table["departed_at"] >= cut, 777.0),
        arr_delay=table["arr_delay"].mask(table["arrived_at"] >= cut, 777.0),
    )
    before = derive_features(table, declared.dataset, declared.features)
    after = derive_features(changed.sample(frac=1, random_state=0), declared.dataset, declared.features)
    features = feature_columns(before, declared.dataset)
    assert not {"dep_delay", "arr_delay", "departed_at", "arrived_at"} & set(features)
    known = before.index[before["scheduled_at"] <= cut]
    pd.testing.assert_frame_equal(after.loc[known, features], before.loc[known, features])
    made = list(declared.features.windows)
    assert before.loc[known, [name for name in made if name != "flight_30d"]].notna().any().all()
    later = before.index.difference(known)
    assert not after.loc[later, made].equals(before.loc[later, made])


def test_windows_count_a_delay_from_the_moment_it_is_known():
    declared = read_vertical("logistics", yaml.safe_load(CONF.read_text())["logistics"])
    # The first leaves at 14:30, after the second is due, and arrives at 20:40.
    first = flight(sched_dep_time=900, sched_arr_time=1215, dep_delay=30.0, arr_delay=25.0)
    due = [flight(sched_dep_time=925), flight(sched_dep_time=931), flight(sched_dep_time=1541)]
    due[-1] |= {"sched_arr_time": 1856, "time_hour": "2013-01-15 20:00"}
    table = joined(timed(first, *due), weather({"hour": 13}))
    made = derive_features(table, declared.dataset, declared.features)
    assert made["origin_2h"].fillna(-1).tolist() == [-1, -1, 30, -1]
    assert made["departed_1h"].tolist() == [0, 0, 1, 0]
    assert made["scheduled_1h"].tolist() == [0, 1, 2, 0]
    assert made["waiting_1h"].tolist() == [0, 1, 1, 0]
    assert made["plane_last"].fillna(-1).tolist() == [-1, -1, -1, 25]


def test_an_absent_column_is_named():
    table, hours = timed(flight()), weather({"hour": 13})
    with pytest.raises(DataError, match=r"table 'flights' has no column 'sched_arr_time'"):
        time_flights(flights(flight()).drop(columns="sched_arr_time"), AIRPORTS)
    with pytest.raises(DataError, match=r"table 'airports' has no column 'tz'"):
        time_flights(flights(flight()), AIRPORTS.drop(columns="tz"))
    with pytest.raises(
        ConfigurationError,
        match=r"^logistics/table\.sql, line 10: no column 'visib'; timed_flights has carrier",
    ):
        joined(table, hours.drop(columns="visib"))
    with pytest.raises(ConfigurationError, match=r"no column 'seats'"):
        joined(table, hours, PLANES.drop(columns="seats"))


def test_a_text_where_a_number_is_needed_is_named():
    table, hours = timed(flight()), weather({"hour": 13})
    with pytest.raises(
        DataError, match=r"'air_time' of table 'flights' must .* 1 of 2 values are none, .* 'x' \(row 1"
    ):
        time_flights(flights(flight(air_time="325"), flight(air_time="x")), AIRPORTS)
    with pytest.raises(DataError, match=r"column 'tz' of table 'airports' must hold numbers"):
        time_flights(flights(flight()), AIRPORTS.assign(tz="UTC"))
    with pytest.raises(
        DataError, match=r"Could not convert string 'cold' to DOUBLE when casting from source column temp"
    ):
        joined(table, hours.assign(temp="cold"))
    with pytest.raises(DataError, match=r"string 'old' to DOUBLE when casting from source column \"?year"):
        joined(table, hours, pd.DataFrame({"tailnum": ["N1"], "year": ["old"], "seats": [100]}))


def test_a_measure_without_any_value_is_missing():
    hours = weather({"hour": 13}).assign(temp=pd.Series([None], dtype="str"))
    row = only(joined(timed(flight()), hours))
    assert row["weather_matched"]
    assert np.isnan([row["temp"], row["temp_change"]]).all()


def test_an_hour_that_no_calendar_has_is_named():
    with pytest.raises(
        DataError, match=r"1 of 2 rows of table 'flights' .* year 2013, month 13, .*\(row 1\); correct"
    ):
        time_flights(flights(flight(), flight(month=13)), AIRPORTS)


def test_two_observations_of_an_hour_are_refused():
    hours = weather({"hour": 13}, {"hour": 13, "temp": 41.0})
    with pytest.raises(
        ConfigurationError, match=r"2 rows have flights\.position 0, and 2 of 2 repeat a key\. Add"
    ):
        joined(timed(flight()), hours)


def test_the_node_changes_no_argument():
    table, airports = many_flights(5), AIRPORTS.copy()
    before = table.copy()
    time_flights(table, airports)
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(airports, AIRPORTS)


def test_the_pipeline_reads_five_raw_tables_and_makes_the_table():
    pipeline = ingestion()
    data = {name for name in pipeline.inputs() if not name.startswith("params:")}
    assert data == {f"{table}.raw" for table in ("flights", "weather", "planes", "airports", "airlines")}
    assert pipeline.all_outputs() >= {"table", "ingestion_record"}
