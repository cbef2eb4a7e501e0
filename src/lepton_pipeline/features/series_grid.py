"""Records of series as a dense grid of periods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.as_of import moment
from lepton_pipeline.data.calendar import Calendar
from lepton_pipeline.data.columns import check_columns, with_numbers
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.forecast import PERIOD, Forecast
from lepton_pipeline.statistics.losses import Floats

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Series by period; `amounts` [series, periods] are known, one of `future` reaches `horizon` periods further."""

    keys: pd.DataFrame  # the columns that tell series apart, and static covariates; [series], sorted
    first: int  # number of the first period, see `Calendar`
    amounts: Floats  # NaN before a series' first record
    past: Mapping[str, Floats]  # covariates [series, periods], NaN without a record
    future: Mapping[str, Floats]  # covariates [series, periods + horizon], likewise

    @property
    def last(self) -> int:
        """Number of the last period that is known."""
        return self.first + int(self.amounts.shape[1]) - 1

    def history(self, forecast: Forecast, dataset: Dataset) -> pd.DataFrame:
        """All periods of all series: the columns of `forecast.series`, `period` (its start) and the target."""
        series, periods = np.nonzero(~np.isnan(self.amounts))
        keys = self.keys[forecast.series].iloc[series].reset_index(drop=True)
        starts = Calendar(forecast.frequency).starts(self.first + periods)
        amounts = pd.DataFrame({PERIOD: starts, dataset.target: self.amounts[series, periods]})
        return pd.concat([keys, amounts], axis="columns")

    @property
    def begins(self) -> Ints:
        """Column of each series' first record, [series]."""
        return np.asarray((~np.isnan(self.amounts)).argmax(axis=1), np.int64)


def make_grid(records: pd.DataFrame, forecast: Forecast, dataset: Dataset) -> Grid:
    """Lay records out by series and period; a period is known once it has ended.

    Ended are the periods before the one that holds `dataset.as_of` or else the start of the run. Without `as_of`,
    the one with the latest record has not ended either, unless all records stand at one place of their period (its
    start, its last day, a Friday), as those that are summed up already do. Records of later periods serve as future
    covariates only.

    Args:
        records: any number a series and period, with the columns of `forecast.series`, `dataset.time` (dates),
            `dataset.target` (numbers; missing in periods to come) and covariates.
        forecast: how records become periods.
        dataset: names the columns of times and of numbers, and the present.

    Raises:
        DataError: a column is absent, a value is missing or none; a period is below 0, or has several records
            without a rule for them; no period has ended.
    """
    rows = _checked(records, forecast, dataset)
    calendar, times = Calendar(forecast.frequency), rows[dataset.time]
    numbers = calendar.numbers(times)
    given = rows[dataset.target].notna().to_numpy()
    last = _last_ended(times[given], numbers[given], calendar, dataset) if given.any() else -1
    known = numbers <= last
    if not (known & given).any():
        raise DataError(
            f"no period has ended: the records reach from {times.min()} to {times.max()}, and the last period that has "
            f"begins on {calendar.starts([last])[0]}; bring more of them."
        )
    keys, codes = _series(rows, forecast)
    missing = known & ~given
    if missing.any():
        raise DataError(
            f"column {dataset.target!r} is missing in {int(missing.sum()):,} records of periods that have ended, "
            f"first in row {rows.index[missing][0]}; fill them, or leave these records out."
        )
    first = int(numbers[known].min())
    cells = pd.DataFrame({"series": codes, "period": numbers - first}, index=rows.index)
    values = _aggregated(rows[known], cells[known], calendar, first, forecast, dataset)
    shape = len(keys), last - first + 1
    table = np.full(shape, np.nan)
    table[values["series"], values["period"]] = values["value"]
    sold = ~np.isnan(table).all(axis=1)
    table = _filled(table, forecast)
    covariates = {
        name: _spread(rows[name], cells, (shape[0], shape[1] + forecast.horizon))[sold]
        for name in (*forecast.past_covariates, *forecast.future_covariates)
    }
    return Grid(
        keys[sold].reset_index(drop=True),
        first,
        table[sold],
        {name: covariates[name][:, : shape[1]] for name in forecast.past_covariates},
        {name: covariates[name] for name in forecast.future_covariates},
    )


def _checked(records: pd.DataFrame, forecast: Forecast, dataset: Dataset) -> pd.DataFrame:
    """The records at the present, with numbers where they must be."""
    covariates = [*forecast.past_covariates, *forecast.future_covariates]
    needed = {
        "forecast.series": forecast.series,
        "dataset.time": [str(dataset.time)],
        "dataset.target": [dataset.target],
        "forecast.past_covariates": forecast.past_covariates,
        "forecast.future_covariates": forecast.future_covariates,
        "forecast.static_covariates": forecast.static_covariates,
    }
    check_columns([str(name) for name in records.columns], needed, "the table of records")
    times = records[str(dataset.time)]
    if not pd.api.types.is_datetime64_any_dtype(times):
        shown = ", ".join(map(repr, times.dropna().iloc[:1].tolist())) or "nothing"
        raise DataError(
            f"column {dataset.time!r} (dataset.time) holds {shown}, no dates; declare their format in ingestion.dates."
        )
    if dataset.as_of is not None and not forecast.future_covariates:
        records = records[times <= moment(dataset.as_of, times, "dataset.as_of")]
    if records.empty:
        raise DataError(
            "there is no record of any series at the present; check dataset.as_of and the raw files."
        )
    for name, key in [
        (str(dataset.time), "dataset.time"),
        *((each, "forecast.series") for each in forecast.series),
    ]:
        missing = records[name].isna()
        if missing.any():
            raise DataError(
                f"column {name!r} ({key}) is missing in {int(missing.sum()):,} of {len(records):,} records, first in "
                f"row {records.index[missing][0]}; fill it, or leave these records out."
            )
    rows = with_numbers(records, [dataset.target, *covariates], "the table of records")
    rows = rows.assign(**{name: _whole(rows[name]) for name in forecast.series})
    local = rows[str(dataset.time)]
    return rows.assign(**{str(dataset.time): local.dt.tz_localize(None)})


