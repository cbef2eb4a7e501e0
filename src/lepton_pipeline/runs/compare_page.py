"""The comparison of runs as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from math import isfinite
from typing import Any

from lepton_pipeline.reporting.pages.frame import render
from lepton_pipeline.runs.compare import METRICS, ComparedRun, Comparison, Figure
from lepton_pipeline.system.readable import span_text

_ROOM = 0.04  # of the axis, free beside the outermost interval


def compare_page(comparison: Comparison) -> str:
    """Render a comparison as a self-contained page."""
    return render(
        "compare.html",
        comparison=comparison,
        metrics=[comparison.metric, *(name for name in METRICS if name != comparison.metric)],
        axes=[_axis(comparison, group.runs) for group in comparison.groups],
        version=version_text,
        chosen=_chosen,
        duration=duration_text,
    )


def version_text(run: ComparedRun) -> str:
    """The version that a run made, with its aliases."""
    if run.version is None:
        return "no version"
    return " ".join([f"version {run.version}", *run.aliases])


def duration_text(seconds: float | None) -> str:
    """A run's duration, or that it has not ended."""
    return "not ended" if seconds is None else span_text(timedelta(seconds=seconds))


def _chosen(run: ComparedRun) -> str:
    """The run's name without its version."""
    return run.name.removeprefix(f"v{run.version} ")


def _axis(comparison: Comparison, runs: Iterable[ComparedRun]) -> dict[str, Any]:
    """Positions of the deciding metric on an axis from 0 to 100 that all runs of a group share."""
    figures = {run.run_id: (run.figures[comparison.metric], run.baseline) for run in runs}
    drawn = [figure for pair in figures.values() for figure in pair if figure]
    seen = [end for figure in drawn for end in _ends(figure) if isfinite(end)]
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    width = (high - low) or 1.0
    start, span = low - _ROOM * width, width * (1 + 2 * _ROOM)

    def place(value: float) -> float:
        return round(100 * (value - start) / span, 2) if isfinite(value) else 0.0

    marks = {
        run_id: {
            "low": place(min(_ends(own))),
            "width": place(max(_ends(own))) - place(min(_ends(own))),
            "value": place(own.value),
            "baseline": None if rival is None else place(rival.value),
        }
        for run_id, (own, rival) in figures.items()
    }
    return {"low": low, "high": high, "low_at": place(low), "high_at": place(high), "marks": marks}


def _ends(figure: Figure) -> list[float]:
    return [each for each in (figure.value, figure.low, figure.high) if each is not None]
