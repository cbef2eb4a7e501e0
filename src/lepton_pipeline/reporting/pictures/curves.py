"""Charts of the report and the monitoring page."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lepton_pipeline.evaluation.costs import Curve
from lepton_pipeline.evaluation.explanation import Point
from lepton_pipeline.reporting.pictures.quality import as_percent
from lepton_pipeline.reporting.pictures.svg import Axis, Chart

_WIDE = (460, 260)
_ROOM = 0.05


def draw_cost(curve: Curve, threshold: float) -> str:
    """Draw the cost per 1,000 cases by threshold, with any 95 % interval and the threshold in use."""
    across, band = curve.threshold, curve.band
    seen = [*curve.cost, *(end for ends in band or () for end in ends)]
    ends, up = (min(across), max(across)), Axis(*around(seen), "Cost per 1,000 cases")
    chart = Chart(Axis(*ends, "Threshold"), up, *_WIDE)
    if band:
        chart.band(across, band[0], band[1])
    chart.line(across, curve.cost, "s0")
    chart.upright(threshold, "limit")
    return chart.inline()


def draw_losses(history: pd.DataFrame) -> str:
    """Draw training and held-out log loss by epoch, a thin line for each network."""
    losses = history[["train_loss", "validation_log_loss"]].to_numpy(float)
    up = Axis(*around(losses[losses == losses]), "Log loss")
    first, last = int(history["epoch"].min()), int(history["epoch"].max())
    step = -(-last // 6)
    ticks = tuple((epoch, str(epoch)) for epoch in range(step, last + 1, step))
    chart = Chart(Axis(first, last, "Epoch", ticks), up, *_WIDE)
    for _, network in history.groupby("network", sort=True):
        chart.line(network["epoch"], network["train_loss"], "s2 thin")
        chart.line(network["epoch"], network["validation_log_loss"], "s0 thin")
    return chart.inline()


def effect_chart(points: Sequence[Point], width: int = 340, height: int = 210) -> Chart:
    """The probability by values of a number column, with 95 % intervals, through at least two points."""
    across, up = [float(point.value) for point in points], [point.probability for point in points]
    low, high = [point.low for point in points], [point.high for point in points]
    ends = Axis(min(across), max(across), most=4)
    chart = Chart(ends, Axis(0, 1.05 * max(high), "Probability", written=as_percent, most=4), width, height)
    chart.band(across, low, high)
    chart.line(across, up, "s0")
    chart.dots(across, up, "s0", 2.6)
    return chart


def draw_windows(
    values: Sequence[float | None],
    ends: Sequence[tuple[float | None, float | None]] = (),
    line: float | None = None,
    floor: float | None = None,
    ceiling: float | None = None,
) -> str:
    """Draw values of equal windows (None breaks the line), `ends` of intervals and a dashed `line`.

    The scale starts at `floor`, by default below the least value, and reaches `ceiling` at least.
    """
    given = (*values, *(end for pair in ends for end in pair), line, floor, ceiling)
    seen = [each for each in given if each is not None] or [0.0, 1.0]
    low, high = around(seen) if floor is None else (floor, max(seen) if max(seen) > floor else floor + 1)
    places = [place + 0.5 for place in range(len(values))]
    up = Axis(low, high, ticks=tuple((at, _tick(at)) for at in (low, high)))
    chart = Chart(Axis(0, len(values), ticks=()), up, 300, 130)
    if line is not None:
        chart.level(line, "limit")
    if ends:
        chart.intervals(places, *zip(*ends, strict=True))
    chart.line(places, values, "s0")
    chart.dots(places, values, "s0", 2.6)
    return chart.inline()


def around(values: Sequence[float]) -> tuple[float, float]:
    """Ends of a scale that holds all values, with a margin."""
    low, high = float(min(values)), float(max(values))
    room = _ROOM * (high - low) or 0.5 * (abs(low) or 1.0)
    return low - room, high + room


def _tick(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
