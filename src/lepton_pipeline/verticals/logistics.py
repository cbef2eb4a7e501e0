"""Logistics: one row per arrived flight, with weather and aircraft."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.data.columns import check_columns, with_numbers
from lepton_pipeline.errors import DataError
from lepton_pipeline.verticals.raw_tables import query_table, raw_table

# Columns of the raw tables; further ones are not read.
_AMOUNTS = ["distance", "dep_delay", "arr_delay"]
_OF_FLIGHT = ["carrier", "flight", "tailnum", "origin", "dest", *_AMOUNTS]
_HOUR = ["year", "month", "day", "hour"]
_CLOCK = [*_HOUR, "minute", "sched_dep_time", "sched_arr_time", "air_time"]
_OF_PLACE = ["lat", "lon", "alt", "tz"]
# No flight with known times spent four hours on the ground.
_LONGEST_TAXI = pd.Timedelta(hours=4)
_DAY = 24 * 60


def ingestion() -> Pipeline:
    """From five raw tables to one row per arrived flight."""
    others = ("weather", "planes", "airports", "airlines")
    return Pipeline(
        [
            *(raw_table(name) for name in others),
            raw_table("flights", references=others),
            Node(time_flights, ["checked_flights", "checked_airports"], "timed_flights", name="time_flights"),
            query_table("logistics", ("weather", "planes"), made=("timed_flights",)),
        ]
    )


def time_flights(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """Keep the flights that arrived, with scheduled and actual times in UTC.

    Source times are local, HHMM as a number. A zone's difference to UTC is the airport's `tz`, plus one hour
    in summer where `dst` is "A" (the rule of the United States); the origin's own times tell when that is.

    Args:
        flights: flights with `time_hour` (UTC, the hour of the scheduled departure); cancelled and diverted
            ones have no `arr_delay`.
        airports: places with `faa` (each once), `lat`, `lon` (degrees), `alt` (feet), `tz` (hours) and `dst`.

    Returns:
        Arrived flights by their index labels, also as `position`: the schedule; `dep_delay`, `arr_delay`
        (minutes); and, in UTC, `scheduled_at`, `departed_at` and `arrived_at`. For a destination not among
        the airports, its columns are missing and `arrived_at` is an upper bound.

    Raises:
        DataError: a column is absent, a value is no number, or a scheduled hour is not in the calendar.
    """
    flights = _required(flights, [*_OF_FLIGHT, "time_hour"], [*_AMOUNTS, *_CLOCK], "flights")
    airports = _required(airports, ["faa", "dst"], _OF_PLACE, "airports")
    arrived = flights[flights["arr_delay"].notna()]
    hour = _departure_hours(arrived)
    minute = pd.to_timedelta(arrived["minute"], unit="min")
    scheduled_at = arrived["time_hour"] + minute
    departed_at = scheduled_at + pd.to_timedelta(arrived["dep_delay"], unit="min")

    places = airports.set_index("faa")
    place = places.reindex(arrived["dest"]).set_axis(arrived.index)
    origin_zone = (hour - arrived["time_hour"]).dt.total_seconds() / 3600
    summer = origin_zone > places["tz"].reindex(arrived["origin"]).to_numpy()
    time_difference = place["tz"] + (summer & (place["dst"] == "A")) - origin_zone
    local_minutes = _minutes(arrived["sched_arr_time"]) - _minutes(arrived["sched_dep_time"])
    scheduled_minutes = (local_minutes - 60 * time_difference) % _DAY

    due_at = scheduled_at + pd.to_timedelta(scheduled_minutes, unit="min")
    latest = departed_at + pd.to_timedelta(arrived["air_time"], unit="min") + _LONGEST_TAXI
    return arrived[_OF_FLIGHT].assign(
        position=arrived.index,
        scheduled_at=scheduled_at,
        scheduled_local=hour + minute,
        departed_at=departed_at,
        arrived_at=(due_at + pd.to_timedelta(arrived["arr_delay"], unit="min")).fillna(latest),
        scheduled_minutes=scheduled_minutes,
        time_difference=time_difference,
        dest_lat=place["lat"],
        dest_lon=place["lon"],
        dest_alt=place["alt"],
        airport_matched=arrived["dest"].isin(places.index),
    )


def _departure_hours(flights: pd.DataFrame) -> pd.Series:
    hours = pd.to_datetime(flights[_HOUR], errors="coerce")
    wrong = flights.loc[hours.isna(), _HOUR]
    if len(wrong):
        shown = ", ".join(f"{name} {value}" for name, value in wrong.iloc[0].items())
        raise DataError(
            f"{len(wrong):,} of {len(flights):,} rows of table 'flights' have no valid hour of departure, e.g. "
            f"{shown} (row {wrong.index[0]}); correct them, or quarantine them by expectations in tables.flights."
        )
    return hours


def _minutes(clock: pd.Series) -> pd.Series:
    """Minutes since midnight of times such as 517 for 5:17."""
    return clock // 100 * 60 + clock % 100


def _required(table: pd.DataFrame, columns: list[str], numbers: list[str], name: str) -> pd.DataFrame:
    needed = {"the join of flights": list(dict.fromkeys([*columns, *numbers]))}
    check_columns([str(column) for column in table.columns], needed, f"table {name!r}")
    return with_numbers(table, numbers, f"table {name!r}")
