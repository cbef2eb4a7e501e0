"""Realised quality of each strategy, period by period, and the result of a backfill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.as_of import moment
from lepton_pipeline.data.time_axis import axis
from lepton_pipeline.evaluation.resampling import LEVEL, Sample, resampling_units
from lepton_pipeline.operations.backfill.grid import Grid
from lepton_pipeline.operations.backfill.walk import ALWAYS, NEVER, POLICY, STRATEGIES, DatedDecision
from lepton_pipeline.operations.monitoring.decay import measure_window
from lepton_pipeline.parameters import Dataset, Evaluation
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.intervals import percentile_interval
from lepton_pipeline.statistics.measures import measure, rank
from lepton_pipeline.tasks.find import known_labels
from lepton_pipeline.tracking.flat import flat_intervals

# From a model's name and rows to their probabilities, and the model's threshold.
Score = Callable[[str, pd.DataFrame], tuple[pd.Series, float | None]]
ENDS = ("value", "low", "high")


@dataclass(frozen=True)
class Period:
    """The labelled rows between two dates, and by strategy the model in use and its metric."""

    since: str
    until: str
    rows: int  # with a known label
    positives: int
    models: Mapping[str, str | None]  # None: no model in use
    figures: Mapping[str, Estimate | None]  # None: no model, or too few rows (see `measure_window`)
    drawn: Mapping[str, np.ndarray]  # the metric of shared resamples, [resamples]


def realise(
    table: pd.DataFrame,
    dataset: Dataset,
    grid: Grid,
    models: Mapping[str, Sequence[str | None]],
    score: Score,
    metric: str,
    evaluation: Evaluation,
) -> list[Period]:
    """Measure what each strategy would have given, period by period.

    `table` has all rows of the vertical now, with their features; those without a known label are left out.
    `models` are in use after each date, by strategy; `metric` is the gate's.
    """
    place = assign_periods(table, dataset, grid)
    labels = known_labels(table, dataset)
    ends = [*grid.names(), f"{grid.end:.15g}" if isinstance(grid.end, float) else grid.end]
    measured = []
    for number in range(len(grid.dates)):
        rows = table[labels.notna() & (place == number)]
        in_use = {strategy: names[number] for strategy, names in models.items()}
        measured.append(_measure(rows, labels.loc[rows.index], in_use, score, metric, evaluation, dataset))
    units = resampling_units(table[labels.notna() & (place >= 0)], dataset)
    drawn = _draw(measured, units, metric, evaluation)
    return [
        Period(
            since=ends[number],
            until=ends[number + 1],
            rows=len(each.scored),
            positives=int(each.scored["label"].sum()),
            models=each.in_use,
            figures={strategy: each.figures.get(str(name)) for strategy, name in each.in_use.items()},
            drawn={strategy: of[str(name)] for strategy, name in each.in_use.items() if str(name) in of},
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
    """Means over `periods` by strategy, and the policy's `difference` to the other two; without any, empty."""

    periods: int
    mean: Mapping[str, Estimate]
    difference: Mapping[str, Estimate]


def summarise(periods: Sequence[Period]) -> Summary:
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
        return Estimate(value, *percentile_interval(drawn, LEVEL), rough)

    mean = {each: figure(values[each], drawn[each]) for each in STRATEGIES}
    others = ((each, values[POLICY] - values[each], drawn[POLICY] - drawn[each]) for each in (NEVER, ALWAYS))
    return Summary(len(whole), mean, {each: figure(*difference) for each, *difference in others})


@dataclass(frozen=True)
class _Measured:
    """A period: the model in use by strategy; by model its scores beside `label`, threshold and figure."""

    in_use: Mapping[str, str | None]
    scored: pd.DataFrame
    thresholds: dict[str, float]
    figures: dict[str, Estimate]
    sample: Sample


def _measure(
    rows: pd.DataFrame,
    labels: pd.Series,
    in_use: Mapping[str, str | None],
    score: Score,
    metric: str,
    evaluation: Evaluation,
    dataset: Dataset,
) -> _Measured:
    """Measure each model once, even if several strategies use it."""
    scored, thresholds, figures = pd.DataFrame({"label": labels.astype(np.int8)}), {}, {}
    units = resampling_units(rows, dataset)
    for name in dict.fromkeys(each for each in in_use.values() if each is not None):
        if not len(rows):
            break
        probability, threshold = score(name, rows)
        figure = measure_window(scored.assign(probability=probability), metric, threshold, evaluation, units)
        if figure is None:
            break
        scored, thresholds[name], figures[name] = scored.assign(**{name: probability}), threshold, figure
    return _Measured(in_use, scored, thresholds, figures, Sample.of(scored["label"], units))


def _draw(
    measured: Sequence[_Measured], units: pd.DataFrame, metric: str, evaluation: Evaluation
) -> list[dict[str, np.ndarray]]:
    """By period and model the metric of the same resamples; a group is drawn once for all its periods."""
    known = [each for each in measured if each.thresholds]
    if not known:
        return [{} for _ in measured]
    parts = np.repeat(np.arange(len(known)), [len(each.scored) for each in known])
    places = [np.flatnonzero(parts == number) for number in range(len(known))]
    ranked = [
        {
            name: rank(each.scored[name].to_numpy(float), each.scored["label"].to_numpy(float))
            for name in each.thresholds
        }
        for each in known
    ]
    sample = Sample.of(pd.concat([each.scored["label"] for each in known]), units)
    chunks = [
        [
            {
                name: measure(rows, each.thresholds[name], weights[:, place])[metric]
                for name, rows in of.items()
            }
            for each, place, of in zip(known, places, ranked, strict=True)
        ]
        for weights in sample.weights(evaluation, parts)
    ]
    drawn = iter(
        {
            name: each.sample.spread(figure.value, np.concatenate([chunk[number][name] for chunk in chunks]))
            for name, figure in each.figures.items()
        }
        for number, each in enumerate(known)
    )
    return [next(drawn) if each.thresholds else {} for each in measured]


@dataclass(frozen=True)
class DateResult(DatedDecision):
    """A date, and the labelled rows until the next: models in use and realised quality by strategy."""

    until: str
    rows: int
    positives: int
    models: Mapping[str, str | None]
    realised: Mapping[str, Estimate | None]


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
    summary = summarise(periods)
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
    return pd.DataFrame(rows).astype({"version": "Int64"})


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
