"""One row a series, origin and period ahead, with what was known at the origin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.calendar import Calendar
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.series_grid import Grid, Ints
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.forecast import (
    AGE,
    AHEAD,
    LEVEL,
    MOVING_AVERAGE,
    NAIVE,
    NAIVE_ERROR,
    PERIOD,
    SCALE,
    SEASONAL_NAIVE,
    SERIES,
    Forecast,
    quantile_name,
)
from lepton_pipeline.statistics.losses import Floats

# The last periods one by one.
_LAGS = 8
# Short runs of periods, whatever the season; of a level, no longer than this or two short seasons.
_RUNS, _LONGEST_LEVEL = (2, 4, 8), 26
# Of a level of numbers that are not whole, so that series of noughts are no division by 0.
_SHARE_OF_MEAN = 0.05
_DECAY = 0.7
_DAYS = 365.2425


def forecast_rows(
    grid: Grid, forecast: Forecast, dataset: Dataset, *, upcoming: bool = False
) -> pd.DataFrame:
    """Rows of all origins whose horizon has ended; or, if `upcoming`, those of the last period's.

    Origins are counted from 1970, so that those of today are those of tomorrow. A row knows what had ended at its
    origin, and the calendar and future covariates of its own period. Sums run from the first period on, so later
    periods change no bit of it.

    Returns rows ordered by time, series and periods ahead: the columns of `forecast.series`, `dataset.time` (start
    of the first period that is forecast), `period` (start of the row's), `ahead`, the target (NaN if `upcoming`),
    `scale` (level + 1, or + a share of the mean where values are not whole; of values that may be below 0, their
    mean size), `level`, `age` (periods since the first record), baselines in the unit of the target, `naive_error`
    (mean change from one period to the next, see `Forecast`), and features, those of the series over `scale`.

    Raises:
        DataError: no series is long enough, no origin's horizon has ended, or a column of the records has the name of
            one that is made here.
    """
    _refuse_names(forecast, dataset)
    origins = [grid.last] if upcoming else _origins(grid, forecast)
    parts = [part for origin in origins if len(part := _rows_of(grid, origin, forecast, dataset))]
    if not parts:
        ends = Calendar(forecast.frequency).starts([grid.first, grid.last])
        raise DataError(
            f"no series of {len(grid.keys):,} has an origin: periods begin from {ends[0]} to {ends[1]}, but one needs "
            f"{forecast.shortest} before it (forecast.shortest), {forecast.horizon} after it (forecast.horizon), and "
            f"at least {forecast.active:.0%} of the last season above 0 (forecast.active). Bring a longer history."
        )
    return pd.concat(parts, ignore_index=True)


def made_columns(forecast: Forecast) -> set[str]:
    """Columns of rows to forecast from that are neither of the records nor made of covariates."""
    # Names that no column of a file has.
    key, time, target = "\0series", "\0time", "\0target"
    bare: dict[str, list[str]] = {f"{kind}_covariates": [] for kind in ("past", "future", "static")}
    alone = forecast.model_copy(update={**bare, "series": [key]})
    grid = Grid(pd.DataFrame({key: [0]}), 0, np.zeros((1, 1)), {}, {})
    rows = _rows_of(grid, 0, alone, Dataset(target=target, task="forecast", time=time))
    several = {SERIES} if len(forecast.series) > 1 else set()
    return {*map(str, rows), *several} - {key, time, target}


def _refuse_names(forecast: Forecast, dataset: Dataset) -> None:
    covariates = [*forecast.past_covariates, *forecast.future_covariates]
    made = made_columns(forecast) | {f"{name}_change" for name in covariates}
    own = [*forecast.series, str(dataset.time), dataset.target, *covariates, *forecast.static_covariates]
    if clash := next((name for name in own if name in made), None):
        raise DataError(
            f"column {clash!r} of the records has the name of a column that is made of their history; rename it in "
            "the raw files, or by a query."
        )


def _origins(grid: Grid, forecast: Forecast) -> list[int]:
    latest = grid.last - forecast.horizon
    return [origin for origin in range(grid.first, latest + 1) if (origin + 1) % forecast.step == 0]


def _rows_of(grid: Grid, origin: int, forecast: Forecast, dataset: Dataset) -> pd.DataFrame:
    """Rows of one origin, a block of series for each period ahead."""
    at = origin - grid.first
    history = _History(grid, at, forecast)
    kept = np.flatnonzero(history.eligible)
    calendar, horizon = Calendar(forecast.frequency), forecast.horizon
    own = history.columns(kept)
    blocks = []
    for ahead in range(1, horizon + 1):
        known = at + ahead < grid.amounts.shape[1]
        target = grid.amounts[kept, at + ahead] if known else np.full(len(kept), np.nan)
        start = calendar.starts([origin + ahead])
        block: dict[str, object] = {
            dataset.target: target,
            PERIOD: start.repeat(len(kept)),
            AHEAD: np.full(len(kept), ahead, np.int64),
        }
        block |= history.ahead(kept, ahead)
        block |= _calendar(start, calendar, origin + ahead, forecast)
        blocks.append(pd.DataFrame({**own, **block}, index=pd.RangeIndex(len(kept))))
    rows = pd.concat(blocks).sort_index(kind="stable")
    keys = grid.keys.iloc[kept]
    named = {str(name): keys[name].to_numpy().repeat(horizon) for name in keys}
    if len(forecast.series) > 1:
        named[SERIES] = keys[forecast.series].astype(str).agg(" / ".join, axis=1).to_numpy().repeat(horizon)
    time = calendar.starts([origin + 1]).repeat(len(rows))
    first = pd.DataFrame({**named, str(dataset.time): time})
    return pd.concat([first, rows.reset_index(drop=True)], axis="columns")


@dataclass(frozen=True)
class _History:
    """What is known of all series at the column `at` of a grid, the last period that has ended."""

    grid: Grid
    at: int
    forecast: Forecast

    @cached_property
    def past(self) -> Floats:
        return self.grid.amounts[:, : self.at + 1]

    @cached_property
    def age(self) -> Ints:
        """Periods since each series' first record, the origin's included; 0 or below before it."""
        return np.asarray(self.at + 1 - self.grid.begins, np.int64)

    @cached_property
    def eligible(self) -> np.ndarray:
        """Series that are forecast."""
        season = min(self.forecast.season, self.at + 1)
        some = (np.nan_to_num(self.past[:, -season:]) != 0).sum(axis=1)
        share = some / np.clip(self.age, 1, season)
        found: np.ndarray = (self.age >= self.forecast.shortest) & (share >= self.forecast.active)
        return found

    @cached_property
    def sums(self) -> Floats:
        """Sum of all periods before each, [series, periods + 1]."""
        return _sums(self.past)

    @cached_property
    def level(self) -> Floats:
        return self.mean(self.level_periods)

    @cached_property
    def level_periods(self) -> int:
        season = self.forecast.season
        return max(season // 2, min(2 * season, _LONGEST_LEVEL))

    @cached_property
    def offset(self) -> float:
        """What is added to a level: 1 of whole numbers, else a share of the mean."""
        known = self.past[~np.isnan(self.past)]
        whole = bool((known == np.rint(known)).all())
        return 1.0 if whole else _SHARE_OF_MEAN * float(np.abs(known).mean()) or 1.0

    @cached_property
    def scale(self) -> Floats:
        scale: Floats = self.size() + self.offset
        return scale

    def size(self, before: int = 0) -> Floats:
        """How large the values of a level are, whatever their sign: a series around 0 is no small one."""
        if self.forecast.negative == "keep":
            return self.mean(self.level_periods, before, self.absolute_sums)
        size: Floats = np.abs(self.mean(self.level_periods, before))
        return size

    @cached_property
    def absolute_sums(self) -> Floats:
        return _sums(np.abs(self.past))

    def column(self, place: int) -> Floats:
        """A period that had ended; NaN outside of the grid."""
        ended = 0 <= place <= self.at
        return self.past[:, place] if ended else np.full(len(self.age), np.nan)

    def mean(self, periods: int, before: int = 0, sums: Floats | None = None) -> Floats:
        """Mean of so many periods up to the origin, or up to some `before` it; NaN before the first record."""
        stop = self.at + 1 - before
        if stop <= 0:
            return np.full(len(self.age), np.nan)
        start = np.clip(np.maximum(stop - periods, self.grid.begins), 0, stop)
        counted = stop - start
        rows = np.arange(len(start))
        sums = self.sums if sums is None else sums
        total = sums[rows, stop] - sums[rows, start]
        return _ratio(total, counted)

    def columns(self, kept: Ints) -> dict[str, np.ndarray]:
        """Columns that are the same for all periods ahead."""
        forecast, scale, past = self.forecast, self.scale, self.past
        last, age = past[:, -1], self.age
        average = self.mean(forecast.moving_average)
        found = {
            SCALE: scale,
            LEVEL: self.level,
            AGE: age,
            NAIVE: last,
            MOVING_AVERAGE: average,
            NAIVE_ERROR: self._naive_error(),
            "log_level": np.log(scale),
        }
        for lag in range(1, _LAGS + 1):
            found[f"lag_{lag}"] = self.column(self.at + 1 - lag) / scale
        for run in self.runs:
            found[f"mean_{run}"] = self.mean(run) / scale
        for run in (_LAGS, self.level_periods):
            recent = past[:, -run:]
            found[f"zeros_{run}"] = _ratio((recent == 0).sum(axis=1), (~np.isnan(recent)).sum(axis=1))
            found[f"largest_{run}"] = np.nanmax(np.where(np.isnan(recent), -np.inf, recent), axis=1) / scale
            found[f"deviation_{run}"] = _deviation(recent) / scale
            for level, quantile in zip(forecast.levels, _quantiles(recent, forecast.levels), strict=True):
                found[f"{quantile_name(level)}_{run}"] = quantile / scale
        found["smoothed"] = self._smoothed() / scale
        sold = np.where(np.nan_to_num(past) != 0, np.arange(past.shape[1]), -1).max(axis=1)
        found["since_last"] = np.where(sold >= 0, self.at - sold, age)
        found |= self._of_all()
        for name, values in self.grid.past.items():
            own = values[:, : self.at + 1]
            latest = _latest(own)
            found[name] = latest
            found[f"{name}_change"] = _ratio(latest, _nanmean(own[:, -self.level_periods :]))
        return {name: np.asarray(values)[kept] for name, values in found.items()}

    @cached_property
    def runs(self) -> list[int]:
        season = self.forecast.season
        longer = [season // 4, season // 2, season, 2 * season, 4 * season]
        return sorted(
            {*_RUNS, *(run for run in longer if _RUNS[0] <= run <= max(season, 2 * _LONGEST_LEVEL))}
        )

    def _of_all(self) -> dict[str, np.ndarray]:
        """How all series together have moved of late."""
        recent = _ratio(self._total_mean(4), self._total_mean(self.level_periods))
        return {"all_recent": np.full(len(self.age), recent)}

    @cached_property
    def totals(self) -> Floats:
        """Sum of all series before each period, [periods + 1]."""
        return np.concatenate([[0.0], np.nan_to_num(self.past).sum(axis=0).cumsum()])

    def _total_mean(self, periods: int, before: int = 0) -> float:
        stop = self.at + 1 - before
        start = max(stop - periods, 0)
        return float((self.totals[stop] - self.totals[start]) / (stop - start)) if stop > start else np.nan

    def ahead(self, kept: Ints, ahead: int) -> dict[str, np.ndarray]:
        """Columns of a period ahead: the same one of earlier seasons, and covariates known in advance."""
        season, width = self.forecast.season, self.past.shape[1]
        back = -(-ahead // season) * season
        level = self.size(before=back) + self.offset
        found: dict[str, np.ndarray] = {}
        if season > 1:
            place = self.at + ahead - back
            found["season_lag"] = self.column(place) / self.scale
            found["season_ratio"] = self.column(place) / level
            found["season_ratio_before"] = self.column(place - 1) / level
            found["season_ratio_after"] = self.column(place + 1) / level
            if season <= _LONGEST_LEVEL:
                # Of longer seasons, few histories hold a second one.
                found["season_lag_earlier"] = self.column(place - season) / self.scale
            found["season_growth"] = np.log(self.scale / level)
            all_then = self._total_mean(self.level_periods, before=back) if width > back else np.nan
            total = self.totals[place + 1] - self.totals[place] if 0 <= place < width else np.nan
            found["all_season_ratio"] = np.full(len(level), _ratio(total, all_then))
        average = self.mean(self.forecast.moving_average)
        same = found["season_lag"] * self.scale if season > 1 else average
        found[SEASONAL_NAIVE] = np.where(np.isnan(same), average, same)
        for name, values in self.grid.future.items():
            own = values[:, self.at + ahead]
            found[name] = own
            found[f"{name}_change"] = _ratio(
                own, _nanmean(values[:, : self.at + 1][:, -self.level_periods :])
            )
        return {name: values[kept] for name, values in found.items()}

    def _smoothed(self) -> Floats:
        """Mean of the past in which a period counts less by a third than the one after it."""
        recent = self.past[:, -self.level_periods :]
        weights = _DECAY ** np.arange(recent.shape[1])[::-1]
        known = np.where(np.isnan(recent), 0.0, weights)
        return _ratio(np.nansum(recent * weights, axis=1), known.sum(axis=1))

    def _naive_error(self) -> Floats:
        changes = np.abs(np.diff(self.past, axis=1))
        counted = (~np.isnan(changes)).sum(axis=1)
        mean = _ratio(np.nansum(changes, axis=1), counted)
        return np.where(mean > 0, mean, np.nan)


def _calendar(
    start: pd.DatetimeIndex, calendar: Calendar, number: int, forecast: Forecast
) -> dict[str, float]:
    """What the calendar says of a period."""
    day, after = start[0], calendar.starts([number + 1])[0]
    turn = 2 * np.pi * (day.day_of_year - 1) / _DAYS
    found: dict[str, float] = {}
    if forecast.frequency != "YS":
        found |= {"year_sin": float(np.sin(turn)), "year_cos": float(np.cos(turn))}
    if after - day <= pd.Timedelta(days=1):
        found["weekday"] = float(day.weekday())
    if after - day < pd.Timedelta(days=1):
        found["hour"] = day.hour + day.minute / 60
    for holiday in forecast.holidays:
        found[f"days_to_{holiday}"] = _days_to(holiday, day)
    if forecast.closures:
        days = pd.date_range(day.normalize(), max(after - pd.Timedelta(1, "us"), day).normalize(), freq="D")
        closed = [any(_is_closed(each, closure) for closure in forecast.closures) for each in days]
        found["closed"] = float(np.mean(closed))
    return found


def _days_to(holiday: str, day: pd.Timestamp) -> float:
    """Days from a date to the nearest of a holiday, below 0 after it."""
    dates = (_of_year(holiday, year) for year in (day.year - 1, day.year, day.year + 1))
    return float(min(((date - day.normalize()).days for date in dates), key=abs))


def _of_year(day: str, year: int) -> pd.Timestamp:
    # The 29th of February is the 1st of March in other years.
    month, number = map(int, day.split("-"))
    return pd.Timestamp(year, month, 1) + pd.Timedelta(days=number - 1)


def _is_closed(day: pd.Timestamp, closure: str) -> bool:
    first, _, last = closure.partition("/")
    last = last or first
    if len(first) > len("12-25"):
        return bool(pd.Timestamp(first) <= day <= pd.Timestamp(last))
    text = f"{day:%m-%d}"
    return first <= text <= last if first <= last else text >= first or text <= last


def _sums(values: Floats) -> Floats:
    return np.concatenate([np.zeros((len(values), 1)), np.nan_to_num(values).cumsum(axis=1)], axis=1)


def _ratio(parts: npt.ArrayLike, wholes: npt.ArrayLike) -> Floats:
    """Parts over wholes, NaN where these are not above 0."""
    parts, wholes = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    shape = np.broadcast(parts, wholes).shape
    ratios: Floats = np.divide(parts, wholes, out=np.full(shape, np.nan), where=wholes > 0)
    return ratios


def _nanmean(values: Floats) -> Floats:
    return _ratio(np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1))


def _quantiles(values: Floats, levels: tuple[float, ...]) -> Floats:
    """Quantiles of the known values of each row, [levels, rows]."""
    found = np.full((len(levels), len(values)), np.nan)
    # Rows that know as much are taken at once: `nanquantile` goes row by row.
    known = (~np.isnan(values)).sum(axis=1)
    for count in np.unique(known[known > 0]):
        same = known == count
        found[:, same] = np.quantile(values[same][:, -count:], levels, axis=1)
    return found


def _deviation(values: Floats) -> Floats:
    mean = _nanmean(values)
    deviation: Floats = np.sqrt(_nanmean((values - mean[:, None]) ** 2))
    return deviation


def _latest(values: Floats) -> Floats:
    """The last known value of each row."""
    places = np.where(np.isnan(values), -1, np.arange(values.shape[1])).max(axis=1)
    found = values[np.arange(len(values)), np.maximum(places, 0)]
    return np.where(places >= 0, found, np.nan)
