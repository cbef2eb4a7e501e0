"""How a column is distributed: with the mean of the target over it, or in training rows beside new ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from lepton_pipeline.evaluation.distributions import Distribution
from lepton_pipeline.reporting.pictures.quality import as_percent
from lepton_pipeline.reporting.pictures.svg import SERIES, Axis, Chart, shorten, written_up_to
from lepton_pipeline.statistics.estimates import Estimate

_HEIGHT, _NAMES = 150, 12
# Right of both charts, for the last label below the lower one.
_ROOM = 26


def mean_title(rate: bool) -> str:
    """What the means are of; `rate` as in `draw_distribution`."""
    return "Share of positive rows" if rate else "Mean of the target"


def draw_distribution(column: Distribution, mean: Estimate | None, target: str, rate: bool) -> list[Chart]:
    """Shares of rows by value and, where labels have a `mean`, a second chart of theirs with intervals.

    The mean of all rows is the grey line. `rate` says that means are shares.
    """
    edges = column.edges or list(map(float, range(len(column.parts) + 1)))
    known = sum(part.rows for part in column.parts) or 1
    shares = [part.rows / known for part in column.parts]
    counts = Chart(
        _across(column, edges, bare=mean is not None),
        Axis(0, 1.05 * max(shares, default=1.0), "Share of the rows", written=as_percent, most=3),
        height=_HEIGHT,
        beside=_ROOM,
    )
    counts.steps(edges, shares, "fill")
    if mean is None:
        return [counts]
    means = [part.mean for part in column.parts]
    ends = [end for each in means if each for end in (each.low, each.high) if end is not None]
    low, high = min([mean.value, *ends]), max([mean.value, *ends])
    low, high = (0.0 if rate else low, high if high > low else low + 1)
    written: Callable[[float], str] = as_percent if rate else written_up_to(high)
    chart = Chart(
        _across(column, edges),
        Axis(low, low + 1.05 * (high - low), target, written=written, most=3),
        height=_HEIGHT + _across(column, edges).foot,
        beside=_ROOM,
    )
    middles = [(start + end) / 2 for start, end in pairwise(edges)]
    chart.level(mean.value, "chance")
    lows, highs, values = (
        [None if each is None else getattr(each, end) for each in means] for end in ("low", "high", "value")
    )
    chart.intervals(middles, lows, highs)
    if column.edges:
        chart.line(middles, values, SERIES[0])
    chart.dots(middles, values, SERIES[0])
    return [counts, chart]


def draw_before_after(
    edges: Sequence[float], names: Sequence[str], before: Sequence[float], after: Sequence[float]
) -> str:
    """An element of a page: shares of training rows, filled, and of new rows, outlined.

    They are by bins with `edges`, or by categories with `names`, of which there are none otherwise.
    """
    places = list(edges) or list(map(float, range(len(names) + 1)))
    across = _values_axis(places, [] if edges else names)
    up = Axis(0, 1.05 * max(*before, *after), "Share of the rows", written=as_percent, most=3)
    chart = Chart(across, up, height=_HEIGHT + across.foot, beside=_ROOM)
    chart.steps(places, before, "fill")
    chart.steps(places, after, SERIES[0])
    return chart.inline()


def _across(column: Distribution, edges: Sequence[float], *, bare: bool = False) -> Axis:
    """The axis of the values; a `bare` one has no labels."""
    low, high = edges[0], edges[-1]
    if bare:
        return Axis(low, high, ticks=())
    if column.dates:
        ends = (low, high)
        days = tuple((at, datetime.fromtimestamp(at, UTC).date().isoformat()) for at in ends)
        return Axis(low, high, ticks=days)
    return _values_axis(edges, [] if column.edges else [part.name for part in column.parts])


def _values_axis(edges: Sequence[float], names: Sequence[str]) -> Axis:
    """The axis of numbers, or of categories with `names`."""
    low, high = edges[0], edges[-1]
    if names:
        ticks = tuple((place + 0.5, shorten(name, _NAMES)) for place, name in enumerate(names))
        return Axis(low, high, ticks=ticks, slanted=True)
    return Axis(low, high, written=written_up_to(max(abs(low), abs(high))), most=4)
