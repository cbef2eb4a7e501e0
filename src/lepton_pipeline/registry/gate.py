"""Decide whether a new model version becomes the champion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from lepton_pipeline.data.training_rows import repeat_advice, unseen_rows
from lepton_pipeline.errors import DataError, LeptonError
from lepton_pipeline.evaluation import gate_checks
from lepton_pipeline.evaluation.alert_budget import AlertFigures
from lepton_pipeline.evaluation.decision import Check, GateDecision, verdict
from lepton_pipeline.evaluation.resampling import Sample, find_units, resampling_units
from lepton_pipeline.evaluation.robustness import MeasuredRobustness
from lepton_pipeline.evaluation.slices import Slices
from lepton_pipeline.model.baseline import BOOSTING
from lepton_pipeline.parameters import Dataset, Evaluation, Gate, Split
from lepton_pipeline.registry.champion import CHALLENGER, CHAMPION, champion_of, move_champion, read_moves
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.registry.versions import CHECKSUM, load_artefact, load_training_rows
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.task import Task

_DECISION = "gate/decision.json"
_TAGS = ("decision", "reason", "run_id")
# Tags of earlier releases; all is in the decision.
_FORMER_TAGS = ("rows", "difference", "difference.low", "difference.high")


@dataclass(frozen=True)
class Challenger:
    """A version at the gate: registration, test scores, threshold, and rows with their declared split."""

    registration: Registration
    task: Task
    scores: pd.DataFrame
    threshold: float | None
    feature_table: pd.DataFrame
    split: pd.DataFrame
    dataset: Dataset
    declared_split: Split


def gate_model(
    registration: Registration,
    target: Target,
    metrics: Metrics,
    slices: Slices,
    robustness: MeasuredRobustness,
    alert_figures: AlertFigures,
    scores: pd.DataFrame,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    dataset: Dataset,
    declared_split: Split,
    evaluation: Evaluation,
    gate: Gate,
    run_id: str,
) -> GateDecision:
    """Make every check, write the decision, and move the alias last.

    A version whose artefact equals the champion's byte for byte moves no alias. MLflow has no "move only if":
    within one project the vertical's lock keeps other gates away; between machines the later move holds, and
    the champion's history shows both.
    """
    import mlflow

    client = mlflow.MlflowClient()
    name, version = registration.name, registration.version
    champion = champion_of(client, name)
    if champion == version:
        return _standing_decision(client, name, version)
    same = False
    if champion is not None:
        both = (client.get_model_version(name, str(each)) for each in (version, champion))
        # The same files: encoder, weights and threshold.
        one, other = (registered.tags.get(CHECKSUM) for registered in both)
        same = one is not None and one == other
    if champion is not None and same:
        checks = [gate_checks.same_model(champion)]
    elif not (checks := gate_checks.check_cases(metrics)):
        units = find_units(feature_table, split, dataset)
        task = target.task
        # Against itself, a model that is boosting alone would always pass.
        alone = registration.boosting_weight == 1 or BOOSTING not in metrics.test
        rival = task.linear if alone else BOOSTING
        checks = [*gate_checks.check_bounds(metrics, gate), *gate_checks.check_slices(slices, gate)]
        checks += gate_checks.check_alerts(alert_figures, gate)
        checks += gate_checks.check_robustness(robustness, gate)
        judged, check = gate_checks.Judged(task, scores, metrics, units), gate_checks.check_baseline
        checks.append(check(judged, gate, evaluation, rival, first=champion is None))
        checks += gate_checks.check_beaten(judged, gate, evaluation)
        if champion is not None:
            at, table = metrics.threshold, feature_table
            challenger = Challenger(registration, task, scores, at, table, split, dataset, declared_split)
            checks.append(compare_with_champion(client, challenger, champion, evaluation, gate))
    if (now := champion_of(client, name)) != champion:
        same = False
        was, became = (f"version {each}" if each is not None else "none" for each in (champion, now))
        text = f"the champion was {was} when the comparison began and is {became} now"
        advice = f"run the gate again: kedro run --pipelines {name} --from-nodes {name}.gate_model"
        checks.append(Check("champion unchanged", False, text, next=advice))
    promoted = None if same else all(check.passed for check in checks)
    alias = "" if same else CHAMPION if promoted else CHALLENGER
    reason = checks[0].text if same else gate_checks.first_reason(checks, metrics, gate)
    decision = GateDecision(promoted, alias, reason, version, champion, checks)
    client.log_text(run_id, to_json(decision), _DECISION)
    _tag(client, name, version, run_id, decision)
    if promoted:
        move_champion(client, name, version, "gate", reason, run_id=run_id)
    elif not same:
        client.set_registered_model_alias(name, CHALLENGER, str(version))
    return decision


def compare_with_champion(
    client: Any, challenger: Challenger, champion: int, evaluation: Evaluation, gate: Gate
) -> Check:
    """Check a challenger against the champion, both scored on its test rows, see `check_champion`.

    Rows that the champion was trained on are left out. The champion scores with its own columns, encoder,
    weights and threshold; where it cannot be compared, the check fails.
    """
    name, dataset, table = challenger.registration.name, challenger.dataset, challenger.feature_table
    version = challenger.registration.version
    way_past = f"to replace it all the same: kedro champion promote {name} {version} --force --reason TEXT"
    try:
        artefact = load_artefact(client, name, champion)
        learnt = load_training_rows(client, name, champion)
        unseen = unseen_rows(learnt, table, challenger.split, dataset, challenger.declared_split)
        rows = unseen.index[unseen]
        task = challenger.task
        if (problem := task.differs_from(artefact.task)) is not None:
            raise DataError(problem)
        theirs = task.columns("champion", artefact.scores(table.loc[rows]))
    except LeptonError as error:
        return replace(gate_checks.incomparable(champion, str(error).rstrip(".")), next=way_past)
    labels = challenger.split.loc[rows, "label"]
    ours = task.columns("challenger", task.scores(challenger.scores.loc[rows], "model"))
    weights = challenger.scores.loc[rows].get("weight")
    counted = {} if weights is None else {"weight": weights}
    compared = pd.DataFrame({"label": labels, **counted, **ours, **theirs}, index=rows)
    thresholds = {"challenger": challenger.threshold, "champion": artefact.threshold}
    sample = Sample.of(labels, resampling_units(table.loc[rows], dataset), task, weights)
    new = gate_checks.NEW if dataset.id is not None else gate_checks.NEW_BY_VALUES
    check = gate_checks.check_champion(compared, thresholds, champion, gate, evaluation, sample, new)
    if check.passed:
        return check
    if check.value is not None:
        diff = f"compare: kedro champion diff {name} champion challenger"
        margin = "a wider gate.margin if that" if gate.margin else "gate.margin if as good"
        return replace(check, next=f"declare {margin} is good enough; {diff}")
    advice = repeat_advice(dataset) if len(rows) < len(unseen) else ""
    return replace(check, next=f"{advice}{advice and '; '}{way_past}")


def _standing_decision(client: Any, name: str, version: int) -> GateDecision:
    """The decision on the champion itself, when a run resumes at the gate after the alias moved."""
    tags = client.get_model_version(name, str(version)).tags
    stored = GateDecision(False, CHAMPION, "", version)
    if "gate.run_id" in tags:
        with TemporaryDirectory() as folder:
            path = client.download_artifacts(tags["gate.run_id"], _DECISION, folder)
            stored = from_json(GateDecision, Path(path).read_bytes(), _DECISION)
    if stored.promoted:
        return stored
    moves = [move for move in read_moves(client, name) if move.version == version]
    reason = tags.get("gate.reason", "champion already")
    if moves:
        reason = f"champion by {moves[-1].how}: {moves[-1].reason}"
    return replace(stored, promoted=True, alias=CHAMPION, reason=reason, version=version)


def _tag(client: Any, name: str, version: int, run_id: str, decision: GateDecision) -> None:
    values = (verdict(decision.promoted), decision.reason, run_id)
    for key, value in zip(_TAGS, values, strict=True):
        client.set_model_version_tag(name, str(version), f"gate.{key}", value)
        if key != "run_id":
            client.set_tag(run_id, f"gate.{key}", value)
    before = client.get_model_version(name, str(version)).tags
    for key in _FORMER_TAGS:
        if f"gate.{key}" in before:
            client.delete_model_version_tag(name, str(version), f"gate.{key}")
