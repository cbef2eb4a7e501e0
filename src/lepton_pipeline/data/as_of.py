"""The table as of a date: which rows existed, and which labels were known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from lepton_pipeline.data.expressions.expression import parse_expression
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.durations import before


def existing_rows(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Leave out the rows later than `dataset.as_of`, and those without a time.

    All rows stay where no date is declared, or the column of times is derived later.
    """
    if dataset.as_of is None or dataset.time not in table.columns:
        return table
    times = table[dataset.time]
    return _rows_left(table, times <= moment(dataset.as_of, times, "dataset.as_of"), "dataset.as_of", dataset)


def label_known(table: pd.DataFrame, dataset: Dataset) -> pd.Series:
    """Mark the rows whose label is known at the present: `dataset.as_of`, or else `dataset.present`.

    A label is known from the row's time plus `dataset.label_delay` on; that of a row without a time always.
    Where times are numbers and there is no `as_of`, the latest row is the present.
    """
    date = _present(table, dataset)
    if date is None:
        return pd.Series(True, index=table.index)
    times = table[str(dataset.time)]
    latest = before(pd.Series([date], name=times.name), dataset.label_delay, "dataset.label_delay").iloc[0]
    waits = (times > latest).to_numpy(bool, na_value=False)
    return pd.Series(~waits, index=table.index)


def present_of(table: pd.DataFrame, dataset: Dataset) -> str | float | None:
    """The present as a run records it: the declared date, or the number that stands for it."""
    date = _present(table, dataset)
    return date if isinstance(date, float) and math.isfinite(date) else dataset.known_at


def labelled_rows(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Leave out the rows whose label is not known yet; a DataError where none is left."""
    known = label_known(table, dataset)
    if known.all():
        return table
    return _rows_left(table, known, "dataset.present" if dataset.as_of is None else "dataset.as_of", dataset)


def with_time(table: pd.DataFrame, dataset: Dataset, derive: Mapping[str, str]) -> pd.DataFrame:
    """Add the column of times where it is derived."""
    return table if dataset.time is None else _with_column(table, dataset.time, derive)


def recent_rows(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Leave out the rows before `dataset.since`, if declared; a DataError where none is left."""
    if dataset.since is None:
        return table
    times = table[str(dataset.time)]
    return _rows_left(table, times >= moment(dataset.since, times, "dataset.since"), "dataset.since", dataset)


def moment(value: str | float, times: pd.Series, where: str) -> Any:
    """A date declared at the key `where`, comparable with a column of times; without a zone it is in UTC."""
    if pd.api.types.is_numeric_dtype(times) and not pd.api.types.is_bool_dtype(times):
        try:
            return float(value)
        except ValueError as error:
            raise _unlike(value, times, "numbers", "a number", where) from error
    if not pd.api.types.is_datetime64_any_dtype(times):
        given = times.dropna()
        held = f"{given.iloc[0]!r} (row {given.index[0]})" if len(given) else "no value at all"
        raise DataError(
            f"{where}: {value!r} needs dates or numbers, but column {times.name!r} holds {held}; "
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


def _present(table: pd.DataFrame, dataset: Dataset) -> Any:
    """The present as a value that compares with the times, or None."""
    if dataset.known_at is None or dataset.time not in table.columns:
        return None
    times = table[dataset.time]
    if dataset.as_of is not None:
        return moment(dataset.as_of, times, "dataset.as_of")
    if isinstance(dataset.present, str) and not pd.api.types.is_datetime64_any_dtype(times):
        if pd.api.types.is_numeric_dtype(times):
            return float(times.max())
        if not dataset.label_delay:
            return None
    return moment(dataset.known_at, times, "dataset.present")


def _with_column(table: pd.DataFrame, name: str, derive: Mapping[str, str]) -> pd.DataFrame:
    if name in table.columns or name not in derive:
        return table
    expression = parse_expression(derive[name], f"features.derive.{name}")
    for column in expression.columns:
        table = _with_column(table, column, derive)
    return table.assign(**{name: expression.evaluate(table)})


def _rows_left(table: pd.DataFrame, kept: pd.Series, where: str, dataset: Dataset) -> pd.DataFrame:
    if kept.any():
        return table[kept]
    times = table[str(dataset.time)]
    value = getattr(dataset, where.removeprefix("dataset."))
    raise DataError(
        f"{where}: no row is left at {value!r}; the {len(table):,} rows reach from {times.min()} to {times.max()}, and "
        f"dataset.label_delay is {dataset.label_delay}. Name another date."
    )


def _unlike(value: Any, times: pd.Series, held: str, wanted: str, where: str) -> DataError:
    return DataError(
        f"{where}: {value!r} does not compare with column {times.name!r}, which holds {held}; write {wanted}."
    )
