"""Two versions of a registered model side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from lepton_pipeline.data.training_rows import repeat_advice, unseen_rows
from lepton_pipeline.errors import LeptonError
from lepton_pipeline.evaluation.gate_checks import too_few
from lepton_pipeline.evaluation.interval_text import measured_text
from lepton_pipeline.evaluation.metrics import measure_once, paired_differences
from lepton_pipeline.evaluation.resampling import Sample, resampling_units
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.registry.versions import (
    find_version,
    load_artefact,
    load_training_rows,
    registered_figures,
    run_of,
)
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.metric_table import headline_first, higher_is_better
from lepton_pipeline.tasks.find import find_task
from lepton_pipeline.tracking.artefacts import read_facts
from lepton_pipeline.tracking.experiment_page import PRESENT
from lepton_pipeline.tracking.runs import HEADLINE

_DATA = (
    *("data.sha256", "data.rows", "trained.rows", "trained.until", "configuration.sha256", "git.commit"),
    *("environment.sha256", "seed", "device", "weights.sha256", "gate.decision"),
)
_NONE = "–"


@dataclass(frozen=True)
class HeldRows:
    """Rows of a vertical's last run: feature table, `part` and `label` of every row, and declaration."""

    table: pd.DataFrame
    split: pd.DataFrame
    declared: Vertical


@dataclass(frozen=True)
class SameRows:
    """Values (A, B) and differences (B minus A) by metric, on test rows that neither was trained on."""

    rows: int
    values: dict[str, tuple[float, float]]
    differences: dict[str, Estimate]


@dataclass(frozen=True)
class VersionDiff:
    """Versions A and B side by side, as triples (key, value of A, value of B).

    `registered` holds the figures of each on the test rows of its own run. `same_rows` is None if the
    versions cannot be scored now; `remark` says why.
    """

    name: str
    versions: tuple[int, int]
    facts: list[tuple[str, str, str]]
    parameters: list[tuple[str, str, str]]
    registered: list[tuple[str, str, str]]
    same_rows: SameRows | None
    remark: str = ""


def compare_versions(client: Any, name: str, a: str, b: str, held: HeldRows | None) -> VersionDiff:
    """Compare two versions, by number or alias, and score both on `held` rows if there are any.

    Registered figures are of each version's own test rows, which may differ; only those of `same_rows` can be
    subtracted. Raises ConfigurationError if a version does not exist.
    """
    versions = [find_version(client, name, each) for each in (a, b)]
    runs = [run_of(client, version) for version in versions]
    ours, theirs = ({} if run is None else run.data.params for run in runs)
    facts = [
        {**({} if run is None else read_facts(client, run)), **version.tags}
        for run, version in zip(runs, versions, strict=True)
    ]
    figures = [registered_figures(client, *pair) for pair in zip(versions, runs, strict=True)]
    headline = next(filter(None, (params.get(HEADLINE) for params in (theirs, ours))), "")
    differing = sorted(key for key in {*ours, *theirs} - {PRESENT} if ours.get(key) != theirs.get(key))
    numbers = int(versions[0].version), int(versions[1].version)
    same_rows, remark = None, "no test rows on disk; run the vertical to have some"
    if held is not None:
        try:
            same_rows, remark = _on_same_rows(client, name, numbers, held), ""
        except LeptonError as error:
            remark = str(error)
    return VersionDiff(
        name,
        numbers,
        [(key, facts[0].get(key, _NONE), facts[1].get(key, _NONE)) for key in _DATA],
        [(key, ours.get(key, _NONE), theirs.get(key, _NONE)) for key in differing],
        [
            (metric, _registered(metric, figures[0]), _registered(metric, figures[1]))
            for metric in headline_first(headline, {*figures[0], *figures[1]})
        ],
        same_rows,
        remark and f"not compared on the same rows: {remark}",
    )


def _on_same_rows(client: Any, name: str, versions: tuple[int, int], held: HeldRows) -> SameRows:
    """Score both versions on the test rows that neither was trained on."""
    dataset, declared = held.declared.dataset, held.declared.split
    unseen = pd.Series(True, held.split.index[held.split["part"] == "test"])
    task = find_task(held.table, dataset, held.declared.training, held.declared.evaluation)
    artefacts = {}
    for model, version in zip("ab", versions, strict=True):
        try:
            artefacts[model] = load_artefact(client, name, version)
            learnt = load_training_rows(client, name, version)
            unseen &= unseen_rows(learnt, held.table, held.split, dataset, declared)
        except LeptonError as error:
            raise LeptonError(f"version {version} cannot be scored: {error}") from error
    for artefact, version in zip(artefacts.values(), versions, strict=True):
        if problem := task.differs_from(artefact.task):
            raise LeptonError(f"version {version} cannot be scored: {problem}")
    rows = unseen.index[unseen]
    scored = held.split.loc[rows, [name for name in ("label", "weight") if name in held.split]]
    units = resampling_units(held.table.loc[rows], dataset)
    sample = Sample.of(scored["label"], units, task, scored.get("weight"))
    if problem := too_few(sample):
        advice = repeat_advice(dataset)
        raise LeptonError(f"{problem}{advice and '; '}{advice}")
    for model, artefact in artefacts.items():
        scored = scored.assign(**task.columns(model, artefact.scores(held.table.loc[rows])))
    cuts = {model: artefact.threshold for model, artefact in artefacts.items()}
    a, b = (measure_once(task, scored, model, cut) for model, cut in cuts.items())
    ahead = paired_differences(scored, "b", "a", cuts, held.declared.evaluation, sample)
    return SameRows(
        len(rows),
        {
            metric: (a[metric], b[metric])
            for metric in headline_first(held.declared.gate.metric, a.keys() & b.keys())
        },
        {metric: each if higher_is_better(metric) else _reversed(each) for metric, each in ahead.items()},
    )


def _reversed(figure: Estimate) -> Estimate:
    """The difference the other way round."""
    if figure.low is None:
        return replace(figure, value=0 - figure.value)
    low, high = figure.ends
    return replace(figure, value=0 - figure.value, low=0 - high, high=0 - low)


def _registered(metric: str, figures: Mapping[str, Estimate]) -> str:
    return measured_text(metric, figures[metric]) if metric in figures else _NONE
