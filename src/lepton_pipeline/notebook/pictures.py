"""The table of runs, and pictures with the colours of the pages, that follow a dark screen as they do."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from lepton_pipeline.evaluation.distributions import Distribution, Distributions
from lepton_pipeline.reporting.pictures.curves import around, draw_losses
from lepton_pipeline.reporting.pictures.distributions import draw_distribution, mean_title
from lepton_pipeline.reporting.pictures.page import EDGE, WIDTH, picture
from lepton_pipeline.reporting.pictures.svg import Axis, Chart, shorten, write
from lepton_pipeline.reporting.report.formats import (
    counted,
    exact,
    interval,
    metric_inside,
    metric_name,
    percent,
)
from lepton_pipeline.runs.compare import ComparedRun, Comparison, version_text
from lepton_pipeline.statistics.metric_table import higher_is_better
from lepton_pipeline.system.readable import clipped
from lepton_pipeline.tasks.task import Task

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

_INNER = WIDTH - 2 * EDGE
_ROW, _FIGURES, _LETTERS = 30, 170, 30
_NOTE = 200
_DISTRIBUTION, _GAP, _HEAD = 340, 60, 24
_CHAMPION, _OTHER, _BOOSTING = "s0", "s2", "s3"


@dataclass(frozen=True)
class Picture:
    """An SVG file that a notebook shows; `save` it by writing `svg`."""

    title: str
    svg: bytes

    def _repr_html_(self) -> str:
        # As an image: the style sheet of an element would apply to the whole notebook.
        data = b64encode(self.svg).decode()
        return (
            f'<img alt="{escape(self.title)}" style="max-width: 100%" src="data:image/svg+xml;base64,{data}">'
        )

    def __repr__(self) -> str:
        return f"<picture: {self.title}>"


def tabulate_runs(comparison: Comparison) -> Styler:
    """Runs on the latest test rows, the best first, then others; the champion in bold."""
    rows = [
        _row(run, comparison.metric, "latest" if not place else "other")
        for place, group in enumerate(comparison.groups)
        for run in group.runs
    ]
    rows += [_row(run, comparison.metric, "") for run in comparison.others]
    table = pd.DataFrame(rows)

    def emphasise(run: pd.Series) -> list[str]:
        return ["font-weight: bold" if "champion" in run["version"] else ""] * len(run)

    styler = table.style.hide().format(precision=4, na_rep="", escape="html").apply(emphasise, axis=1)
    left, whole = {"text-align": "left"}, {"white-space": "nowrap"}
    return styler.set_properties(None, **left).set_properties(subset=["started"], **whole)


def _row(run: ComparedRun, metric: str, rows: str) -> dict[str, object]:
    figure = run.figures.get(metric)
    return {
        "started": run.started.astimezone().strftime("%Y-%m-%d %H:%M"),
        "run": run.run_id[:8],
        "status": run.status.lower(),
        "version": version_text(run) if run.version else "",
        "test rows": rows,
        metric_name(metric): figure.value if figure else None,
        "low": figure.low if figure else None,
        "high": figure.high if figure else None,
        "boosting": run.baseline.value if run.baseline else None,
        "gate": run.decision,
        "note": clipped(run.reason or run.error, _NOTE),
    }


def draw_runs(comparison: Comparison) -> Picture:
    """Draw the metric of each run with its interval, those on the latest test rows above all others."""
    runs = [run for group in comparison.groups for run in group.runs]
    metric = comparison.metric
    if not runs:
        title = f"{comparison.vertical}: no run has test figures yet"
        return Picture(title, picture(title, "", "", 0, []))
    drawn = [run.figures[metric] for run in runs] + [run.baseline for run in runs if run.baseline]
    ends = [end for each in drawn for end in (each.value, each.low, each.high) if end is not None]
    named = tuple((-place, shorten(_name(run), _LETTERS)) for place, run in enumerate(runs))
    better = "higher" if higher_is_better(metric) else "lower"
    across = Axis(*around(ends), f"{metric_name(metric)} on the test rows, {better} is better")
    key = (
        (f"dot {_CHAMPION}", "champion"),
        (f"dot {_OTHER}", "other runs"),
        (f"dot {_BOOSTING}", "gradient boosting on the same rows"),
    )
    height = 40 + _ROW * len(runs) + across.foot
    chart = Chart(across, Axis(0.6 - len(runs), 0.6, ticks=named), _INNER, height, key, beside=_FIGURES)
    for place, run in enumerate(runs):
        figure = run.figures[metric]
        look = _CHAMPION if "champion" in run.aliases else _OTHER
        if figure.low is not None and figure.high is not None:
            chart.line((figure.low, figure.high), (-place, -place), f"{look} thin")
        if run.baseline:
            chart.dots([run.baseline.value], [-place], _BOOSTING, 3.4)
        chart.dots([figure.value], [-place], look, 4.5)
        chart.note_beside(f"{exact(metric, figure.value, figure)}  [{interval(metric, figure)}]", -place)
    latest, *others = [len(group.runs) for group in comparison.groups]
    for before in range(latest, len(runs), len(runs)):
        chart.level(0.5 - before, "limit")
    below = f"; {counted(sum(others), 'run')} on other test rows below the dashed line" if others else ""
    title = f"{comparison.vertical}: {counted(len(runs), 'run')} by {metric_inside(metric)}"
    subtitle = (
        f"Lines: 95 % intervals; {counted(latest, 'run')} on the latest test rows, the best first{below}"
    )
    return Picture(title, picture(title, subtitle, "", height, [chart.placed(EDGE, 0, _INNER)]))


def _name(run: ComparedRun) -> str:
    started = run.started.astimezone().strftime("%m-%d %H:%M")
    return f"{started} {version_text(run).replace('version ', 'v') if run.version else run.run_id[:8]}"


def draw_columns(name: str, seen: Distributions, columns: Sequence[Distribution], task: Task) -> Picture:
    """Draw distributions, two beside each other."""
    rate = task.explains_probability
    parts, top = [], 0.0
    for place in range(0, len(columns), 2):
        heights = []
        for column, left in zip(
            columns[place : place + 2], (EDGE, EDGE + _DISTRIBUTION + _GAP), strict=False
        ):
            known = sum(part.rows for part in column.parts)
            missing = percent(column.missing / ((column.missing + known) or 1))
            parts.append(write(shorten(column.column, 46), left, top + 14, "bold"))
            parts.append(write(f"missing {missing}", left + _DISTRIBUTION, top + 14, "small", "end"))
            at = top + _HEAD
            for chart in draw_distribution(column, seen.mean, mean_title(rate), rate):
                parts.append(chart.placed(left, at, chart.width))
                at += chart.height
            heights.append(at - top)
        top += max(heights) + _GAP
    title = f"{name}: {columns[0].column}" if len(columns) == 1 else f"{name}: {len(columns)} columns"
    subtitle = f"{counted(seen.rows, 'training and validation row')}"
    if seen.mean is not None:
        subtitle += "; below: the target, with 95 % intervals, and its mean over all rows as a grey line"
    return Picture(title, picture(title, subtitle, "", max(top - _GAP, 0), parts))


def draw_training(version: str, history: pd.DataFrame, task: Task) -> Picture:
    """Draw losses by epoch, of training and held-out rows."""
    chart = draw_losses(history, task.loss)
    epochs = history.groupby("network")["epoch"].max()
    title = f"{version}: {counted(len(epochs), 'network')}, up to {counted(int(epochs.max()), 'epoch')}"
    subtitle = "Blue: loss of the held-out rows; dotted, grey: of the training rows; a line for each network"
    return Picture(title, picture(title, subtitle, "", chart.height, [chart.placed(EDGE, 0, chart.width)]))
