"""Bring a registered model version back as the artefact that scores."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.registry.gate import CHAMPION


def fetch_model(name: str, version: int | None = None) -> tuple[Artefact, dict[str, Any]]:
    """Load a version of a vertical's registered model.

    Args:
        name: the vertical.
        version: which one; None for the champion.

    Returns:
        The artefact, and what it is: `name`, `version`, `alias` ("champion" or ""), `run_id`, `weights_sha256`.

    Raises:
        ConfigurationError: there is no such version, or no champion yet.
        DataError: its files are incomplete or altered.
    """
    import mlflow

    client = mlflow.MlflowClient()
    versions = sorted(int(each.version) for each in client.search_model_versions(f"name = '{name}'"))
    champion = client.get_registered_model(name).aliases.get(CHAMPION) if versions else None
    chosen = version if champion is None or version is not None else int(champion)
    if chosen is None:
        raise ConfigurationError(_no_champion(name, versions))
    if chosen not in versions:
        known = f"there are {', '.join(map(str, versions))}" if versions else "none is registered yet"
        raise ConfigurationError(
            f"{name}.scoring.version: {name} has no version {chosen}; {known}. "
            f"Declare one of them, or train one: kedro run --pipelines {name}"
        )
    registered = client.get_model_version(name, str(chosen))
    artefact = _load(name, chosen)
    return artefact, {
        "name": name,
        "version": chosen,
        "alias": CHAMPION if champion is not None and int(champion) == chosen else "",
        "run_id": registered.run_id,
        "weights_sha256": artefact.classifier.weights_sha256,
    }


def _no_champion(name: str, versions: list[int]) -> str:
    if not versions:
        return f"{name} has no model yet, so there is nothing to score with; train one: kedro run --pipelines {name}"
    shown = ", ".join(map(str, versions))
    return (
        f"{name} has no champion: the gate has promoted none of its versions ({shown}). Train another, "
        f"kedro run --pipelines {name}, or choose one: --params {name}.scoring.version={versions[-1]}"
    )


def _load(name: str, version: int) -> Artefact:
    import mlflow

    try:
        with TemporaryDirectory() as folder:
            path = mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=folder)
            return Artefact.load(next(Path(path).rglob("artefact.json")).parent)
    except (OSError, StopIteration, mlflow.MlflowException) as error:
        reason = str(error) or "artefact.json is not among them"
        raise DataError(
            f"the files of version {version} of {name} cannot be read: {reason}; is its store there and whole?"
        ) from error
