"""Put the runs of a vertical side by side, the best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isnan
from typing import Any

from lepton_pipeline.evaluation.interval_text import APPROXIMATE, UNJUDGED
from lepton_pipeline.tracking.experiment_page import differing_parameters
from lepton_pipeline.tracking.flat import INTERVALS

METRICS = ("auc", "average_precision", "f1", "log_loss", "brier", "ece")
_ROWS = "rows.sha256"
_BASELINE = "hist_gradient_boosting"
_COMMIT_CHARACTERS = 8
# Said of a run apart, or of no effect on it.
_SAID_APART = ("about.", "split.", "training.seed")
# Of the split, what does not move any row.
_NO_CUT = ("split.copies",)


@dataclass(frozen=True)
class Figure:
    """A metric of the test rows; `low` and `high` are the ends of its 95 % interval, or None where a run has none."""

    value: float
    low: float | None
    high: float | None
    approximate: bool = False

    @property
    def ends(self) -> str:
        """The interval in three decimals, marked where it is approximate."""
        if self.low is None or self.high is None:
            return UNJUDGED
        return f"{f'{APPROXIMATE} ' if self.approximate else ''}{self.low:.3f} to {self.high:.3f}"


@dataclass(frozen=True)
class ComparedRun:
    """One run.

    Attributes:
        run_id: of MLflow.
        name: as lists show it.
        status: MLflow's: RUNNING, FINISHED, FAILED, KILLED.
        started: with its time zone.
        seconds: from start to end, or None where it has not ended.
        figures: by metric, of the model on the test rows.
        baseline: the deciding metric of gradient boosting on the same rows.
        decision: "promoted", "refused", or "" where the gate was not reached.
        reason: of the decision.
        version: of the registered model, or None.
        aliases: that the version has now.
        parameters: those that differ between the runs shown, by name.
        seed: of the training.
        commit: first characters, "+" where the tree differed from it; "" outside a checkout.
        resumed: whether it took over results of earlier runs.
        error: why it failed.
    """

    run_id: str
    name: str
    status: str
    started: datetime
    seconds: float | None
    figures: dict[str, Figure]
    baseline: Figure | None
    decision: str
    reason: str
    version: int | None
    aliases: tuple[str, ...]
    parameters: dict[str, str]
    seed: str
    commit: str
    resumed: bool
    error: str


@dataclass(frozen=True)
class ComparableRuns:
    """Runs whose figures are of the same test rows.

    Attributes:
        data: fingerprint of the table of the latest, "" where it is not known.
        rows: of that table.
        split: how it was divided, by parameter.
        runs: the best first.
        assumed: how many runs do not say which their test rows were: that they are the same is taken from
            data and split.
    """

    data: str
    rows: str
    split: dict[str, str]
    runs: list[ComparedRun]
    assumed: int

    @property
    def remark(self) -> str:
        """What is not certain of them."""
        if not self.assumed:
            return ""
        whose = "this run's" if len(self.runs) == 1 else f"those of {self.assumed} of these runs"
        return f"which rows {whose} test rows were is told by data and split; an order of rows that changed is not seen"


@dataclass(frozen=True)
class Comparison:
    """Runs of a vertical side by side.

    Attributes:
        vertical: its name.
        metric: that the gate decides by, as the latest run declares it.
        groups: by test rows, those of the latest run first; figures compare within a group only.
        others: runs without figures to compare: failed, interrupted, under way or ended before the test.
        differing: names of the parameters that differ between the runs with figures.
    """

    vertical: str
    metric: str
    groups: list[ComparableRuns]
    others: list[ComparedRun]
    differing: list[str]


def compare_runs(
    vertical: str, runs: Sequence[Any], versions: Mapping[str, tuple[int, tuple[str, ...]]] | None = None
) -> Comparison:
    """Compare runs by the metric of the gate, those on the same test rows with one another.

    Args:
        vertical: their experiment.
        runs: MLflow runs, the newest first.
        versions: by run id the version it made and the version's aliases.

    Returns:
        The runs as plain data; empty where there are none.
    """
    metric = next(
        (run.data.params["gate.metric"] for run in runs if "gate.metric" in run.data.params), METRICS[0]
    )
    ended = [run for run in runs if run.info.status == "FINISHED" and f"test.{metric}" in run.data.metrics]
    differing = [
        name
        for name in differing_parameters([run.data.params for run in ended])
        if not name.startswith(_SAID_APART)
    ]
    versions = versions or {}
    made = {run.info.run_id: _compared(run, metric, differing, versions.get(run.info.run_id)) for run in runs}
    groups: dict[tuple[Any, ...], list[Any]] = {}
    # A run of before its test rows were hashed stands beside the latest that were cut alike.
    alike: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for run in ended:
        if _ROWS in run.data.tags:
            alike.setdefault(_cut(run), (run.data.tags[_ROWS],))
    for run in ended:
        key = (run.data.tags[_ROWS],) if _ROWS in run.data.tags else alike.get(_cut(run), _cut(run))
        groups.setdefault(key, []).append(run)
    known = {run.info.run_id for run in ended}
    return Comparison(
        vertical=vertical,
        metric=metric,
        groups=[_group(members, made, metric) for members in groups.values()],
        others=[made[run.info.run_id] for run in runs if run.info.run_id not in known],
        differing=differing,
    )


def _cut(run: Any) -> tuple[Any, ...]:
    """Data and split, which decide what rows a run keeps for its test unless the order of rows does, too."""
    split = {
        key: value
        for key, value in run.data.params.items()
        if key.startswith("split.") and key not in _NO_CUT
    }
    return run.data.tags.get("data.sha256", ""), *sorted(split.items())


def _group(runs: Sequence[Any], made: Mapping[str, ComparedRun], metric: str) -> ComparableRuns:
    data, *split = _cut(runs[0])
    best_first = sorted(
        (made[run.info.run_id] for run in runs), key=lambda run: _rank(run.figures[metric].value)
    )
    shown = {key.removeprefix("split."): value for key, value in split}
    assumed = sum(_ROWS not in run.data.tags for run in runs)
    return ComparableRuns(data, runs[0].data.tags.get("data.rows", ""), shown, best_first, assumed)


def _rank(value: float) -> tuple[bool, float]:
    return isnan(value), -value


def _compared(
    run: Any, metric: str, differing: Sequence[str], version: tuple[int, tuple[str, ...]] | None
) -> ComparedRun:
    info, tags, params = run.info, run.data.tags, run.data.params
    dirty = "+" if tags.get("git.dirty") == "true" else ""
    commit = tags.get("git.commit", "none")
    rough = tags.get(INTERVALS) == "approximate"
    figures = {name: _figure(run.data.metrics, f"test.{name}", rough) for name in METRICS}
    return ComparedRun(
        run_id=info.run_id,
        name=info.run_name or "",
        status=info.status,
        started=datetime.fromtimestamp(info.start_time / 1000, UTC),
        seconds=None if info.end_time is None else (info.end_time - info.start_time) / 1000,
        figures={name: figure for name, figure in figures.items() if figure is not None},
        baseline=_figure(run.data.metrics, f"baseline.{_BASELINE}.{metric}", rough),
        decision=tags.get("gate.decision", ""),
        reason=tags.get("gate.reason", ""),
        version=version[0] if version else None,
        aliases=version[1] if version else (),
        parameters={name: params[name] for name in differing if name in params},
        seed=tags.get("seed", params.get("training.seed", "")),
        commit="" if commit == "none" else f"{commit[:_COMMIT_CHARACTERS]}{dirty}",
        resumed=tags.get("resumed") == "true",
        error=tags.get("error", ""),
    )


def _figure(metrics: Mapping[str, float], name: str, approximate: bool) -> Figure | None:
    if name not in metrics:
        return None
    return Figure(metrics[name], metrics.get(f"{name}.low"), metrics.get(f"{name}.high"), approximate)
