"""Decide whether a new model version becomes the champion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.metrics import OWN, measure_once
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.parameters import Gate

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True)
class Rival:
    """The current champion, scored now on the test rows of the challenger.

    Attributes:
        version: its version.
        value: its metric on those rows, or None where it cannot score them.
        problem: why it cannot.
        unseen: whether it kept the same rows for its own test; otherwise it may have been trained on some of them.
    """

    version: int
    value: float | None
    problem: str = ""
    unseen: bool = True


def decide(metrics: dict[str, Any], gate: Gate, rival: Rival | None) -> tuple[bool, str]:
    """Compare a challenger with the declared bound and with the champion.

    Args:
        metrics: what `evaluate` returns.
        gate: metric and bound.
        rival: the champion, if there is one.

    Returns:
        Whether the challenger is promoted, and the reason in one sentence.
    """
    figures = metrics["test"]
    value = figures["model"][gate.metric]["value"]
    seen = f"{gate.metric} {value:.4f}"
    if value < gate.at_least:
        return False, f"{seen} is below the declared {gate.at_least:g}"
    if rival is not None and rival.value is None:
        return False, f"{seen} cannot be compared with champion version {rival.version}: {rival.problem}"
    if rival is not None and rival.value is not None and value <= rival.value:
        doubt = "" if rival.unseen else ", though it may have been trained on some of them (data or split differ)"
        theirs = f"{rival.value:.4f} of champion version {rival.version} on the same test rows"
        return False, f"{seen} is not above {theirs}{doubt}"
    best = max(
        (name for name in figures if name not in OWN),
        key=lambda name: figures[name][gate.metric]["value"],
        default=None,
    )
    ahead = best is not None and figures[best][gate.metric]["value"] > value
    note = f"; note that baseline {best} reaches {figures[best][gate.metric]['value']:.4f}" if ahead else ""
    beaten = (
        f" and above {rival.value:.4f} of champion version {rival.version}"
        if rival is not None
        else ", the first champion"
    )
    return True, f"{seen} is at least {gate.at_least:g}{beaten}{note}"


def gate_model(
    registration: dict[str, Any],
    metrics: dict[str, Any],
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    gate: Gate,
    run_id: str,
) -> dict[str, Any]:
    """Decide, move the alias, and write decision and reason as tags of the version and of the run.

    Args:
        registration: what `register_model` returns.
        metrics: what `evaluate` returns.
        feature_table: rows, of which the champion scores the test rows.
        split: `part` and `label` of every row.
        gate: metric and bound.
        run_id: MLflow run.

    Returns:
        `promoted`, `alias`, `reason`, `version`, `champion_version` (before the decision, or None).
    """
    import mlflow

    client = mlflow.MlflowClient()
    name, version = registration["name"], registration["version"]
    champion = client.get_registered_model(name).aliases.get(CHAMPION)
    champion = None if champion is None else int(champion)
    if champion == version:
        # A run that resumes at the gate after the alias has moved: the decision stands.
        promoted, reason = True, client.get_model_version(name, str(version)).tags["gate.reason"]
    else:
        test = split.index[split["part"] == "test"]
        rows, labels = feature_table.loc[test], split.loc[test, "label"]
        rival = None if champion is None else _score_champion(client, name, champion, rows, labels, gate, run_id)
        promoted, reason = decide(metrics, gate, rival)
    alias = CHAMPION if promoted else CHALLENGER
    tags = {"gate.decision": "promoted" if promoted else "refused", "gate.reason": reason}
    for key, value in tags.items():
        client.set_model_version_tag(name, str(version), key, value)
        client.set_tag(run_id, key, value)
    # Last, so that an alias never stands without its reason.
    client.set_registered_model_alias(name, alias, str(version))
    return {
        "promoted": promoted,
        "alias": alias,
        "reason": reason,
        "version": version,
        "champion_version": champion,
    }


def _score_champion(
    client: Any, name: str, version: int, rows: pd.DataFrame, labels: pd.Series, gate: Gate, run_id: str
) -> Rival:
    """Score the champion on the challenger's test rows."""
    import mlflow

    try:
        with TemporaryDirectory() as folder:
            path = mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=folder)
            artefact = Artefact.load(next(Path(path).rglob("artefact.json")).parent)
            scored = artefact.predict(rows)
    except (DataError, OSError, StopIteration, mlflow.MlflowException) as error:
        return Rival(version, None, str(error) or "its files are incomplete")
    measured = measure_once(scored.assign(label=labels), "probability", artefact.threshold)
    theirs = client.get_model_version(name, str(version)).run_id
    return Rival(version, measured[gate.metric], unseen=_held_out(client, theirs) == _held_out(client, run_id))


def _held_out(client: Any, run_id: str) -> tuple[Any, ...]:
    """What decides which rows a run kept for its test."""
    data = client.get_run(run_id).data
    return data.tags.get("data.sha256"), {key: value for key, value in data.params.items() if key.startswith("split.")}
