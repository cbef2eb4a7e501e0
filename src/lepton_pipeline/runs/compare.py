"""Compare the runs of a vertical, the best first; also as an HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from math import isfinite, isnan
from typing import Any

from lepton_pipeline.evaluation.paired import Resamples, lead
from lepton_pipeline.reporting.pages.frame import render
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.statistics.metric_table import (
    BINARY,
    METRICS,
    headline_first,
    higher_is_better,
    lead_text,
)
from lepton_pipeline.system.readable import span_text
from lepton_pipeline.tracking.artefacts import RESAMPLES, Facts, read_facts, read_metrics, read_record
from lepton_pipeline.tracking.experiment_page import differing_parameters
from lepton_pipeline.tracking.flat import INTERVALS
from lepton_pipeline.tracking.runs import HEADLINE

TIE = (
    "A tie: the 95 % interval of what the best is ahead by, on the same resamples of the test rows, includes 0. "
    "The best of many runs is partly luck."
)
_ROWS = "rows.sha256"
_BASELINE = "hist_gradient_boosting"
_AT_ONCE = 8
_COMMIT_CHARACTERS = 8
_Version = tuple[int, tuple[str, ...]]
# Shown elsewhere, or without effect.
_SAID_APART = ("about.", "split.", "training.seed")
_NO_CUT = ("split.copies",)
_ROOM = 0.04  # of the axis, free beside the outermost interval


@dataclass(frozen=True)
class ComparedRun:
    """One run; `figures` are of the model on the test rows, `baseline` of gradient boosting on the same rows.

    `rows` are those of its table, "" if unknown.
    `decision` is "promoted", "refused" or "" if the gate was not reached; `commit` ends in "+" if the tree
    differed from it; `parameters` are those that differ between the runs shown. `behind` is what the best run on the
    same test rows is ahead by, None of the best itself, or where either keeps no resamples of these rows.
    """

    run_id: str
    name: str
    status: str
    started: datetime
    seconds: float | None
    figures: dict[str, Estimate]
    baseline: Estimate | None
    decision: str
    reason: str
    version: int | None
    aliases: tuple[str, ...]
    parameters: dict[str, str]
    seed: str
    rows: str
    commit: str
    resumed: bool
    error: str
    behind: Estimate | None = None

    @property
    def tied(self) -> bool:
        """Whether the paired interval of what the best is ahead by includes 0."""
        return self.behind is not None and self.behind.ends[0] <= 0

    @property
    def chosen(self) -> str:
        """Its name without its version."""
        return self.name.removeprefix(f"v{self.version} ")


@dataclass(frozen=True)
class ComparableRuns:
    """Runs with the same test rows, the best first; `data` is the hash of the latest table, "" if unknown.

    `assumed` counts runs that recorded no test rows, which are taken to be the same if data and split are.
    """

    data: str
    rows: str
    split: dict[str, str]
    runs: list[ComparedRun]
    assumed: int

    @property
    def remark(self) -> str:
        """What is uncertain about them."""
        if not self.assumed:
            return ""
        runs = f"{self.assumed} of {len(self.runs)} runs" if len(self.runs) > 1 else "the run"
        return f"{runs} recorded no test rows: assumed to be the same where data and split are"


@dataclass(frozen=True)
class Comparison:
    """Runs of a vertical side by side.

    `metric` is the gate's, as the latest run declares it. `groups` are by test rows, those of the latest run
    first; `others` are runs without test figures; `differing` names the parameters that differ between the
    rest. `metrics` are those of any run, `metric` first.
    """

    vertical: str
    metric: str
    metrics: list[str]
    groups: list[ComparableRuns]
    others: list[ComparedRun]
    differing: list[str]


@dataclass(frozen=True)
class Stored:
    """What a run stored as JSON: its lineage, and the records of its figures, None if there are none."""

    facts: Facts
    metrics: Metrics | None
    resamples: Resamples | None = None


def read_stored(client: Any, runs: Sequence[Any]) -> dict[str, Stored]:
    """The JSON artefacts of runs, by run id."""

    def read(run: Any) -> Stored:
        resamples = read_record(client, run, RESAMPLES, Resamples)
        return Stored(read_facts(client, run), read_metrics(client, run), resamples)

    # A server's answers are waited for together.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip([run.info.run_id for run in runs], pool.map(read, runs), strict=True))


def compare_runs(
    vertical: str,
    runs: Sequence[Any],
    versions: Mapping[str, _Version] | None = None,
    stored: Mapping[str, Stored] | None = None,
) -> Comparison:
    """Group runs (of MLflow, the newest first) by test rows and rank each group by the metric of the gate.

    `versions` holds, by run id, the version that the run made and its aliases, `stored` its JSON artefacts.
    Runs without them show what is in the database: those of earlier releases all of it, others the intervals
    of the metric alone.
    """
    declared = (run.data.params.get(HEADLINE) for run in runs)
    metric = next(filter(None, declared), BINARY[0].name)
    ended = [run for run in runs if run.info.status == "FINISHED" and f"test.{metric}" in run.data.metrics]
    varied = differing_parameters([run.data.params for run in ended])
    differing = [name for name in varied if not name.startswith(_SAID_APART)]
    versions, stored = versions or {}, stored or {}
    made = {
        run.info.run_id: _compared(
            run,
            metric,
            differing,
            versions.get(run.info.run_id),
            stored.get(run.info.run_id) or Stored(run.data.tags, None),
        )
        for run in runs
    }
    groups: dict[tuple[Any, ...], list[Any]] = {}
    # A run without a hash of its test rows joins the latest with equal data and split.
    alike: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for run in ended:
        if _ROWS in run.data.tags:
            alike.setdefault(_cut(run), (run.data.tags[_ROWS],))
    for run in ended:
        key = (run.data.tags[_ROWS],) if _ROWS in run.data.tags else alike.get(_cut(run), _cut(run))
        groups.setdefault(key, []).append(run)
    known = {run.info.run_id for run in ended}
    others = [made[run.info.run_id] for run in runs if run.info.run_id not in known]
    resamples = {run_id: each.resamples for run_id, each in stored.items()}
    grouped = [_group(members, made, metric, resamples) for members in groups.values()]
    metrics = headline_first(metric, {name for each in made.values() for name in each.figures})
    return Comparison(vertical, metric, metrics, grouped, others, differing)


def _cut(run: Any) -> tuple[Any, ...]:
    """Data and split, which decide the test rows unless the order of rows changes."""
    split = (pair for pair in run.data.params.items() if pair[0].startswith("split."))
    return run.data.tags.get("data.sha256", ""), *sorted(pair for pair in split if pair[0] not in _NO_CUT)


def _group(
    runs: Sequence[Any],
    made: Mapping[str, ComparedRun],
    metric: str,
    resamples: Mapping[str, Resamples | None],
) -> ComparableRuns:
    data, *split = _cut(runs[0])
    members = [made[run.info.run_id] for run in runs]
    sign = -1 if higher_is_better(metric) else 1
    values = {run.run_id: sign * run.figures[metric].value for run in members}
    best_first = sorted(members, key=lambda run: (isnan(values[run.run_id]), values[run.run_id]))
    best = resamples.get(best_first[0].run_id)
    if best is not None and best.metric == metric:
        best_first[1:] = [
            replace(run, behind=None if (own := resamples.get(run.run_id)) is None else lead(best, own))
            for run in best_first[1:]
        ]
    # MLflow holds texts: "None" is what a split does without.
    shown = {key.removeprefix("split."): value for key, value in split if value != "None"}
    assumed = sum(_ROWS not in run.data.tags for run in runs)
    return ComparableRuns(data, members[0].rows, shown, best_first, assumed)


def _compared(
    run: Any, metric: str, differing: Sequence[str], version: _Version | None, stored: Stored
) -> ComparedRun:
    info, tags, params, facts = run.info, run.data.tags, run.data.params, stored.facts
    dirty = "+" if facts.get("git.dirty") == "true" else ""
    commit = facts.get("git.commit", "none")
    figures = {name: _figure(run, f"test.{name}", stored, "model", name) for name in METRICS}
    return ComparedRun(
        run_id=info.run_id,
        name=info.run_name or "",
        status=info.status,
        started=datetime.fromtimestamp(info.start_time / 1000, UTC),
        seconds=None if info.end_time is None else (info.end_time - info.start_time) / 1000,
        figures={name: figure for name, figure in figures.items() if figure is not None},
        baseline=_figure(run, f"baseline.{_BASELINE}.{metric}", stored, _BASELINE, metric),
        decision=tags.get("gate.decision", ""),
        reason=tags.get("gate.reason", ""),
        version=version[0] if version else None,
        aliases=version[1] if version else (),
        parameters={name: params[name] for name in differing if name in params},
        seed=tags.get("seed", params.get("training.seed", "")),
        rows=facts.get("data.rows", ""),
        commit="" if commit == "none" else f"{commit[:_COMMIT_CHARACTERS]}{dirty}",
        resumed=tags.get("resumed") == "true",
        error=tags.get("error", ""),
    )


def _figure(run: Any, logged: str, stored: Stored, model: str, metric: str) -> Estimate | None:
    """A figure as the run recorded it, or as it logged it."""
    recorded = {} if stored.metrics is None else stored.metrics.test.get(model, {})
    if metric in recorded:
        return recorded[metric]
    metrics = run.data.metrics
    if logged not in metrics:
        return None
    # A tag of earlier releases.
    rough = run.data.tags.get(INTERVALS) == "approximate"
    return Estimate(metrics[logged], metrics.get(f"{logged}.low"), metrics.get(f"{logged}.high"), rough)


def compare_page(comparison: Comparison) -> str:
    """Render a comparison as a self-contained page."""
    return render(
        "compare.html",
        comparison=comparison,
        axes=[_axis(comparison, group.runs) for group in comparison.groups],
        version=version_text,
        tie=TIE,
        behind=partial(lead_text, comparison.metric),
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


def _ends(figure: Estimate) -> list[float]:
    return [each for each in (figure.value, figure.low, figure.high) if each is not None]
