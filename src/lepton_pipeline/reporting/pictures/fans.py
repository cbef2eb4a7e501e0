"""Charts of series: history, forecasts of the test periods beside what came, and the coming ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.forecast_scores import quantile_columns
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.forecast import POINT, Forecast, quantile_name
from lepton_pipeline.reporting.pictures.svg import Axis, Chart, written_up_to
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.system.readable import printable

# Values of the history that a page holds; of longer ones it has the end, of very many series the largest.
MOST_VALUES = 500_000
_LEAST_HORIZONS = 12
_TICKS = {"wide": 9, "narrow": 4}
_SPARED = "x"  # a period without a value
_KEY = (("s1 thin", "Actual"), ("s0", "Forecast"))


@dataclass(frozen=True)
class SeriesChart:
    """A series; numbers are parted by blanks, which takes a fraction of the room of a list.

    Each of `fans` is of one origin: the place of its first period and, by level, the quantiles by period, parted
    by ";". The last one may be of periods that are still to come.
    """

    name: str
    start: int  # place of the first value in `Charts.periods`
    units: str
    fans: Sequence[str] = ()

    def values(self) -> Floats:
        """Units by period, nan where there are none."""
        return _numbers(self.units)

    def forecasts(self) -> Iterator[tuple[int, list[Floats]]]:
        """Place of the first period, and quantiles by level and period, of each fan."""
        for fan in self.fans:
            start, *quantiles = fan.split(";")
            yield int(start), [_numbers(each) for each in quantiles]


@dataclass(frozen=True)
class Charts:
    """What a page needs to draw any series."""

    periods: Sequence[str] = ()  # their starts; empty: nothing is forecast
    coming: int = 0  # place of the first period that is still to come
    levels: Sequence[float] = ()
    ticks: Mapping[str, Sequence[tuple[int, str]]] = field(
        default_factory=dict
    )  # for a "wide" and a "narrow" chart
    series: Sequence[SeriesChart] = ()
    left_out: int = 0  # the smallest series, where they are very many
    shown: Mapping[str, int] = field(
        default_factory=dict
    )  # place of the largest, the median and the worst series


def chart_series(
    history: pd.DataFrame,
    latest: pd.DataFrame,
    scores: pd.DataFrame,
    feature_table: pd.DataFrame,
    dataset: Dataset,
    forecast: Forecast | None,
) -> Charts:
    """Collect history and forecasts of each series; nothing without a forecast.

    `history` has the series' columns, `period` and the target, one row for each period; `latest` the
    series' columns, `period` and the quantiles `q0.1`, `q0.5`, ... of coming periods. Of test origins nearer to
    each other than the horizon, the latest are drawn that do not overlap.
    """
    if forecast is None or history.empty:
        return Charts()
    if latest.empty:
        latest = latest.reindex(columns=[*forecast.series, "period", *map(quantile_name, forecast.levels)])
    test = scores[scores["part"] == "test"]
    rows = feature_table.loc[test.index]
    codes, names = _number([history, rows, latest], forecast.series)
    periods = np.unique(
        np.concatenate([each["period"].to_numpy("datetime64[ns]") for each in (history, rows, latest)])
    )
    grid = np.full((len(names), len(periods)), nan)
    known = _places(history, periods)
    grid[codes[0], known] = history[dataset.target].to_numpy(np.float64)
    fans = _fans(rows, test, codes[1], len(names), periods, forecast)
    for code, start, quantiles in _coming(latest, codes[2], periods, forecast.levels):
        fans[code].append((start, quantiles))
    errors = np.bincount(codes[1], (test["model"] - test["label"]).abs().to_numpy(np.float64), len(names))
    volumes: Floats = np.nansum(grid, axis=1)
    first, kept = _kept(volumes + errors, len(periods), forecast.horizon)
    starts = pd.DatetimeIndex(periods[first:])
    return Charts(
        periods=[_written(each) for each in starts],
        coming=max(int(known.max()) + 1 - first, 0),
        levels=list(forecast.levels),
        ticks={name: _ticks(starts, most) for name, most in _TICKS.items()},
        series=[_series(names[code], grid[code], fans[code], first) for code in kept],
        left_out=len(names) - len(kept),
        shown=_shown(volumes[kept], errors[kept], np.array([bool(fans[code]) for code in kept])),
    )


def draw_series(charts: Charts, place: int, width: float = 340, height: float = 240, unit: str = "") -> Chart:
    """Draw one series: its history, and forecasts with their ranges; what is still to come is right of a line."""
    series = charts.series[place]
    values, fans = series.values(), list(series.forecasts())
    drawn = np.concatenate([[0.0], values, *(each for _, fan in fans for each in fan)])
    lowest, highest = float(np.nanmin(drawn)), float(np.nanmax(drawn))
    up = Axis(lowest, highest or 1.0, unit, written=written_up_to(highest), most=4)
    ticks = tuple((float(at), label) for at, label in charts.ticks["narrow"])
    chart = Chart(
        Axis(0, max(len(charts.periods) - 1, 1), ticks=ticks), up, width, height, key_of(charts.levels)
    )
    for start, quantiles in fans:
        places = list(map(float, range(start, start + len(quantiles[0]))))
        for low, high in zip(quantiles, reversed(quantiles[len(quantiles) // 2 + 1 :]), strict=False):
            chart.band(places, low.tolist(), high.tolist(), "range")
    chart.line(map(float, range(series.start, series.start + len(values))), values.tolist(), "s1 thin")
    for start, quantiles in fans:
        median = quantiles[charts.levels.index(POINT)]
        chart.line(map(float, range(start, start + len(median))), median.tolist(), "s0")
    if charts.coming < len(charts.periods):
        chart.upright(charts.coming - 0.5, "limit")
    return chart


def series_name(key: Sequence[object]) -> str:
    """The name of a series: its values of the declared columns."""
    return " · ".join(printable(str(each)) for each in key)


def key_of(levels: Sequence[float]) -> list[tuple[str, str]]:
    """Classes and meanings of what is drawn."""
    return [*_KEY, ("band range", f"{100 * (levels[-1] - levels[0]):.4g} % range")]


def _number(frames: Sequence[pd.DataFrame], columns: list[str]) -> tuple[list[np.ndarray], list[str]]:
    """Number of the series of each row, by frame, and names of all series in their order."""
    keys = pd.concat([frame[columns] for frame in frames], ignore_index=True)
    numbers = keys.groupby(columns, sort=True, observed=True, dropna=False).ngroup()
    named = keys.loc[numbers.drop_duplicates().sort_values().index]
    codes = np.split(numbers.to_numpy(np.int64), np.cumsum([len(frame) for frame in frames])[:-1])
    return codes, [series_name(key) for key in named.itertuples(index=False)]


def _places(rows: pd.DataFrame, periods: np.ndarray) -> np.ndarray:
    return np.searchsorted(periods, rows["period"].to_numpy("datetime64[ns]"))


_Fan = tuple[int, Floats]


def _fans(
    rows: pd.DataFrame,
    test: pd.DataFrame,
    codes: np.ndarray,
    series: int,
    periods: np.ndarray,
    forecast: Forecast,
) -> list[list[_Fan]]:
    """Forecasts of the test periods by series, [periods, levels] each, the earliest origin first."""
    places, ahead = _places(rows, periods), rows["ahead"].to_numpy(np.int64)
    begun = places - ahead + 1
    drawn: list[int] = []
    for origin in np.unique(begun)[::-1]:
        if not drawn or origin <= drawn[-1] - forecast.horizon:
            drawn.append(int(origin))
    quantiles = test[quantile_columns("model", forecast.levels)].to_numpy(np.float64)
    found: list[list[_Fan]] = [[] for _ in range(series)]
    for code, start, values in _split(np.isin(begun, drawn), codes, begun, places, quantiles):
        found[code].append((start, values))
    return found


def _coming(
    latest: pd.DataFrame, codes: np.ndarray, periods: np.ndarray, levels: Sequence[float]
) -> Iterator[tuple[int, int, Floats]]:
    quantiles = latest[list(map(quantile_name, levels))].to_numpy(np.float64)
    everything, one_origin = np.ones(len(latest), dtype=bool), np.zeros(len(latest), dtype=np.int64)
    return _split(everything, codes, one_origin, _places(latest, periods), quantiles)


def _split(
    among: np.ndarray, codes: np.ndarray, origins: np.ndarray, places: np.ndarray, quantiles: Floats
) -> Iterator[tuple[int, int, Floats]]:
    """Series, place of the first period and quantiles [periods, levels] of each series and origin, in their order."""
    order = np.flatnonzero(among)
    order = order[np.lexsort((places[order], origins[order], codes[order]))]
    new = (np.diff(codes[order]) != 0) | (np.diff(origins[order]) != 0)
    for part in np.split(order, np.flatnonzero(new) + 1):
        if len(part):
            yield int(codes[part[0]]), int(places[part[0]]), quantiles[part]


def _kept(weights: Floats, periods: int, horizon: int) -> tuple[int, np.ndarray]:
    """Place of the first period, and the series that a page has room for, in their order."""
    length = min(periods, max(_LEAST_HORIZONS * horizon, MOST_VALUES // len(weights)))
    most = max(1, MOST_VALUES // length)
    largest = np.argsort(-weights, kind="stable")[:most]
    return periods - length, np.sort(largest)


def _series(name: str, values: Floats, fans: Sequence[_Fan], first: int) -> SeriesChart:
    places = np.flatnonzero(~np.isnan(values[first:]))
    start, end = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
    written = [
        ";".join([str(begun - first), *(_text(level) for level in quantiles.T)])
        for begun, quantiles in fans
        if begun >= first
    ]
    return SeriesChart(name, start, _text(values[first + start : first + end]), written)


def _shown(volumes: Floats, errors: Floats, forecast: np.ndarray) -> dict[str, int]:
    """Places of three series that have a forecast, if any has."""
    among = np.flatnonzero(forecast) if forecast.any() else np.arange(len(volumes))
    order = among[np.argsort(volumes[among], kind="stable")]
    middle = order[len(order) // 2]
    return {"largest": int(order[-1]), "median": int(middle), "worst": int(among[errors[among].argmax()])}


def _text(values: Floats) -> str:
    return " ".join(map(_short, values.tolist()))


def _short(value: float) -> str:
    """A value with four significant digits, and all those of a whole number."""
    if np.isnan(value):
        return _SPARED
    return f"{value:.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.4g}"


def _numbers(text: str) -> Floats:
    return np.array([nan if each == _SPARED else float(each) for each in text.split()])


def _written(period: pd.Timestamp) -> str:
    return f"{period:%Y-%m-%d}" if period == period.normalize() else f"{period:%Y-%m-%d %H:%M}"


def _ticks(periods: pd.DatetimeIndex, most: int) -> list[tuple[int, str]]:
    """Places where a day, a month, a quarter or a year begins, the finest of which there are not too many."""
    years, days = periods.year.to_numpy(), periods.to_numpy("datetime64[D]").astype(np.int64)
    kinds = {
        "day": days,
        "week": (days - days.min()) // 7,
        "month": years * 12 + periods.month.to_numpy(),
        "quarter": years * 4 + periods.quarter.to_numpy(),
        "year": years,
        "five years": years // 5,
    }
    begun = {kind: np.flatnonzero(np.diff(of)) + 1 for kind, of in kinds.items()}
    kind = next((kind for kind, places in begun.items() if 0 < len(places) <= most), "five years")
    return [(int(at), _label(periods[int(at)], kind)) for at in begun[kind]]


def _label(period: pd.Timestamp, kind: str) -> str:
    if kind in ("day", "week"):
        return f"{period.day} {period:%b}"
    return f"{period:%b %Y}" if kind in ("month", "quarter") else f"{period:%Y}"
