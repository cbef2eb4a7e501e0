"""What monitoring has found, as one HTML page that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pages.frame import render
from lepton_pipeline.reporting.pictures.curves import draw_windows
from lepton_pipeline.reporting.report.formats import count, decimals, metric_name, percent

_SHOWN_COLUMNS, _TOLD_COLUMNS = 30, 8
# Beyond it two samples have hardly anything in common, and how much beyond says nothing.
_LARGEST_PSI = 1.0


@dataclass(frozen=True)
class Panel:
    """One of the small multiples.

    Attributes:
        title: what is drawn.
        svg: the picture; numbers are all the text it has.
        last: the last value, written out.
        note: what its line means.
    """

    title: str
    svg: str
    last: str
    note: str


def render_page(result: dict[str, Any], about: About) -> str:
    """Write the page; equal results give equal text.

    Args:
        result: what `compare_new_rows` returns.
        about: question and caution of the vertical.
    """
    columns = sorted(result["columns"], key=lambda each: (not each["flagged"], each["ignored"], -each["psi"]))
    metric = metric_name(result["windows"][0]["metric"] if result["windows"] else "auc")
    return render(
        "monitoring.html",
        it=result,
        about=about,
        title=result["champion"]["name"].replace("_", " ").capitalize(),
        metric=metric,
        columns=columns[:_SHOWN_COLUMNS],
        further=columns[_SHOWN_COLUMNS:],
        flagged=[each for each in columns if each["flagged"]],
        told=_TOLD_COLUMNS,
        panels=draw_panels(result, metric),
    )


def draw_panels(result: Mapping[str, Any], metric: str) -> list[Panel]:
    """Draw what changes over windows, where there are two: rows, scores, quality, the most changed columns."""
    windows = result["windows"]
    if len(windows) < 2:
        return []
    rows = [window["rows"] for window in windows]
    panels = [Panel("New rows", draw_windows(rows, floor=0), count(rows[-1]), "rows in a window")]
    scores = [window["score_mean"] for window in windows]
    panels.append(Panel("Mean score", draw_windows(scores), _last(scores), "mean probability"))
    missing, before = [window["missing"] for window in windows], result["missing_reference"]
    line = None if before is None else 100 * before
    note = "of all values" if before is None else f"dashed: training, {percent(before)}"
    last = next((each for each in reversed(missing) if each is not None), None)
    panels.append(
        Panel("Missing values", draw_windows(_hundredfold(missing), floor=0, line=line), percent(last), note)
    )
    quality = [window["value"] for window in windows]
    if any(value is not None for value in quality):
        ends = [(window["low"], window["high"]) for window in windows]
        svg = draw_windows(quality, ends=ends, line=result["bound"])
        bound = result["bound"]
        note = "95 % intervals" if bound is None else f"dashed: bound {decimals(bound)}"
        panels.append(Panel(f"{metric}, realised", svg, _last(quality), note))
    # On one scale, so that the eye can compare the columns.
    largest = max(
        (each for window in windows for each in window["psi"].values() if each is not None), default=0.0
    )
    ceiling = min(largest, _LARGEST_PSI)
    for name in windows[0]["psi"]:
        psi = [window["psi"][name] for window in windows]
        if any(value is not None for value in psi):
            line = result["smallest_psi"]
            drawn = [None if value is None else min(value, ceiling) for value in psi]
            note = f"dashed: {line:g}" if largest == ceiling else f"dashed: {line:g}, cut at {ceiling:g}"
            panels.append(
                Panel(
                    f"PSI of {name}",
                    draw_windows(drawn, floor=0, ceiling=ceiling, line=line),
                    _last(psi),
                    note,
                )
            )
    return panels


def _hundredfold(shares: Sequence[float | None]) -> list[float | None]:
    return [None if share is None else 100 * share for share in shares]


def _last(values: Sequence[float | None]) -> str:
    return decimals(next((value for value in reversed(values) if value is not None), None))
