"""What verticals there are, when each ran last, and how good its champion is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.parameters import Dataset, Split, Vertical
from lepton_pipeline.parameters.jobs import is_partial
from lepton_pipeline.project.config_loader import read_declaration
from lepton_pipeline.project.declaration import find_verticals, read_vertical
from lepton_pipeline.registry.champion import CHAMPION
from lepton_pipeline.terminal.console import Text, console, figures, fixed, table
from lepton_pipeline.tracking.runs import Tracking, existing_store

# How far back a run is looked for that came as far as reading its table.
_RECENT = 25
_NONE = "–"


@dataclass(frozen=True)
class LastRun:
    """The latest MLflow run of a vertical.

    Attributes:
        status: MLflow's: RUNNING, FINISHED, FAILED, KILLED.
        started: with its time zone.
        auc: on the test rows, or None where the run did not come that far.
    """

    status: str
    started: datetime
    auc: float | None


@dataclass(frozen=True)
class Champion:
    """The model version with the alias `champion`; its AUC is of the test rows of the run that made it."""

    version: int
    auc: float | None


@dataclass(frozen=True)
class VerticalOverview:
    """One vertical: what it declares, and what its runs have shown.

    Attributes:
        name: of its folder.
        target: column and rule of the positive class, such as "churn = 'Yes'"; empty if it cannot be read.
        split: strategy, with label delay and gap; empty if it cannot be read.
        caution: what must stand beside every result.
        problem: why the declaration cannot be followed, one line a key; empty where it can.
        rows: of the table of the latest run that read it.
        base_rate: fraction of positive rows in that table.
        last_run: None where the vertical never ran.
        champion: None where no model was promoted.
    """

    name: str
    target: str = ""
    split: str = ""
    caution: str = ""
    problem: str = ""
    rows: int | None = None
    base_rate: float | None = None
    last_run: LastRun | None = None
    champion: Champion | None = None


def overview(base: Path, tracking: Tracking, project: Path) -> list[VerticalOverview]:
    """Look at every vertical of a project; nothing is run and no store is made.

    Args:
        base: the configuration folder `conf/base`; a vertical whose declaration cannot be followed is listed
            as such.
        tracking: addresses of runs and models.
        project: folder that relative addresses start from.

    Returns:
        One entry per vertical, by name.

    Raises:
        ConfigurationError: there is no vertical, or the store cannot be used.
    """
    names = find_verticals(base)
    client = existing_store(tracking, project, "view")
    results = (
        {} if client is None else {name: _runs(client, name) | _promoted(client, name) for name in names}
    )
    return [VerticalOverview(name, **_declared(base, name), **results.get(name, {})) for name in names]


def print_overview(rows: Sequence[VerticalOverview]) -> None:
    """Print the verticals as a table, and below it what keeps a declaration from being followed."""
    out = console()
    first = fixed("vertical", style="bold")
    shown = table(first, figures("rows\nbase rate"), "target", "split", "last run", "champion", leading=1)
    for row in rows:
        shown.add_row(
            Text(row.name),
            _rows(row),
            _target(row),
            Text(row.split.replace(", ", "\n") or _NONE),
            _last_run(row.last_run),
            _champion(row.champion),
        )
    out.print(shown)
    for row in rows:
        if row.problem:
            out.print(Text(row.problem, style="red"), soft_wrap=True)


def _declared(base: Path, name: str) -> dict[str, Any]:
    """The fields of an overview that stand in the declaration."""
    path = base / name / "parameters.yml"
    try:
        declared = read_declaration(path)
        vertical = read_vertical(name, declared.get(name) if isinstance(declared, dict) else declared)
    except ConfigurationError as error:
        return {"problem": str(error)}
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, OSError) as error:
        return {
            "problem": f"{name}: {path} cannot be read: {' '.join(str(error).split())}; correct its YAML."
        }
    return _described(vertical)


def _described(vertical: Vertical) -> dict[str, Any]:
    return {
        "target": _positive(vertical.dataset),
        "split": _strategy(vertical.split, vertical.dataset),
        "caution": vertical.about.caution,
    }


def _positive(dataset: Dataset) -> str:
    return dataset.positive_when or f"{dataset.target} = {dataset.positive!r}"


def _strategy(split: Split, dataset: Dataset) -> str:
    waits = {"label delay": dataset.label_delay, "gap": split.gap}
    return ", ".join([split.strategy, *(f"{name} {wait}" for name, wait in waits.items() if wait != 0)])


def _runs(client: Any, name: str) -> dict[str, Any]:
    """The fields of an overview that stand in the runs of a vertical."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None or experiment.lifecycle_stage != "active":
        return {}
    order = ["attributes.start_time DESC"]
    found = client.search_runs([experiment.experiment_id], order_by=order, max_results=_RECENT)
    runs = [run for run in found if not is_partial(run.data.tags)]
    if not runs:
        return {}
    # A run may have failed before its table was read.
    tags: dict[str, str] = next((run.data.tags for run in runs if "data.rows" in run.data.tags), {})
    rows = _number(tags.get("data.rows"))
    info = runs[0].info
    started = datetime.fromtimestamp(info.start_time / 1000, UTC)
    return {
        "rows": None if rows is None else int(rows),
        "base_rate": _number(tags.get("data.base_rate")),
        "last_run": LastRun(info.status, started, runs[0].data.metrics.get("test.auc")),
    }


def _promoted(client: Any, name: str) -> dict[str, Any]:
    """The field of an overview that stands in the registry."""
    from mlflow.exceptions import MlflowException

    try:
        version = client.get_registered_model(name).aliases.get(CHAMPION)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}
    if version is None:
        return {}
    tags = client.get_model_version(name, str(version)).tags
    return {"champion": Champion(int(version), _number(tags.get("test.auc")))}


def _number(text: str | None) -> float | None:
    """The number that a tag holds; tags are text that anyone may change."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _rows(row: VerticalOverview) -> Text:
    rate = "" if row.base_rate is None else f"\n{row.base_rate:.1%}"
    return Text(_NONE if row.rows is None else f"{row.rows:,}{rate}")


def _target(row: VerticalOverview) -> Text:
    # As Text: a column named "Air temperature [K]" is no markup.
    if row.problem:
        return Text("declaration cannot be followed, see below", style="red")
    text = Text(row.target)
    return text.append(f"\n{row.caution}", style="yellow") if row.caution else text


def _last_run(run: LastRun | None) -> Text:
    if run is None:
        return Text("never run", style="dim")
    status = Text(run.status.lower(), style="" if run.status in ("FINISHED", "RUNNING") else "red")
    if run.auc is not None:
        status.append(f", AUC {run.auc:.4f}")
    return status.append(f"\n{run.started.astimezone():%Y-%m-%d %H:%M}", style="dim")


def _champion(champion: Champion | None) -> Text:
    if champion is None:
        return Text(_NONE)
    quality = "" if champion.auc is None else f"\nAUC {champion.auc:.4f}"
    return Text(f"version {champion.version}{quality}")
