"""Realised quality of each strategy, period by period, and the result of a backfill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from lepton_pipeline.data.as_of import label_known, moment
from lepton_pipeline.data.labels import label_missing
from lepton_pipeline.data.time_axis import axis
from lepton_pipeline.evaluation.resampling import LEVEL, Sample, resampling_units
from lepton_pipeline.operations.backfill.grid import Grid
from lepton_pipeline.operations.backfill.walk import ALWAYS, NEVER, POLICY, STRATEGIES, DatedDecision
from lepton_pipeline.operations.monitoring.decay import measure_window
from lepton_pipeline.parameters import Dataset, Evaluation
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.intervals import percentile_interval
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.metric_table import higher_is_better
from lepton_pipeline.system.records import Omitted
from lepton_pipeline.tasks.find import known_labels
from lepton_pipeline.tasks.task import Prepared, Task
from lepton_pipeline.tracking.flat import flat_intervals

ENDS = ("value", "low", "high")


class Model(Protocol):
    """What is needed of the model of a date, which is an artefact."""

    @property
    def task(self) -> Task:
        """What it predicts."""

    @property
    def threshold(self) -> float | None:
        """Its threshold, if the task has one."""

    def scores(self, rows: pd.DataFrame) -> Floats:
        """Scores of its task."""


Load = Callable[[str], Model]


@dataclass(frozen=True)
class Period:
    """The labelled rows between two dates, and by strategy the model in use and its metric."""

    since: str
    until: str
    rows: int  # with a known label, one that all models in use can predict
    positives: int | None  # None where there is no positive class
    models: Mapping[str, str | None]  # None: no model in use
    figures: Mapping[str, Estimate | None]  # None: no model, or too few rows (see `measure_window`)
    drawn: Mapping[str, np.ndarray]  # the metric of shared resamples, [resamples]
    unread: int = 0  # further rows, with a label that a model in use cannot predict, such as a new class


def realise(
    table: pd.DataFrame,
    dataset: Dataset,
    grid: Grid,
    models: Mapping[str, Sequence[str | None]],
    load: Load,
    metric: str,
    evaluation: Evaluation,
) -> list[Period]:
    """Measure what each strategy would have given, period by period.

    `table` has all rows of the vertical now, with their features; those without a known label are left out.
    `models` are in use after each date, by strategy; `metric` is the gate's. Each model's own task reads the
    labels, as classes that are found later are unknown to earlier models.
    """
    place = assign_periods(table, dataset, grid)
    known = label_known(table, dataset) & ~label_missing(table, dataset)
    labels = _Labels(table, dataset, [])
    ends = [*grid.names(), f"{grid.end:.15g}" if isinstance(grid.end, float) else grid.end]
    measured = []
    for number in range(len(grid.dates)):
        rows = table[known & (place == number)]
        in_use = {strategy: names[number] for strategy, names in models.items()}
        measured.append(_measure(rows, labels, in_use, load, metric, evaluation))
    units = resampling_units(table[known & (place >= 0)], dataset)
    drawn = _draw(measured, units, metric, evaluation)
    return [
        Period(
            since=ends[number],
            until=ends[number + 1],
            rows=each.rows,
            positives=each.positives,
            models=each.in_use,
            figures={strategy: each.figures.get(str(name)) for strategy, name in each.in_use.items()},
            drawn={strategy: of[str(name)] for strategy, name in each.in_use.items() if str(name) in of},
            unread=each.unread,
        )
        for number, (each, of) in enumerate(zip(measured, drawn, strict=True))
    ]


def assign_periods(table: pd.DataFrame, dataset: Dataset, grid: Grid) -> pd.Series:
    """Number the period of each row: the first whose model in use cannot have learnt from it.

    A row exactly at a date belongs to the period that begins there if the label has a delay, else to the one
    that ends there. Returns 0, 1, 2 …, indexed as `table`; -1 for rows of no period. Raises DataError if the
    dates do not compare with the times.
    """
    times = table[str(dataset.time)]
    ends = [moment(date, times, "--from, --to") for date in (*grid.dates, grid.end)]
    edges = axis(pd.Series(ends))
    place = np.searchsorted(edges, axis(times), side="right" if dataset.label_delay else "left") - 1
    return pd.Series(np.where(place < len(grid.dates), place, -1), index=table.index)


@dataclass(frozen=True)
class Summary:
    """Means over `periods` by strategy, and how far the policy is ahead of the other two; without any, empty.

    A `difference` is above 0 where the policy is better, also of a metric that is better if lower.
    """

    periods: int
    mean: Mapping[str, Estimate]
    difference: Mapping[str, Estimate]


def summarise(periods: Sequence[Period], metric: str) -> Summary:
    """Average over the periods in which every strategy was measured, with equal weights.

    Rows, groups or blocks are drawn once for all periods and strategies: the interval of a paired difference
    is narrower than those of its terms.
    """
    known = [(each, {key: figure for key, figure in each.figures.items() if figure}) for each in periods]
    whole = [(period, figures) for period, figures in known if len(figures) == len(STRATEGIES)]
    if not whole:
        return Summary(0, {}, {})
    values = {each: float(np.mean([figures[each].value for _, figures in whole])) for each in STRATEGIES}
    drawn = {each: np.mean([period.drawn[each] for period, _ in whole], axis=0) for each in STRATEGIES}
    rough = any(figure.approximate for _, figures in whole for figure in figures.values())

    def figure(value: float, drawn: np.ndarray) -> Estimate:
        if not np.isfinite(drawn).all():
            return Estimate(value)
        return Estimate(value, *percentile_interval(drawn, LEVEL), rough)

    mean = {each: figure(values[each], drawn[each]) for each in STRATEGIES}
    difference = {}
    for other in (NEVER, ALWAYS):
        # Subtracted the other way round: a change of the sign would make -0 of 0.
        one, less = (POLICY, other) if higher_is_better(metric) else (other, POLICY)
        difference[other] = figure(values[one] - values[less], drawn[one] - drawn[less])
    return Summary(len(whole), mean, difference)


@dataclass(frozen=True)
class _Labels:
    """Labels of a table as the tasks of several models read them, each read once."""

    table: pd.DataFrame
    dataset: Dataset
    seen: list[tuple[Task, pd.Series]]

    def of(self, task: Task) -> pd.Series:
        for other, labels in self.seen:
            if other == task:
                return labels
        labels = known_labels(self.table, self.dataset, task)
        self.seen.append((task, labels))
        return labels


@dataclass(frozen=True)
class _Measured:
    """A period: the model in use by strategy; by model its scores ready to be measured, and its figure."""

    in_use: Mapping[str, str | None]
    rows: int
    unread: int = 0
    positives: int | None = None
    prepared: dict[str, Prepared] = field(default_factory=dict)
    figures: dict[str, Estimate] = field(default_factory=dict)
    labels: pd.Series | None = None  # as one of the models reads them; None without any
    sample: Sample | None = None  # of these


def _measure(
    rows: pd.DataFrame,
    labels: _Labels,
    in_use: Mapping[str, str | None],
    load: Load,
    metric: str,
    evaluation: Evaluation,
) -> _Measured:
    """Measure each model once, even if several strategies use it."""
    models = {name: load(name) for name in dict.fromkeys(in_use.values()) if name is not None}
    if not models:
        return _Measured(in_use, len(rows))
    read = {name: labels.of(model.task).loc[rows.index] for name, model in models.items()}
    kept = rows[pd.DataFrame(read).notna().all(axis=1)]
    own = {name: each.loc[kept.index].astype(models[name].task.label_type) for name, each in read.items()}
    units = resampling_units(kept, labels.dataset)
    prepared, figures = {}, {}
    for name, model in models.items():
        if kept.empty:
            break
        scores = model.scores(kept)
        scored = pd.DataFrame({"label": own[name], **model.task.columns("model", scores)}, index=kept.index)
        figure = measure_window(model.task, scored, metric, model.threshold, evaluation, units)
        if figure is None:
            break
        prepared[name] = model.task.prepare(own[name].to_numpy(), scores, model.threshold)
        figures[name] = figure
    name, first = next(iter(own.items()))
    task, unread = models[name].task, len(rows) - len(kept)
    sample = Sample.of(first, units, task)
    return _Measured(in_use, len(kept), unread, task.positives(first), prepared, figures, first, sample)


def _draw(
    measured: Sequence[_Measured], units: pd.DataFrame, metric: str, evaluation: Evaluation
) -> list[dict[str, np.ndarray]]:
    """By period and model the metric of the same resamples; a group is drawn once for all its periods."""
    known = [each for each in measured if each.prepared]
    samples = [each.sample for each in known if each.sample is not None]
    if not samples:
        return [{} for _ in measured]
    parts = np.repeat(np.arange(len(known)), [each.rows for each in known])
    places = [np.flatnonzero(parts == number) for number in range(len(known))]
    sample = Sample.of(pd.concat([each.labels for each in known]), units, samples[0].task)
    chunks = [
        [
            {name: rows.measure(weights[:, place])[metric] for name, rows in each.prepared.items()}
            for each, place in zip(known, places, strict=True)
        ]
        for weights in sample.weights(evaluation, parts)
    ]
    drawn = iter(
        {
            name: own.spread(figure.value, np.concatenate([chunk[number][name] for chunk in chunks]))
            for name, figure in each.figures.items()
        }
        for number, (each, own) in enumerate(zip(known, samples, strict=True))
    )
    return [next(drawn) if each.prepared else {} for each in measured]


@dataclass(frozen=True)
class DateResult(DatedDecision):
    """A date, and the labelled rows until the next: models in use and realised quality by strategy."""

    until: str
    rows: int
    positives: Omitted[int] = None
    models: Mapping[str, str | None] = field(kw_only=True)
    realised: Mapping[str, Estimate | None] = field(kw_only=True)


@dataclass(frozen=True)
class BackfillResult:
    """A whole backfill of a policy; `trainings` are those that it asked for."""

    vertical: str
    metric: str
    every: str
    policy: Mapping[str, Any]
    notes: list[str]
    dates: list[DateResult]
    trainings: int
    promoted: int
    summary: Summary


def describe(
    vertical: str,
    metric: str,
    grid: Grid,
    decided: Sequence[DatedDecision],
    periods: Sequence[Period],
    policy: Mapping[str, Any],
    notes: list[str],
) -> BackfillResult:
    """Assemble the result; `decided` and `periods` have one entry a date."""
    dates = [
        DateResult(
            **vars(dated),
            until=period.until,
            rows=period.rows,
            positives=period.positives,
            models=period.models,
            realised=period.figures,
        )
        for dated, period in zip(decided, periods, strict=True)
    ]
    trainings = sum(dated.due and dated.version is not None for dated in decided)
    promoted = sum(dated.promoted is True for dated in decided)
    summary = summarise(periods, metric)
    if unread := sum(period.unread for period in periods):
        notes = [
            *notes,
            f"{unread:,} rows have a target that a model in use could not predict, and were left out",
        ]
    return BackfillResult(vertical, metric, grid.every, policy, notes, dates, trainings, promoted, summary)


def as_table(found: BackfillResult) -> pd.DataFrame:
    """One row a date: decision, alarms, and the realised metric of each strategy."""
    columns = ("date", "due", "triggers", "version", "promoted", "alarms", "champion", "rows", "positives")
    rows = [
        {
            name: " ".join(vars(each)[name]) if name in ("triggers", "alarms") else vars(each)[name]
            for name in columns
        }
        | {
            strategy if end == "value" else f"{strategy}.{end}": getattr(each.realised[strategy], end, None)
            for strategy in STRATEGIES
            for end in ENDS
        }
        for each in found.dates
    ]
    table = pd.DataFrame(rows).astype({"version": "Int64"})
    return table.drop(columns="positives") if table["positives"].isna().all() else table


def figures(found: BackfillResult) -> dict[str, float]:
    """The metrics of the whole backfill for MLflow."""
    return {
        "trainings": found.trainings,
        "promoted": found.promoted,
        **flat_intervals("mean", found.summary.mean),
        **flat_intervals("difference", found.summary.difference),
    }


def series(found: BackfillResult) -> list[dict[str, float]]:
    """The metrics of each period for MLflow."""
    return [
        {
            "due": float(each.due),
            "promoted": float(each.promoted is True),
            "alarms": float(len(each.alarms)),
            **flat_intervals(
                f"realised.{found.metric}",
                {strategy: figure for strategy, figure in each.realised.items() if figure is not None},
            ),
        }
        for each in found.dates
    ]
