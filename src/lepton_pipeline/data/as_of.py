"""Which rows were known at a date: the table as it could have been used then."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lepton_pipeline.data.durations import before
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset


def known_rows(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Leave out the rows whose label was not known yet at `dataset.as_of`.

    Args:
        table: typed rows; where the column of times is made later, they all stay.
        dataset: has `time`, `as_of` and `label_delay`.

    Returns:
        The rows of which time + label_delay is at or before the date, with their index labels; `table` itself where no
        date is declared. A row without a time is left out: nobody can tell that it was known.

    Raises:
        DataError: no row is left, or the date does not compare with the times.
    """
    if dataset.as_of is None or dataset.time not in table.columns:
        return table
    times = table[dataset.time]
    date = moment(dataset.as_of, times, "dataset.as_of")
    return _rows_left(table, mature(times, date, dataset), "dataset.as_of", dataset)


def recent_rows(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Leave out the rows before `dataset.since`.

    Args:
        table: typed rows with the column of times.
        dataset: has `time` and `since`.

    Returns:
        The rows at or after the date, with their index labels; `table` itself where no date is declared.

    Raises:
        DataError: no row is left, or the date does not compare with the times.
    """
    if dataset.since is None:
        return table
    times = table[str(dataset.time)]
    return _rows_left(table, times >= moment(dataset.since, times, "dataset.since"), "dataset.since", dataset)


def mature(times: pd.Series, date: Any, dataset: Dataset) -> pd.Series:
    """Mark the rows whose label is known at a date that `moment` gives; a missing time is never known."""
    known: pd.Series = times <= _labelled(date, times, dataset)
    return known


def moment(value: str | float, times: pd.Series, where: str) -> Any:
    """A declared date as a value that compares with a column of times.

    Args:
        value: ISO date or time, without a zone in UTC where the column has one; a number beside numbers.
        times: the column.
        where: the key that declares the date, for the message.

    Raises:
        DataError: it does not compare with the column.
    """
    if pd.api.types.is_numeric_dtype(times) and not pd.api.types.is_bool_dtype(times):
        try:
            return float(value)
        except ValueError as error:
            raise _unlike(value, times, "numbers", "a number", where) from error
    if not pd.api.types.is_datetime64_any_dtype(times):
        raise DataError(
            f"{where}: {value!r} needs dates or numbers, but column {times.name!r} holds {_first(times)}; "
            "declare its format in ingestion.dates."
        )
    wanted = "an ISO date such as 2026-01-31"
    if not isinstance(value, str):
        raise _unlike(value, times, "dates", wanted, where)
    try:
        date = pd.Timestamp(value)
    except ValueError as error:
        raise _unlike(value, times, "dates", wanted, where) from error
    zone = times.dt.tz
    if date.tz is None:
        return date if zone is None else date.tz_localize("UTC").tz_convert(zone)
    if zone is None:
        raise _unlike(value, times, "dates without a time zone", "the time without one", where)
    return date.tz_convert(zone)


def _first(times: pd.Series) -> str:
    """The first value of a column, and its row."""
    given = times.dropna()
    return f"{given.iloc[0]!r} (row {given.index[0]})" if len(given) else "no value at all"


def _labelled(date: Any, times: pd.Series, dataset: Dataset) -> Any:
    """The latest time of a row whose label is known at the date."""
    return before(pd.Series([date], name=times.name), dataset.label_delay, "dataset.label_delay").iloc[0]


def _rows_left(table: pd.DataFrame, kept: pd.Series, where: str, dataset: Dataset) -> pd.DataFrame:
    if kept.any():
        return table[kept]
    times = table[str(dataset.time)]
    value = dataset.as_of if where == "dataset.as_of" else dataset.since
    raise DataError(
        f"{where}: no row is left at {value!r}; the {len(table):,} rows reach from {times.min()} to {times.max()}, and "
        f"dataset.label_delay is {dataset.label_delay}. Name another date."
    )


def _unlike(value: Any, times: pd.Series, held: str, wanted: str, where: str) -> DataError:
    return DataError(
        f"{where}: {value!r} does not compare with column {times.name!r}, which holds {held}; write {wanted}."
    )