def _whole(keys: pd.Series) -> pd.Series:
    """Whole numbers as such, which are floats once records without one were beside them."""
    floats = pd.api.types.is_float_dtype(keys) and bool((keys % 1 == 0).all())
    return keys.astype("int64") if floats else keys


def _last_ended(times: pd.Series, numbers: Ints, calendar: Calendar, dataset: Dataset) -> int:
    """Number of the last period that has ended."""
    latest = int(numbers.max())
    moments = times.to_numpy("datetime64[us]")
    since = moments - calendar.starts(numbers).to_numpy()
    until = calendar.starts(numbers + 1).to_numpy() - moments
    # Those that are summed up may also stand at the end of a period, as the last day of a month, or always on a Friday.
    summed_up = bool((since == since[0]).all() or (until == until[0]).all())
    ended = latest if summed_up or dataset.as_of is not None else latest - 1
    if not isinstance(dataset.known_at, str):
        return ended
    present = pd.Series([pd.Timestamp(dataset.known_at).tz_localize(None)])
    return min(ended, int(calendar.numbers(present)[0]) - 1)


def _series(rows: pd.DataFrame, forecast: Forecast) -> tuple[pd.DataFrame, Ints]:
    """Each series once, sorted, with its latest static covariates; and the series of each record."""
    order = rows.sort_values(forecast.series, kind="stable")
    keys = order[forecast.series].drop_duplicates().reset_index(drop=True)
    codes = (
        rows[forecast.series]
        .merge(keys.assign(_code=np.arange(len(keys))), how="left")["_code"]
        .to_numpy(np.int64)
    )
    for name in forecast.static_covariates:
        given = rows[name].notna().to_numpy()
        latest = pd.Series(rows[name].to_numpy()[given], index=codes[given]).groupby(level=0).last()
        keys[name] = latest.reindex(range(len(keys))).to_numpy()
    return keys, codes


def _aggregated(
    rows: pd.DataFrame,
    cells: pd.DataFrame,
    calendar: Calendar,
    first: int,
    forecast: Forecast,
    dataset: Dataset,
) -> pd.DataFrame:
    """One value a series and period; a DataError where there are several, or one below 0."""
    cells = cells.assign(value=rows[dataset.target].astype("float64"))
    again = cells.duplicated(["series", "period"], keep=False)
    if forecast.aggregate is None and again.any():
        row = rows.loc[cells.index[again][0]]
        raise DataError(
            f"{_named(row, forecast)} has several records of the period from "
            f"{calendar.starts([first + int(cells.loc[row.name, 'period'])])[0]:%Y-%m-%d %H:%M}, as have others: "
            f"{int(again.sum()):,} of {len(cells):,} records share a period. Declare forecast.aggregate: sum, mean or "
            "last, or correct them."
        )
    how = forecast.aggregate or "last"
    if how == "last":
        cells = cells.loc[rows.sort_values(str(dataset.time), kind="stable").index]
    found = cells.groupby(["series", "period"])["value"].agg(how).reset_index()
    below = found["value"] < 0
    if below.any() and forecast.negative == "stop":
        worst = found[below].iloc[0]
        row = rows.loc[cells.index[cells["series"] == worst["series"]][0]]
        raise DataError(
            f"{_named(row, forecast)} has {worst['value']:g} {dataset.target} in the period from "
            f"{calendar.starts([first + int(worst['period'])])[0]:%Y-%m-%d %H:%M}, one of {int(below.sum()):,} "
            "below 0: declare forecast.negative: zero (returns are no demand) or keep, or leave such records out."
        )
    if forecast.negative == "zero":
        found["value"] = found["value"].clip(lower=0.0)
    return found


def _named(row: pd.Series, forecast: Forecast) -> str:
    return f"series {', '.join(f'{name} {row[name]!r}' for name in forecast.series)} (row {row.name})"


def _filled(table: Floats, forecast: Forecast) -> Floats:
    """Periods without a record from a series' first one on."""
    places = np.arange(table.shape[1])
    held = ~np.isnan(table)
    begun = held.cumsum(axis=1) > 0
    if forecast.fill == "zero":
        return np.where(begun & ~held, 0.0, table)
    latest = np.maximum.accumulate(np.where(held, places, 0), axis=1)
    carried: Floats = np.where(begun, np.take_along_axis(table, latest, axis=1), np.nan)
    return carried


def _spread(column: pd.Series, cells: pd.DataFrame, shape: tuple[int, int]) -> Floats:
    """Mean of a covariate by series and period."""
    inside = column.notna() & (cells["period"] >= 0) & (cells["period"] < shape[1])
    means = column[inside].astype("float64").groupby([cells["series"], cells["period"]]).mean()
    spread = np.full(shape, np.nan)
    places: Sequence[Ints] = [means.index.get_level_values(level).to_numpy(np.int64) for level in (0, 1)]
    spread[places[0], places[1]] = means.to_numpy()
    return spread
