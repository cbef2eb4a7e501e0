"""Charts of the report and the monitoring page, and the picture of an explanation."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf, log10

import pandas as pd

from lepton_pipeline.evaluation.costs import Curve
from lepton_pipeline.evaluation.explanation import Effect, Explanation, Importance, Point
from lepton_pipeline.model.attribution import show
from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pictures.page import EDGE, picture
from lepton_pipeline.reporting.pictures.quality import as_percent
from lepton_pipeline.reporting.pictures.svg import Axis, Chart, bar, shorten, write, written_up_to
from lepton_pipeline.reporting.report.formats import exact, metric, metric_inside, quantity
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.metric_table import higher_is_better
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.task import Task

_WIDE = (460, 260)
_ROOM = 0.05
# Of a logarithmic scale: what is smaller makes no difference to a reader.
_LEAST_POWER = -2
# Of the picture of an explanation.
_BARS, _EFFECTS, _LEVELS = 12, 6, 9
_ROW = 34
_NAMES, _BAR_WIDTH, _FIGURE = 150, 150, 60
_PANELS, _PANEL_WIDTH, _PANEL_HEIGHT, _CURVE_HEIGHT, _GAP = 460, 220, 185, 130, 20


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


def draw_losses(history: pd.DataFrame, title: str) -> Chart:
    """Draw training and held-out loss by epoch, a thin line for each network; `title` names the loss."""
    # Losses of training and held-out rows.
    train, held_out = history.columns[2:4]
    losses = history[[train, held_out]].to_numpy(float)
    up = Axis(*around(losses[losses == losses]), title)
    first, last = int(history["epoch"].min()), int(history["epoch"].max())
    step = -(-last // 6)
    ticks = tuple((epoch, str(epoch)) for epoch in range(step, last + 1, step))
    chart = Chart(Axis(first, last, "Epoch", ticks), up, *_WIDE)
    for _, network in history.groupby("network", sort=True):
        chart.line(network["epoch"], network["train_loss"], "s2 thin")
        chart.line(network["epoch"], network[held_out], "s0 thin")
    return chart


def effect_chart(points: Sequence[Point], task: Task, width: int = 340, height: int = 210) -> Chart:
    """What the task explains by values of a number column, with 95 % intervals, through at least two points."""
    across, up = [float(point.value) for point in points], [point.prediction for point in points]
    low, high = [point.low for point in points], [point.high for point in points]
    ends = Axis(min(across), max(across), most=4)
    least, most = around([*low, *high])
    upwards = Axis(least, most, "Prediction", written=written_up_to(max(-least, most)), most=4)
    if task.explains_probability:
        upwards = Axis(0, 1.05 * max(high), "Probability", written=as_percent, most=4)
    chart = Chart(ends, upwards, width, height)
    chart.band(across, low, high)
    chart.line(across, up, "s0")
    chart.dots(across, up, "s0", 2.6)
    return chart


def draw_explanation(explanation: Explanation, target: Target, about: About) -> dict[str, bytes]:
    """Draw importance and effects (of `explain_model`) as `explanation.svg`, the same bytes each time."""
    shown = explanation.importance[:_BARS]
    name, higher = metric_inside(explanation.metric), higher_is_better(explanation.metric)
    worse = metric(explanation.metric, shown[0].value)
    moved = f"shuffled, the {name} {'falls' if higher else 'rises'} by {worse}"
    title = f"{shorten(shown[0].column, 32)} matters most: {moved}"
    rows, times = f"{explanation.rows:,} test rows", f"{explanation.permutations} permutations"
    heading = f"Importance: {'fall' if higher else 'rise'} of the {name}"
    parts = [write(heading, EDGE, 14, "bold"), *_rows(shown, explanation.metric)]
    output = "probability" if target.task.explains_probability else "prediction"
    if explanation.effects:
        parts.append(write(f"Mean {output} if all rows had the value", _PANELS, 14, "bold"))
    for place, effect in enumerate(explanation.effects[:_EFFECTS]):
        left = _PANELS + place % 2 * (_PANEL_WIDTH + _GAP)
        parts += _effect(effect, target.task, left, 44 + place // 2 * _PANEL_HEIGHT)
    # Texts and dates have no effects to draw.
    height = 44 + max(3 * _PANEL_HEIGHT if explanation.effects else 0, len(shown) * _ROW)
    subtitle = f"{rows}, {times}; lines: 95 % intervals; grey: may be none; associations, not causes"
    return {"explanation.svg": picture(title, subtitle, about.caution, height, parts)}


def span_of(figures: Sequence[Importance | Estimate]) -> tuple[float, float]:
    """Ends of a scale that holds every bar with its interval, and 0."""
    ends = [0.0, *(end for each in figures for end in (each.value, each.low, each.high) if end is not None)]
    low, high = min(ends), max(ends)
    return low, high if high > low else low + 1.0


def drawn_points(effect: Effect) -> list[Point]:
    """Points of an effect's curve: numbers, at least two; empty for a category."""
    points = [point for point in effect.points if not isinstance(point.value, str)]
    return points if effect.kind == "number" and len(points) >= 2 else []


