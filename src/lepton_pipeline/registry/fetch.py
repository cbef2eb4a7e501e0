"""Fetch a registered model version as the artefact that scores."""

from __future__ import annotations

from typing import Any

from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.evaluation.explanation import Explanation
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import ModelVersion, WatchedVersion
from lepton_pipeline.registry.champion import CHALLENGER, CHAMPION, champion_of
from lepton_pipeline.registry.versions import (
    StoredReference,
    all_versions,
    load_artefact,
    load_reference,
    load_training_rows,
    registered_figures,
    run_of,
)
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.tracking.artefacts import EXPLANATION, read_record


def fetch_model(name: str, version: int | None = None) -> tuple[Artefact, ModelVersion]:
    """Load a version of a vertical's registered model, by default the champion, with its description.

    Raises ConfigurationError if there is no such version or champion, DataError if its files are missing or
    altered.
    """
    import mlflow

    client = mlflow.MlflowClient()
    versions = sorted(int(each.version) for each in all_versions(client, name))
    champion = champion_of(client, name) if versions else None
    chosen = champion if version is None else version
    if chosen is None and not versions:
        raise ConfigurationError(
            f"{name} has no model yet, so nothing to score or compare with; train one: kedro run --pipelines {name}"
        )
    if chosen is None:
        raise ConfigurationError(
            f"{name} has no champion: the gate has promoted none of its versions ({', '.join(map(str, versions))}). "
            f"Train another, kedro run --pipelines {name}, or choose one: "
            f"--params {name}.scoring.version={versions[-1]}"
        )
    if chosen not in versions:
        known = f"there are {', '.join(map(str, versions))}" if versions else "none is registered yet"
        raise ConfigurationError(
            f"{name}.scoring.version: {name} has no version {chosen}; {known}. "
            f"Declare one of them, or train one: kedro run --pipelines {name}"
        )
    return _load(client, name, chosen, CHAMPION if champion == chosen else "", "version")


def fetch_shadow(
    name: str, shadow: int | str, model: Artefact, version: ModelVersion
) -> tuple[Artefact, ModelVersion]:
    """Load a version to score beside `model`: the alias `challenger`, or a number.

    Raises ConfigurationError if there is none, it is the version that scores, or predicts something else; DataError if
    its files are missing or altered.
    """
    import mlflow

    client, key = mlflow.MlflowClient(), f"{name}.scoring.shadow"
    # Versions begin at 1.
    challenger = int(client.get_registered_model(name).aliases.get(CHALLENGER, 0))
    if shadow == CHALLENGER and not challenger:
        raise ConfigurationError(
            f"{key}: {name} has no challenger, a version that the gate has refused and that did not become champion "
            f"since; name a version by its number, or score without one: --params {key}=null"
        )
    chosen = challenger if shadow == CHALLENGER else int(shadow)
    if chosen == version.version:
        raise ConfigurationError(
            f"{key}: version {chosen} is the one that scores; name another, or leave it out."
        )
    known = sorted(int(each.version) for each in all_versions(client, name))
    if chosen not in known:
        raise ConfigurationError(
            f"{key}: {name} has no version {chosen}; there are {', '.join(map(str, known))}. Name one of them."
        )
    artefact, found = _load(client, name, chosen, CHALLENGER if chosen == challenger else "", "shadow")
    if why := artefact.task.differs_from(model.task):
        raise ConfigurationError(
            f"{key}: version {chosen} cannot be compared with version {version.version}: {why}."
        )
    return artefact, found


def _load(client: Any, name: str, chosen: int, alias: str, key: str) -> tuple[Artefact, ModelVersion]:
    registered = client.get_model_version(name, str(chosen))
    try:
        artefact = load_artefact(client, name, chosen)
    except (ConfigurationError, DataError) as error:
        said = str(error).rstrip(".")
        raise type(error)(
            f"version {chosen} of {name} cannot score: {said}; restore its files, or choose another version: "
            f"--params {name}.scoring.{key}=…"
        ) from error
    weights = artefact.predictor.weights_sha256
    return artefact, ModelVersion(name, chosen, alias, registered.run_id, weights)


def fetch_champion(name: str) -> tuple[Artefact, WatchedVersion, StoredReference, TrainingRows, TrainingRows]:
    """Load the champion with its description, drift reference, training rows and all rows known then.

    Without a stored reference, that is empty and the last two are equal. Raises as `fetch_model`.
    """
    import mlflow

    client = mlflow.MlflowClient()
    artefact, version = fetch_model(name)
    registered = client.get_model_version(name, str(version.version))
    run = run_of(client, registered)
    figures = registered_figures(client, registered, run)
    explained = None if run is None else read_record(client, run, EXPLANATION, Explanation)
    learnt = load_training_rows(client, name, version.version)
    try:
        reference, seen = load_reference(client, name, version.version) or ({}, learnt)
    except DataError as error:
        raise DataError(
            f"version {version.version} of {name} cannot be monitored: {error} "
            f"Restore the folder in MLflow's artifacts, or train again: kedro run --pipelines {name}"
        ) from error
    watched = WatchedVersion(
        **vars(version),
        trained_until=learnt.until,
        trained_rows=len(learnt.hashes),
        test={metric: figure for metric, figure in figures.items() if figure.low is not None},
        importance={
            each.column: Estimate(each.value, each.low, each.high)
            for each in ([] if explained is None else explained.importance)
        },
    )
    return artefact, watched, reference, learnt, seen
