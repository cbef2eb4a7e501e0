"""Assemble the monitoring result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import pandas as pd

from lepton_pipeline.data.time_axis import cut, shown, window_length
from lepton_pipeline.data.training_rows import repeat_advice
from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.resampling import resampling_units
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.operations.monitoring import drift, findings
from lepton_pipeline.operations.monitoring.changes import Changes, test_all
from lepton_pipeline.operations.monitoring.decay import (
    COVERAGE,
    decay_bound,
    has_decayed,
    is_worse,
    measure_window,
    worse_end,
)
from lepton_pipeline.operations.monitoring.drift import FEWEST_ROWS
from lepton_pipeline.operations.monitoring.index import take_index
from lepton_pipeline.operations.monitoring.new_rows import Champion, NewRows
from lepton_pipeline.operations.monitoring.reference import Reference
from lepton_pipeline.operations.monitoring.season import find_before
from lepton_pipeline.parameters import Decay, Evaluation, Gate, Monitoring, Retraining
from lepton_pipeline.statistics.estimates import Estimate

_MOST_WINDOWS = 36
_NAMED_TARGETS = 5


@dataclass(frozen=True)
class _Quality:
    bounds: dict[str, float | None]  # by metric, that of the gate first
    evaluation: Evaluation


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
    found, drifted = Changes(), None
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
        before = find_before(today, champion, reference, monitoring)
        reference, found = before.reference, test_all(today, champion, before, monitoring)
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
        drawn = [each.column for each in found.drawn]
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
    found: Changes,
    drifted: bool | None,
    windows: list[findings.Window],
    index: findings.IndexResult | None,
) -> dict[str, float]:
    figures = {"rows_new": len(new), "rows_mature_new": float(_labelled(new))}
    if drifted is not None:
        figures["drift.columns"] = sum(each.flagged for each in found.columns)
        figures["drift.largest_psi"] = max(
            (each.psi for each in found.columns if not each.ignored), default=0.0
        )
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
