"""The monitoring result as a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import inf, log10

from lepton_pipeline.operations.monitoring.findings import (
    ColumnDrift,
    Coverage,
    IndexPeriod,
    IndexResult,
    MonitoringResult,
    OfferedCut,
    ranked,
)
from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pages.frame import render
from lepton_pipeline.reporting.pictures.curves import draw_powers, draw_windows
from lepton_pipeline.reporting.pictures.distributions import draw_before_after
from lepton_pipeline.reporting.report.formats import (
    count,
    decimals,
    digits_of,
    level,
    metric,
    metric_name,
    percent,
)
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.metric_table import METRICS, higher_is_better

_SHOWN_COLUMNS, _TOLD_COLUMNS = 30, 8
# Bars of PSI begin there, on a logarithmic scale.
_SMALLEST_PSI = 0.01


@dataclass(frozen=True)
class _Panel:
    """One of the small multiples."""

    title: str
    svg: str  # the picture; its only text is numbers
    last: str  # the last value, written out
    note: str  # what its line means


def render_page(result: MonitoringResult, about: About) -> str:
    """Render the page; equal results give equal text."""
    columns = ranked(result.columns)
    key = result.windows[0].metric if result.windows else result.estimate.metric if result.estimate else ""
    return render(
        "monitoring.html",
        it=result,
        about=about,
        title=result.champion.name.replace("_", " ").capitalize(),
        key=key,
        metric=metric_name(key),
        worse="below" if higher_is_better(key) else "above",
        change=_change_of_scores(result),
        columns=columns[:_SHOWN_COLUMNS],
        further=columns[_SHOWN_COLUMNS:],
        flagged=result.flagged,
        relied_on=sum(each.matters for each in result.flagged),
        weighed=any(each.importance is not None for each in columns),
        pictures=_draw_columns(columns),
        length=_lengths(columns[:_SHOWN_COLUMNS]),
        told=_TOLD_COLUMNS,
        panels=_draw_panels(result, key),
        level=level([window.score_mean for window in result.windows]),
        offers_chart=_draw_offers(result.offers or []),
        **_describe_index(result.index),
    )


def _describe_index(found: IndexResult | None) -> dict[str, object]:
    """The chart of an index over periods, and how its figures are written."""
    known = [] if found is None else [each.index for each in found.periods]
    widths = [each.ends[1] - each.ends[0] for each in known if each is not None]
    points = partial(decimals, digits=digits_of(*widths, significant=3) if widths else 3)

    def ends(figure: Estimate, signed: bool = False) -> str:
        return " to ".join(points(end, signed=signed) for end in figure.ends)

    def moved(period: IndexPeriod) -> str:
        change = 0.0 if period.change is None else period.change.value
        return f"{points(abs(change))} {'higher' if change > 0 else 'lower'}"

    chart = ""
    if found is not None and sum(each is not None for each in known) > 1:
        values = [None if each is None else each.value for each in known]
        intervals = [(None, None) if each is None else each.ends for each in known]
        chart = draw_windows(values, ends=intervals, line=found.before.value)
    return {"points": points, "ends": ends, "moved": moved, "index_chart": chart}


def _change_of_scores(result: MonitoringResult) -> str:
    """What has changed where that is more than a mean of probabilities, which is drawn."""
    found = result.scores
    return found.change if found is not None and found.flagged and found.column != "probability" else ""


def _draw_panels(result: MonitoringResult, key: str) -> list[_Panel]:
    windows = result.windows
    if len(windows) < 2:
        return []
    rows = [window.rows for window in windows]
    panels = [_Panel("New rows by window", draw_windows(rows, floor=0), f"last: {count(rows[-1])}", "")]
    scores = [window.score_mean for window in windows]
    last = level(scores)(_last(scores))
    panels.append(_Panel(f"Mean {result.score}", draw_windows(scores), last, "in a window"))
    missing, before = [window.missing for window in windows], result.missing_reference
    percents = [None if share is None else 100 * share for share in missing]
    line = None if before is None else 100 * before
    note = "of all values" if before is None else f"dashed: training, {percent(before)}"
    panels.append(
        _Panel("Missing values", draw_windows(percents, floor=0, line=line), percent(_last(missing)), note)
    )
    quality = [window.value for window in windows]
    if any(value is not None for value in quality):
        bound, unit = result.bound, 100 if METRICS[key].share else 1
        ends = [(_times(unit, window.low), _times(unit, window.high)) for window in windows]
        scaled = [_times(unit, value) for value in quality]
        most = METRICS[key].most
        svg = draw_windows(
            scaled, ends=ends, line=_times(unit, bound), most=inf if most is None else unit * most
        )
        note = "95 % intervals" if bound is None else f"dashed: bound {metric(key, bound)}"
        panels.append(_Panel(f"{metric_name(key)}, realised", svg, metric(key, _last(quality)), note))
    if result.coverage is not None and any(window.coverage is not None for window in windows):
        panels.append(_draw_coverage(result.coverage, [window.coverage for window in windows]))
    # On one scale, so that the eye can compare the columns.
    largest = max(
        (each for window in windows for each in window.psi.values() if each is not None), default=0.0
    )
    for name in windows[0].psi:
        psi = [window.psi[name] for window in windows]
        if any(value is not None for value in psi):
            svg, note = draw_powers(psi, result.smallest_psi, largest), f"dashed: {result.smallest_psi:g}"
            panels.append(_Panel(f"PSI of {name}", svg, decimals(_last(psi)), note))
    return panels


def _draw_columns(columns: Sequence[ColumnDrift]) -> list[tuple[ColumnDrift, str]]:
    """Columns whose shares are kept, with a picture each."""
    kept = [(each, each.shares) for each in columns if each.shares is not None]
    return [
        (each, draw_before_after(shares.edges, shares.names, shares.before, shares.after))
        for each, shares in kept
    ]


def _lengths(columns: Sequence[ColumnDrift]) -> dict[str, float]:
    """Lengths of bars by column: the PSI on a logarithmic scale from 0.01 to the largest one."""
    powers = {each.column: log10(max(each.psi, _SMALLEST_PSI) / _SMALLEST_PSI) for each in columns}
    longest = max(powers.values(), default=0.0) or 1.0
    return {name: power / longest for name, power in powers.items()}


def _draw_offers(offers: Sequence[OfferedCut]) -> str:
    if len(offers) < 2:
        return ""
    shares = [each.bought for each in offers]
    values = [100 * each.value for each in shares]
    ends = [(_times(100, each.low), _times(100, each.high)) for each in shares]
    return draw_windows(values, floor=0, ends=ends, line=values[0])


def _draw_coverage(watched: Coverage, windows: Sequence[Estimate | None]) -> _Panel:
    values, low, high = (
        [None if each is None else _times(100, getattr(each, name)) for each in windows]
        for name in ("value", "low", "high")
    )
    svg = draw_windows(
        values, ends=list(zip(low, high, strict=True)), line=_times(100, watched.bound), most=100
    )
    note = "95 % intervals" if watched.bound is None else f"dashed: bound {percent(watched.bound)}"
    last = _last([None if each is None else each.value for each in windows])
    return _Panel("Coverage of intervals", svg, percent(last), note)


def _times(unit: int, value: float | None) -> float | None:
    return None if value is None else unit * value


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)
