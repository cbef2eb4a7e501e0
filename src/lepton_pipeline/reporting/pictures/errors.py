"""Pictures of the errors of a regression on the test rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log10

import numpy as np

from lepton_pipeline.evaluation.resampling import LEVEL
from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pictures.curves import around
from lepton_pipeline.reporting.pictures.page import EDGE, picture
from lepton_pipeline.reporting.pictures.quality import as_percent
from lepton_pipeline.reporting.pictures.svg import Axis, Chart, shorten, write, written_up_to
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.statistics.intervals import normal_deviate, wilson
from lepton_pipeline.statistics.measures import equal_mass_bins

MOST_POINTS = 1500
_SEED = 0
_BINS, _COVERAGE_BINS = 20, 10
# A bin of fewer rows has no 90 % band.
_FEWEST = 10
_BAND = (0.05, 0.95)
# Values over more than two decades have logarithmic axes.
_DECADES = 2
# What lies further out than half the span of the middle 99 % is drawn at the edge.
_MIDDLE, _BEYOND = (0.005, 0.995), 0.5
_SIDE, _LOW = 340, 260
_CHART, _WORDS, _UNIT = 500, 590, 24
_RATIO, _DIFFERENCE = "True value / prediction", "True value less prediction"


@dataclass(frozen=True)
class WorstRow:
    """A test row with a large error."""

    label: str
    truth: float
    predicted: float
    residual: float  # truth less prediction


def draw_predictions(
    truth: np.ndarray,
    predicted: np.ndarray,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
    unit: str = "",
) -> Chart:
    """Draw true values by predictions, finite numbers [rows], with the diagonal.

    Of more than 1,500 rows as many are drawn, at random with a fixed seed. `low` and `high` are the ends of
    each row's interval [rows]: a band joins their medians in bins of equal mass of the prediction. Both axes
    are logarithmic where all values are positive and span over two decades. Outliers are drawn at the edge.
    """
    values, bins = np.concatenate([truth, predicted]), _Bins.of(predicted, _BINS)
    scale = _scale(values, _over_decades(truth, predicted))
    key, band = [("chance", "Perfect prediction")], []
    if low is not None and high is not None:
        key.append(("band s3", "Median interval"))
        band = [bins.median(each) for each in (predicted, low, high)]
        scale = scale.holding(np.concatenate(band))
    across, up = (scale.axis(_titled(text, unit)) for text in ("Predicted", "True value"))
    chart = Chart(across, up, _SIDE, _SIDE, key)
    _draw_points(chart, scale.placed(predicted), scale.placed(truth))
    if band:
        _draw_band(chart, *map(scale.placed, band))
    ends = scale.low, scale.high
    chart.line(ends, ends, "chance")
    return chart


def draw_residuals(truth: np.ndarray, predicted: np.ndarray, unit: str = "") -> Chart:
    """Draw truth less prediction by prediction, with median and middle 90 % in bins of equal mass.

    There are 20 bins, or fewer, so that each has ten rows. Points are as in `draw_predictions`; where its
    axes are logarithmic, truth over prediction is drawn, as differences would only show the largest values.
    """
    residuals, ratio = _residuals(truth, predicted)
    across, up = _scale(predicted, ratio), _scale(residuals, ratio)
    title = _RATIO if ratio else _titled(_DIFFERENCE, unit)
    key = (("s3 solid", "Median"), ("band s3", "Middle 90 %"))
    chart = Chart(across.axis(_titled("Predicted", unit)), up.axis(title), _SIDE, 300, key)
    _draw_points(chart, across.placed(predicted), up.placed(residuals))
    bins = _Bins.of(predicted, _BINS)
    middles = across.placed(bins.median(predicted))
    by_bin = [np.quantile(rows, (_BAND[0], 0.5, _BAND[1])) for rows in bins.split(residuals)]
    lows, medians, highs = map(up.placed, np.transpose(by_bin))
    _draw_band(chart, middles, lows, highs)
    chart.level(0, "limit")
    chart.line(middles, medians, "s3 solid")
    if len(middles) == 1:
        chart.dots(middles, medians, "s3", 4)
    return chart


def draw_coverage(
    truth: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    predicted: np.ndarray,
    level: float = 0.9,
    unit: str = "",
) -> Chart:
    """Draw the share of true values in [`low`, `high`] in ten bins of equal mass of the prediction.

    Bars are 95 % intervals (Wilson's) of the share, the dashed line is the declared `level`. Fewer rows than
    100 have fewer bins. The axis of the predictions is that of `draw_residuals`.
    """
    inside = ((low <= truth) & (truth <= high)).astype(float)
    scale, bins = _scale(predicted, _over_decades(truth, predicted)), _Bins.of(predicted, _COVERAGE_BINS)
    shares = [float(rows.mean()) for rows in bins.split(inside)]
    ends = [wilson(share, rows, normal_deviate(LEVEL)) for share, rows in zip(shares, bins.rows, strict=True)]
    least = min(level, *(end.low for end in ends))
    up = Axis(max(0.0, least - 0.05), 1, "Share of true values inside", written=as_percent)
    key = (("s0", "Covered"), ("limit", f"Declared: {as_percent(level)}"))
    chart = Chart(scale.axis(_titled("Predicted", unit)), up, _SIDE, _LOW, key)
    middles = scale.placed(bins.median(predicted))
    chart.level(level, "limit")
    chart.intervals(middles, [end.low for end in ends], [end.high for end in ends])
    chart.line(middles, shares, "s0")
    chart.dots(middles, shares, "s0", 4)
    return chart


def worst_rows(
    truth: np.ndarray, predicted: np.ndarray, index: Sequence[object], most: int = 10
) -> list[WorstRow]:
    """The rows with the largest absolute residual, largest first; `index` has the label of each row [rows].

    >>> worst_rows(np.array([1.0, 5.0]), np.array([1.5, 2.0]), ["a", "b"], most=1)
    [WorstRow(label='b', truth=5.0, predicted=2.0, residual=3.0)]
    """
    residuals = truth - predicted
    order = np.argsort(-np.abs(residuals), kind="stable")[:most]
    return [
        WorstRow(str(index[at]), float(truth[at]), float(predicted[at]), float(residuals[at])) for at in order
    ]


def describe_points(rows: int) -> str:
    """The points of `draw_predictions` and `draw_residuals` for a caption."""
    if rows <= MOST_POINTS:
        return f"Points: all {formats.count(rows)} test rows"
    return f"Points: {formats.count(MOST_POINTS)} of {formats.count(rows)} test rows, drawn at random"


def draw_error_figures(
    truth: np.ndarray,
    predicted: np.ndarray,
    about: About,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
    level: float = 0.9,
    unit: str = "",
) -> dict[str, bytes]:
    """Draw `predictions.svg`, `residuals.svg` and, with intervals, `coverage.svg`.

    Arguments are those of the charts, all of the test rows; equal ones give equal bytes.
    """
    residuals, ratio = _residuals(truth, predicted)
    unit_of = "" if ratio else unit
    median, *middle = (_measured(value, unit_of) for value in np.quantile(residuals, (0.5, *_BAND)))
    misses = truth - predicted
    error, squared = (
        _measured(value, unit) for value in (np.abs(misses).mean(), np.sqrt((misses**2).mean()))
    )
    sample = f"{len(truth):,} test rows"
    drawn = f"{sample}; {formats.lower_first(describe_points(len(truth)))}; outliers stand at the edge"
    files = {
        "predictions.svg": _framed(
            (f"Model: mean absolute error {error}", drawn, about.caution),
            draw_predictions(truth, predicted, low, high, unit),
            (("Mean absolute error", error), ("Root mean squared error", squared)),
        ),
        "residuals.svg": _framed(
            (
                f"Model: median of {formats.lower_first(_RATIO if ratio else _DIFFERENCE)}: {median}",
                drawn,
                about.caution,
            ),
            draw_residuals(truth, predicted, unit),
            (("Median", median), ("Middle 90 %", " to ".join(middle)), ("Bins", "equally many rows each")),
        ),
    }
    if low is not None and high is not None:
        share = formats.percent(float(((low <= truth) & (truth <= high)).mean()), 1)
        width = _measured(np.median(high - low), unit)
        title = f"Model: {share} of the true values are inside their {as_percent(level)} interval"
        said = f"{sample} in bins of like prediction; bars: 95 % intervals of the share"
        files["coverage.svg"] = _framed(
            (title, said, about.caution),
            draw_coverage(truth, low, high, predicted, level, unit),
            (("Covered", share), ("Declared", as_percent(level)), ("Median width", width)),
        )
    return files


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    log: bool

    def placed(self, values: Sequence[float] | np.ndarray) -> list[float]:
        """Values on the axis, at its ends where they are outside or have no logarithm."""
        numbers = np.asarray(values, float)
        if self.log:
            numbers = np.log10(np.maximum(numbers, 10**self.low))
        placed: list[float] = np.clip(numbers, self.low, self.high).tolist()
        return placed

    def holding(self, values: np.ndarray) -> _Scale:
        """A scale that also reaches the finite values, positive ones if it is logarithmic."""
        held = values[np.isfinite(values) & ((values > 0) | (not self.log))]
        placed = np.log10(held) if self.log else held
        return replace(
            self, low=float(placed.min(initial=self.low)), high=float(placed.max(initial=self.high))
        )

    def axis(self, title: str) -> Axis:
        if self.log:
            powers = range(floor(self.low), floor(self.high) + 1)
            inside = [at for at in powers if at >= self.low]
            ticks: Iterable[float] = inside[:: ceil(len(inside) / 6)]
            if len(inside) < 3:
                finer = (power + log10(digit) for power in powers for digit in (1, 2, 5))
                ticks = [at for at in finer if self.low <= at <= self.high]
            return Axis(self.low, self.high, title, tuple((at, _short(10.0**at)) for at in ticks))
        most = max(abs(self.low), abs(self.high))
        return Axis(self.low, self.high, title, written=written_up_to(most))


@dataclass(frozen=True)
class _Bins:
    """Rows by rising value in bins of equal mass, ties kept together."""

    order: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, most: int) -> _Bins:
        order = np.argsort(values, kind="stable")
        return cls(order, equal_mass_bins(values[order], max(1, min(most, len(values) // _FEWEST))))

    @property
    def rows(self) -> list[int]:
        counts: list[int] = np.diff(np.append(self.starts, len(self.order))).tolist()
        return counts

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """The values [rows] of each bin."""
        return np.split(values[self.order], self.starts[1:])

    def median(self, values: np.ndarray) -> list[float]:
        return [float(np.median(rows)) for rows in self.split(values)]


def _residuals(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, bool]:
    """Differences, or ratios and True where the values have logarithmic axes."""
    ratio = _over_decades(truth, predicted)
    return (truth / predicted if ratio else truth - predicted), ratio


def _over_decades(truth: np.ndarray, predicted: np.ndarray) -> bool:
    """Whether axes are logarithmic: all values are positive and span more than two decades."""
    least, most = min(truth.min(), predicted.min()), max(truth.max(), predicted.max())
    return bool(least > 0 and log10(most) - log10(least) > _DECADES)


def _scale(values: np.ndarray, log: bool) -> _Scale:
    if log:
        values = np.log10(values)
    ends = np.quantile(values, _MIDDLE)
    room = _BEYOND * (ends[1] - ends[0])
    inner = np.clip(values, ends[0] - room, ends[1] + room) if room else values
    return _Scale(*around([float(inner.min()), float(inner.max())]), log)


def _framed(texts: tuple[str, str, str], chart: Chart, facts: Iterable[tuple[str, str]]) -> bytes:
    """A picture of headline, subtitle, caution and a chart with facts beside it."""
    title, subtitle, caution = texts
    parts = [chart.placed(EDGE, 0, _CHART)]
    for place, (name, value) in enumerate(facts):
        top = 50 + 45 * place
        parts += [write(name, _WORDS, top, "bold"), write(value, _WORDS, top + 17, "small")]
    return picture(title, subtitle, caution, chart.height * _CHART / chart.width, parts)


def _draw_points(chart: Chart, xs: Sequence[float], ys: Sequence[float]) -> None:
    picked = _sampled(len(xs))
    chart.cloud([xs[at] for at in picked], [ys[at] for at in picked])


def _draw_band(chart: Chart, xs: Sequence[float], low: Sequence[float], high: Sequence[float]) -> None:
    """A band with edges, or a bar where all rows are in one bin."""
    if len(xs) == 1:
        chart.line([*xs, *xs], [*low, *high], "s3 solid")
        return
    chart.band(xs, low, high, "s3")
    for edge in (low, high):
        chart.line(xs, edge, "s3 thin")


def _sampled(rows: int) -> np.ndarray:
    if rows <= MOST_POINTS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(_SEED).choice(rows, MOST_POINTS, replace=False))


def _measured(value: float, unit: str) -> str:
    return f"{formats.quantity(float(value))} {shorten(unit, _UNIT)}".strip()


def _titled(text: str, unit: str) -> str:
    return f"{text} ({shorten(unit, _UNIT)})" if unit else text


def _short(value: float) -> str:
    """A tick of a logarithmic axis."""
    return written_up_to(value)(value) if value >= 1e5 else f"{value:,.6g}"