def title_of(effect: Effect) -> str:
    """The column, and the output that its effect is on where there are several."""
    return f"{effect.column}: {effect.of}" if effect.of else effect.column


def effect_span(effect: Effect) -> tuple[float, float]:
    """Ends of a scale of bars that holds 0 and all intervals."""
    low = min([0.0, *(point.low for point in effect.points)])
    high = max([0.0, *(point.high for point in effect.points)])
    return low, high if high > low else 1.0


def draw_windows(
    values: Sequence[float | None],
    ends: Sequence[tuple[float | None, float | None]] = (),
    line: float | None = None,
    floor: float | None = None,
    most: float = inf,
) -> str:
    """Draw values of equal windows (None breaks the line), `ends` of intervals and a dashed `line`.

    The scale starts at `floor`, by default below the least value, and does not go beyond `most`.
    """
    given = (*values, *(end for pair in ends for end in pair), line, floor)
    seen = [each for each in given if each is not None] or [0.0, 1.0]
    low, high = around(seen) if floor is None else (floor, max(seen) if max(seen) > floor else floor + 1)
    high = min(high, most)
    ticks = tuple((at, f"{at:,.0f}" if abs(at) >= 100 else f"{at:.3g}") for at in (low, high))
    return _windows(values, ends, line, Axis(low, high, ticks=ticks))


def draw_powers(values: Sequence[float | None], line: float, most: float) -> str:
    """Draw values of equal windows from 0 to `most`, and a dashed `line`, on a logarithmic scale from 0.01 on.

    Smaller values are drawn at its lower end.
    """
    top = max(ceil(log10(max(most, line))), 0)
    ticks = tuple((float(power), f"{10.0**power:g}") for power in range(_LEAST_POWER, top + 1))
    powers = [None if each is None else _power(each) for each in values]
    return _windows(powers, (), _power(line), Axis(_LEAST_POWER, top, ticks=ticks))


def _power(value: float) -> float:
    return max(log10(value), _LEAST_POWER) if value > 0 else float(_LEAST_POWER)


def _windows(
    values: Sequence[float | None],
    ends: Sequence[tuple[float | None, float | None]],
    line: float | None,
    up: Axis,
) -> str:
    places = [place + 0.5 for place in range(len(values))]
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


def _rows(shown: Sequence[Importance], name: str) -> list[str]:
    lowest, longest = span_of(shown)
    parts, left = [], EDGE + _NAMES
    for place, each in enumerate(shown):
        top = 34 + place * _ROW
        parts.append(write(shorten(each.column, 22), EDGE, top + 16, "ink"))
        box = f'x="{left}" y="{top}" width="{_BAR_WIDTH}" height="18"'
        parts.append(bar(each.value, each.low, each.high, longest, lowest, box))
        parts.append(write(exact(name, each.value), left + _BAR_WIDTH + _FIGURE, top + 16, anchor="end"))
    return parts


def _effect(effect: Effect, task: Task, left: float, top: float) -> list[str]:
    parts = [write(shorten(title_of(effect), 34), left, top, "bold")]
    drawn = drawn_points(effect)
    if drawn:
        parts.append(
            effect_chart(drawn, task, _PANEL_WIDTH, _CURVE_HEIGHT).placed(left, top + 8, _PANEL_WIDTH)
        )
    points = [point for point in effect.points if point not in drawn][: 1 if drawn else _LEVELS]
    lowest, longest = effect_span(effect)
    top += 8 + (_CURVE_HEIGHT + 6 if drawn else 0)
    for point in points:
        parts.append(write(shorten(show(point.value), 14), left, top + 12))
        box = f'x="{left + 90}" y="{top:g}" width="80" height="15"'
        written = f"{point.prediction:.1%}" if task.explains_probability else quantity(point.prediction)
        parts.append(bar(point.prediction, point.low, point.high, longest, lowest, box))
        parts.append(write(written, left + _PANEL_WIDTH, top + 12, anchor="end"))
        top += 18
    return parts
