"""Assemble the monitoring result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.time_axis import cut, shown, window_length
from lepton_pipeline.data.training_rows import TrainingRows, repeat_advice
from lepton_pipeline.errors import ConfigurationError, DataError, nearest
from lepton_pipeline.evaluation.resampling import resampling_units
from lepton_pipeline.features.encode import EncodedColumn, Encoder
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import WatchedVersion
from lepton_pipeline.operations.monitoring import drift, findings
from lepton_pipeline.operations.monitoring.decay import (
    COVERAGE,
    decay_bound,
    has_decayed,
    is_worse,
    measure_window,
    worse_end,
)
from lepton_pipeline.operations.monitoring.domain import classifier_test, one_per_group
from lepton_pipeline.operations.monitoring.drift import FEWEST_ROWS, adjusted
from lepton_pipeline.operations.monitoring.index import take_index
from lepton_pipeline.operations.monitoring.new_rows import learnt_rows
from lepton_pipeline.operations.monitoring.reference import Reference
from lepton_pipeline.parameters import Dataset, Decay, Evaluation, Gate, Monitoring, Retraining
from lepton_pipeline.statistics.estimates import Estimate

_MOST_WINDOWS = 36
_DRAWN_COLUMNS = 6
_SEED = 7
_NAMED_TARGETS = 5


@dataclass(frozen=True)
class NewRows:
    """The table of a vertical now, and its new rows."""

    table: pd.DataFrame
    new: pd.DataFrame  # see `score_new_rows`
    dataset: Dataset

    @property
    def own(self) -> pd.DataFrame:
        """The new rows with the columns of the table."""
        return self.table.loc[self.new.index]


@dataclass(frozen=True)
class Champion:
    """A champion, and what new rows are compared with."""

    model: Artefact
    version: WatchedVersion
    reference: Reference | None  # None where it was not recorded
    learnt: TrainingRows  # hashes of its training rows


@dataclass(frozen=True)
class _Quality:
    bounds: dict[str, float | None]  # by metric, that of the gate first
    evaluation: Evaluation


@dataclass(frozen=True)
class _Drift:
    columns: list[findings.ColumnDrift] = field(default_factory=list)
    domain: findings.DomainDrift | None = None
    scores: findings.ColumnDrift | None = None
    volume: findings.VolumeDrift | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def compared(self) -> list[findings.ColumnDrift]:
        """The columns that are not ignored, the largest PSI first."""
        return sorted((each for each in self.columns if not each.ignored), key=lambda each: -each.psi)


def compare_new_rows(
    today: NewRows,
    champion: Champion,
    gate: Gate,
    evaluation: Evaluation,
    retraining: Retraining,
    monitoring: Monitoring,
) -> findings.MonitoringResult:
    """Test new rows for drift from the training rows, and the champion's realised quality for decay.

    All tests (columns, scores, domain classifier, volume) are one family, so `monitoring.level` is the chance
    of a false alarm in all of it. Columns get half of the level and the other tests the rest: in a table of
    many columns no permutation test could be significant otherwise.
    """
    new, version, reference, task = today.new, champion.version, champion.reference, champion.model.task
    found, drifted = _Drift(), None
    if reference is None:
        again = f"Train again: kedro run --pipelines {version.name}."
        found.notes.append(f"The champion has no reference, so new rows and drift are not known. {again}")
    elif len(new) < FEWEST_ROWS:
        few = {0: "No row is", 1: "Only 1 row is"}.get(len(new), f"Only {len(new)} rows are")
        advice = repeat_advice(today.dataset)
        found.notes.append(
            f"{few} newer than the champion's data; {FEWEST_ROWS} are needed to compare{advice and '; '}{advice}."
        )
    else:
        found = _test_all(today, champion, reference, monitoring)
        tested = [*found.columns, found.domain, found.scores]
        drifted = any(each.flagged for each in tested if each is not None)
    index = None
    if reference is not None and len(new):
        try:
            scores = task.scores(new, "model")
            index = take_index(today.own, scores, task, reference, today.dataset, monitoring)
        except DataError as error:
            found.notes.append(
                f"The index is not known: {error}. Train again: kedro run --pipelines {version.name}."
            )
    if index is not None and index.undated:
        found.notes.append(f"{index.undated:,} new rows have no date, so they are in no period of the index.")
    found.notes.extend(_note_unread(new, champion))
    decay = retraining.on_decay or Decay.model_validate({})
    estimate = version.test.get(gate.metric)
    bounds = {gate.metric: decay_bound(decay, gate.metric, estimate)}
    if task.has_intervals:
        bounds[COVERAGE] = worse_end(COVERAGE, version.test.get(COVERAGE))
    windows = []
    if reference is not None and len(new):
        drawn = [each.column for each in found.compared[:_DRAWN_COLUMNS]]
        quality = _Quality(bounds, evaluation)
        windows = list(_windows(today, champion.model, reference, drawn, monitoring, quality))
    coverage = None
    if COVERAGE in bounds:
        below = [_judged(each.coverage, each.coverage_below) for each in windows]
        covered = version.test.get(COVERAGE)
        coverage = findings.Coverage(covered, bounds[COVERAGE], has_decayed(below, decay))
    return findings.MonitoringResult(
        as_of=str(today.dataset.known_at),
        champion=findings.WatchedChampion(
            version.name, version.version, version.run_id, version.trained_until
        ),
        rows_new=len(new),
        rows_mature_new=_labelled(new),
        **vars(found),
        windows=windows,
        estimate=None if estimate is None else findings.MetricEstimate(gate.metric, **vars(estimate)),
        bound=bounds[gate.metric],
        needed={"windows": decay.windows, "of": decay.of},
        drifted=drifted,
        decayed=has_decayed([_judged(each.estimate, each.below) for each in windows], decay),
        coverage=coverage,
        index=index,
        score=task.level_name,
        level=monitoring.level,
        smallest_psi=monitoring.smallest_psi,
        missing_reference=_missing_share(reference),
        figures=_figures(new, found, drifted, windows, index),
        series=_series(windows, index),
    )


def _test_all(today: NewRows, champion: Champion, reference: Reference, monitoring: Monitoring) -> _Drift:
    model, rows, new, dataset = champion.model, today.own, today.new, today.dataset
    notes: list[str] = []
    _check_ignored(model, monitoring)
    compared = drift.compare(rows, model.encoder, reference)
    tested = [replace(each, ignored=False) for each in compared if each.column not in monitoring.ignore]
    columns = adjusted(tested, monitoring, share=0.5)
    columns += [replace(each, ignored=True) for each in compared if each.column in monitoring.ignore]
    watched = model.task.watched(model.task.scores(new, "model"))
    others: dict[str, Any] = {"scores": drift.compare_scores(reference.scores, watched)}
    try:
        known = learnt_rows(today.table, champion.learnt, dataset, model.task)
        encoded = [_encode(each, model, dataset, monitoring) for each in (known, rows)]
        dependence = None
        if dataset.time is not None:
            dependence = float(np.median([each.dependence for each in reference.columns]))
        others["domain"] = classifier_test(encoded[0], encoded[1], monitoring.sample, _SEED, dependence)
        if others["domain"] is None:
            notes.append(
                "Too few rows for the classifier that compares all columns, given their autocorrelation."
            )
    except DataError as error:
        notes.append(f"New rows as a whole were not compared with those of the training: {error}.")
    if reference.volume is not None and reference.span is not None:
        others["volume"] = drift.compare_volume(reference.volume, new["time"].to_numpy(), reference.span[1])
        if others["volume"] is None:
            notes.append("Too little time has passed to compare how many rows come.")
    done = {name: each for name, each in others.items() if each is not None}
    judged = dict(zip(done, adjusted(done.values(), monitoring, share=0.5), strict=True))
    return _Drift(columns, notes=notes, **judged)


def _check_ignored(model: Artefact, monitoring: Monitoring) -> None:
    known = [*model.encoder.inputs, *model.encoder.dropped]
    for name in monitoring.ignore:
        if name not in known:
            close = nearest(name, known)
            raise ConfigurationError(
                f"monitoring.ignore: {name!r} is no feature of the champion; "
                + (f"did you mean {close!r}?" if close else f"features are {', '.join(known[:10])}.")
            )


def _encode(rows: pd.DataFrame, model: Artefact, dataset: Dataset, monitoring: Monitoring) -> pd.DataFrame:
    """Input of the classifier: the compared columns in order of time, else one row of each group.

    Texts are left out: what they say of rows that were learnt from is surer than of new ones, so that a classifier
    tells both apart where nothing has changed. They are compared by their words.
    """
    if dataset.time is not None:
        rows = rows.sort_values(dataset.time, kind="stable")
    elif dataset.group is not None:
        rows = one_per_group(rows, dataset.group, _SEED)
    compared: list[EncodedColumn] = [
        column
        for column in model.encoder.columns
        if column.name not in monitoring.ignore and not isinstance(column, TextColumn)
    ]
    if not compared:
        raise DataError("the model reads nothing but texts, which are compared by their words")
    return Encoder(compared, {}).transform(rows)


def _windows(
    today: NewRows,
    model: Artefact,
    reference: Reference,
    drawn: list[str],
    monitoring: Monitoring,
    quality: _Quality,
) -> Iterator[findings.Window]:
    """The windows of the new rows; one where no time is declared."""
    new, time, task = today.new, today.dataset.time, model.task
    levels = pd.Series(task.level(task.scores(new, "model")), new.index)
    metric = next(iter(quality.bounds))
    parts: list[tuple[str | None, str | None, np.ndarray]] = [(None, None, np.arange(len(new)))]
    if time is not None and reference.span is not None:
        dates = pd.api.types.is_datetime64_any_dtype(today.table[time])
        length = window_length(monitoring.window, reference.span, dates, reference.step)
        found = cut(new["dated"].to_numpy(), reference.span[1], length, _MOST_WINDOWS)
        parts = [(shown(each.start, dates), shown(each.end, dates), each.rows) for each in found]
    columns = {each.name: each for each in model.encoder.columns}
    kept = {each.name: each for each in reference.columns}
    for since, until, inside in parts:
        own, scored = today.own.iloc[inside], new.iloc[inside]
        labelled = scored.dropna(subset=["label"]).astype({"label": task.label_type})
        units = resampling_units(own.loc[labelled.index], today.dataset)
        figures = {
            name: measure_window(task, labelled, name, model.threshold, quality.evaluation, units)
            for name in quality.bounds
        }
        worse = {name: is_worse(name, figures[name], bound) for name, bound in quality.bounds.items()}
        figure = figures[metric]
        psi: dict[str, float | None] = dict.fromkeys(drawn)
        if len(own) >= FEWEST_ROWS:
            psi = {name: drift.compare_column(columns[name], kept[name], own[name]).psi for name in drawn}
        yield findings.Window(
            since=since,
            until=until,
            rows=len(own),
            mature=_labelled(scored),
            positives=task.positives(labelled["label"]),
            metric=metric,
            **(vars(figure) if figure else {}),
            below=worse[metric],
            coverage=figures.get(COVERAGE),
            coverage_below=worse.get(COVERAGE, False),
            missing=float(own[list(kept)].isna().to_numpy().mean()) if len(own) else None,
            score_mean=float(levels.iloc[inside].mean()) if len(scored) else None,
            psi=psi,
        )


def _judged(figure: Estimate | None, worse: bool) -> bool | None:
    return None if figure is None or figure.low is None else worse


def _labelled(new: pd.DataFrame) -> int:
    """Rows with a known label, also one that the model cannot be held to."""
    unread = new["unread"].notna() if "unread" in new else False
    return int((new["label"].notna() | unread).sum())


def _note_unread(new: pd.DataFrame, champion: Champion) -> Iterator[str]:
    if "unread" not in new:
        return
    counts = new["unread"].value_counts()
    if not (rows := int(counts.sum())):
        return
    # A value that few rows share may identify a person.
    named = list(counts.index[counts >= drift.FEWEST_OF_A_LEVEL])
    listed = ", ".join([*named[:_NAMED_TARGETS], *["…"] * (len(named) > _NAMED_TARGETS)])
    what = f"{rows:,} new rows have" if rows > 1 else "1 new row has"
    yield (
        f"{what} {champion.model.task.unread}{listed and ': '}{listed}; quality is measured without them. "
        f"Train again: kedro run --pipelines {champion.version.name}."
    )


def _missing_share(reference: Reference | None) -> float | None:
    if reference is None or not reference.rows:
        return None
    return sum(each.missing for each in reference.columns) / (reference.rows * len(reference.columns))


def _series(windows: list[findings.Window], index: findings.IndexResult | None) -> list[dict[str, float]]:
    """Figures of the windows, and of the periods of the index, which may be others."""
    periods = [] if index is None else index.periods
    figures = [[each.figures for each in parts] for parts in (windows, periods)]
    return [one | other for one, other in zip_longest(*figures, fillvalue={})]


def _figures(
    new: pd.DataFrame,
    found: _Drift,
    drifted: bool | None,
    windows: list[findings.Window],
    index: findings.IndexResult | None,
) -> dict[str, float]:
    figures = {"rows_new": len(new), "rows_mature_new": float(_labelled(new))}
    if drifted is not None:
        figures["drift.columns"] = sum(each.flagged for each in found.columns)
        figures["drift.largest_psi"] = max((each.psi for each in found.compared), default=0.0)
        figures["drifted"] = float(drifted)
    for part in ("domain", "scores", "volume"):
        each, wanted = getattr(found, part), ("auc", "psi", "p_adjusted", "new")
        figures |= {f"{part}.{name}": float(getattr(each, name)) for name in wanted if hasattr(each, name)}
    figures["decay.windows_below"] = float(sum(window.below for window in windows))
    if index is not None and index.turned is not None:
        figures["index.turned"] = float(index.turned)
    if any(window.coverage is not None for window in windows):
        figures["coverage.windows_below"] = float(sum(window.coverage_below for window in windows))
    return figures
