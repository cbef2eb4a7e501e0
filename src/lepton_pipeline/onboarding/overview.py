"""List the verticals with their last run and champion."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.parameters.jobs import is_partial
from lepton_pipeline.project.declaration import find_verticals, read_parameters
from lepton_pipeline.registry.champion import champion_of
from lepton_pipeline.reporting.report.formats import metric_name
from lepton_pipeline.statistics.metric_table import BINARY, metric_text
from lepton_pipeline.terminal.console import Text, console, figures, fixed, table
from lepton_pipeline.tracking.runs import Tracking, existing_store

# How far back a run is looked for that came as far as reading its table.
_RECENT = 25
_NONE = "–"


@dataclass(frozen=True)
class LastRun:
    """The latest MLflow run of a vertical; `figure` is of the test rows, None if it got no further."""

    status: str
    started: datetime
    figure: float | None


@dataclass(frozen=True)
class Champion:
    """The model version with the alias `champion`, and its figure on the test rows."""

    version: int
    figure: float | None


@dataclass(frozen=True)
class VerticalOverview:
    """A vertical's declaration and results.

    Attributes:
        metric: the gate's, of which the figures are.
        target: column, and the rule of the positive class if it has one, such as "churn = 'Yes'"; empty if
            unreadable.
        split: strategy, with label delay and gap; empty if unreadable.
        problem: errors of the declaration, one line a key.
        rows: of the table of the latest run that read it.
        base_rate: fraction of positive rows in that table.
    """

    name: str
    target: str = ""
    split: str = ""
    caution: str = ""
    problem: str = ""
    rows: int | None = None
    base_rate: float | None = None
    metric: str = BINARY[0].name
    last_run: LastRun | None = None
    champion: Champion | None = None


def overview(base: Path, tracking: Tracking, project: Path) -> list[VerticalOverview]:
    """List the verticals of a project by name; nothing is run and no store is created.

    `base` is the configuration folder `conf/base`; a vertical with an invalid declaration is listed as such.
    Relative addresses of `tracking` start from `project`. Raises ConfigurationError if there is no vertical,
    or the store cannot be used.
    """
    declared = [_declared(base, name) for name in find_verticals(base)]
    client = existing_store(tracking, project, "view")
    if client is None:
        return declared
    return [replace(_with_runs(client, each), champion=_promoted(client, each)) for each in declared]


def print_overview(rows: Sequence[VerticalOverview]) -> None:
    """Print the verticals as a table, and errors of declarations below it."""
    out = console()
    first = fixed("vertical", style="bold")
    shown = table(first, figures("rows\nbase rate"), "target", "split", "last run", "champion", leading=1)
    for row in rows:
        split = Text(row.split.replace(", ", "\n") or _NONE)
        rate = "" if row.base_rate is None else f"\n{row.base_rate:.1%}"
        rows_and_rate = Text(_NONE if row.rows is None else f"{row.rows:,}{rate}")
        run, champion = _last_run(row.last_run, row.metric), _champion(row.champion, row.metric)
        shown.add_row(Text(row.name), rows_and_rate, _target(row), split, run, champion)
    out.print(shown)
    for row in rows:
        if row.problem:
            out.print(Text(row.problem, style="red"), soft_wrap=True)


def _declared(base: Path, name: str) -> VerticalOverview:
    try:
        vertical = read_parameters(base, name)
    except ConfigurationError as error:
        return VerticalOverview(name, problem=str(error))
    dataset, split = vertical.dataset, vertical.split
    waits = {"label delay": dataset.label_delay, "gap": split.gap}
    shown = [split.strategy, *(f"{key} {wait}" for key, wait in waits.items() if wait != 0)]
    one_value = "" if dataset.positive is None else f" = {dataset.positive!r}"
    positive = dataset.positive_when or f"{dataset.target}{one_value}"
    caution, metric = vertical.about.caution, vertical.gate.metric
    return VerticalOverview(name, positive, ", ".join(shown), caution, metric=metric)


def _with_runs(client: Any, row: VerticalOverview) -> VerticalOverview:
    experiment = client.get_experiment_by_name(row.name)
    if experiment is None or experiment.lifecycle_stage != "active":
        return row
    order = ["attributes.start_time DESC"]
    found = client.search_runs([experiment.experiment_id], order_by=order, max_results=_RECENT)
    runs = [run for run in found if not is_partial(run.data.tags)]
    if not runs:
        return row
    # A run may have failed before its table was read.
    told = next((told for run in runs if (told := _table_of(run)) is not None), (None, None))
    rows, rate = map(_number, told)
    info = runs[0].info
    started = datetime.fromtimestamp(info.start_time / 1000, UTC)
    last = LastRun(info.status, started, runs[0].data.metrics.get(f"test.{row.metric}"))
    return replace(row, rows=None if rows is None else int(rows), base_rate=rate, last_run=last)


def _table_of(run: Any) -> tuple[object, object] | None:
    """Rows and base rate of a run's table by its data set in MLflow, or by its tags in earlier releases."""
    tags = run.data.tags
    if "data.rows" in tags:
        return tags["data.rows"], tags.get("data.base_rate")
    for read in run.inputs.dataset_inputs if run.inputs else ():
        profile = json.loads(read.dataset.profile)
        return profile.get("num_rows"), profile.get("base_rate")
    return None


def _promoted(client: Any, row: VerticalOverview) -> Champion | None:
    version = champion_of(client, row.name)
    if version is None:
        return None
    tags = client.get_model_version(row.name, str(version)).tags
    return Champion(version, _number(tags.get(f"test.{row.metric}")))


def _number(given: Any) -> float | None:
    """A number of the store, or of a tag, whose text anyone can edit."""
    try:
        number = None if given is None else float(given)
    except ValueError:
        return None
    return number if number is not None and isfinite(number) else None


def _target(row: VerticalOverview) -> Text:
    # As Text: a column named "Air temperature [K]" is no markup.
    if row.problem:
        return Text("declaration cannot be followed, see below", style="red")
    text = Text(row.target)
    return text.append(f"\n{row.caution}", style="yellow") if row.caution else text


def _shown(metric: str, figure: float) -> str:
    return f"{metric_name(metric)} {metric_text(metric, figure)}"


def _last_run(run: LastRun | None, metric: str) -> Text:
    if run is None:
        return Text("never run", style="dim")
    status = Text(run.status.lower(), style="" if run.status in ("FINISHED", "RUNNING") else "red")
    if run.figure is not None:
        status.append(f", {_shown(metric, run.figure)}")
    return status.append(f"\n{run.started.astimezone():%Y-%m-%d %H:%M}", style="dim")


def _champion(champion: Champion | None, metric: str) -> Text:
    if champion is None:
        return Text(_NONE)
    quality = "" if champion.figure is None else f"\n{_shown(metric, champion.figure)}"
    return Text(f"version {champion.version}{quality}")
