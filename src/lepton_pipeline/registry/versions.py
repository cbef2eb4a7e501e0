"""Load what belongs to a version of a registered model, checked against its hashes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.metric_table import METRICS
from lepton_pipeline.system.descriptions import open_sealed
from lepton_pipeline.system.file_hashes import find_altered
from lepton_pipeline.tracking.artefacts import read_metrics
from lepton_pipeline.tracking.flat import tagged_figure
from lepton_pipeline.tracking.store import pages

StoredReference = dict[str, Any]  # counts of training rows as JSON, which monitoring makes and reads
CHECKSUM = "artefact.sha256"
# Hash of all files, see `record_files`; absent in old versions.
FILES = "files.sha256"
# Artefact folder with the record of the training rows.
TRAINING_ROWS = "gate"
_ARTEFACT = "artifacts/artefact"
# Artefact folder with the drift reference, and hashes of all rows at training.
REFERENCE, REFERENCE_FILE, REFERENCE_SEAL = "monitoring", "reference.json", "seal.json"
REFERENCE_CHECKSUM = "reference.sha256"


def find_version(client: Any, name: str, version: int | str) -> Any:
    """The version of a model, by number or alias; raises ConfigurationError if it does not exist."""
    from mlflow import MlflowException

    try:
        if str(version).isdecimal():
            return client.get_model_version(name, str(version))
        return client.get_model_version_by_alias(name, str(version))
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        known = sorted(int(each.version) for each in all_versions(client, name))
        there = f"there are {', '.join(map(str, known))}" if known else "none is registered yet"
        raise ConfigurationError(f"{name} has no version {version!s}; {there}.") from error


def all_versions(client: Any, name: str) -> list[Any]:
    """Every version of a model, with its tags."""
    return list(pages(client.search_model_versions, name_filter(name)))


def name_filter(name: str) -> str:
    """MLflow's filter for the model of a vertical; raises ConfigurationError for other names."""
    if not re.fullmatch(r"[\w-]+", name, re.ASCII):
        raise ConfigurationError(f"{name!r} is no name of a vertical; use letters, digits and underscores.")
    return f"name = '{name}'"


def load_artefact(client: Any, name: str, version: int) -> Artefact:
    """Download the artefact of a version, compare it with the registered hashes, and load it.

    Raises DataError if it is missing, altered, or unreadable by this version of the project.
    """
    import mlflow
    from safetensors import SafetensorError

    tags = client.get_model_version(name, str(version)).tags
    try:
        with TemporaryDirectory() as folder:
            files = _download(name, version, Path(folder), "" if FILES in tags else _ARTEFACT)
            if altered := FILES in tags and find_altered(files, tags[FILES]):
                raise DataError(f"its files are not those that were registered: {altered}")
            files = files / _ARTEFACT if FILES in tags else files
            try:
                artefact = Artefact.load(files, tags.get(CHECKSUM))
            except DataError as error:
                # The temporary folder is gone when this is read.
                raise DataError(str(error).replace(f"{files}/", "")) from error
    except (OSError, KeyError, TypeError, ValueError, SafetensorError, mlflow.MlflowException) as error:
        raise DataError(f"it cannot be loaded: {error or type(error).__name__}") from error
    if tags.get("weights.sha256", artefact.predictor.weights_sha256) != artefact.predictor.weights_sha256:
        raise DataError("its files are not those that were registered: the weights are others")
    return artefact


def verify_version(client: Any, name: str, version: int) -> tuple[bool | None, str]:
    """Compare a version's files with the registered hash, running none; return the outcome and a message.

    The outcome is None if no hash was recorded.
    """
    import mlflow

    tags = client.get_model_version(name, str(version)).tags
    if FILES not in tags:
        return None, "no hash was recorded, as it was registered by an earlier version of the project"
    try:
        with TemporaryDirectory() as folder:
            altered = find_altered(_download(name, version, Path(folder)), tags[FILES])
    except (OSError, ValueError, mlflow.MlflowException) as error:
        return False, f"its files cannot be read: {error}"
    return altered is None, f"altered: {altered}" if altered else "whole"


def _download(name: str, version: int, folder: Path, part: str = "") -> Path:
    import mlflow

    uri = f"models:/{name}/{version}/{part}".rstrip("/")
    return Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder))


def load_training_rows(client: Any, name: str, version: int) -> TrainingRows:
    """Download the record of a version's training rows; raises DataError if there is no readable one."""
    import mlflow

    run_id = client.get_model_version(name, str(version)).run_id
    try:
        with TemporaryDirectory() as folder:
            return TrainingRows.load(Path(client.download_artifacts(run_id, TRAINING_ROWS, folder)))
    except (OSError, KeyError, ValueError, mlflow.MlflowException) as error:
        raise DataError("its run has no readable record of the rows that it has learnt from") from error


def load_reference(client: Any, name: str, version: int) -> tuple[StoredReference, TrainingRows] | None:
    """Download the reference for drift: the counts of a version's training, and all rows known then.

    None for a version registered before a reference was kept; raises DataError if it is missing or altered.
    """
    import mlflow

    registered = client.get_model_version(name, str(version))
    if REFERENCE_CHECKSUM not in registered.tags:
        return None
    try:
        with TemporaryDirectory() as folder:
            files = Path(client.download_artifacts(registered.run_id, REFERENCE, folder))
            try:
                open_sealed(files, REFERENCE_SEAL, registered.tags[REFERENCE_CHECKSUM])
            except DataError as error:
                raise DataError(str(error).replace(f"{files}/", f"{REFERENCE}/")) from error
            stored: StoredReference = json.loads((files / REFERENCE_FILE).read_text("utf-8"))
            return stored, TrainingRows.load(files)
    except (OSError, mlflow.MlflowException) as error:
        raise DataError(f"{REFERENCE}/ of run {registered.run_id} cannot be read: {error}") from error


def run_of(client: Any, version: Any) -> Any:
    """The run that made a version; None if it is gone."""
    from mlflow import MlflowException

    try:
        return client.get_run(version.run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def registered_figures(client: Any, version: Any, run: Any) -> Mapping[str, Estimate]:
    """Metrics of a version on its own test rows, by the record of its run (see `run_of`), else by its tags."""
    if run is not None and (measured := read_metrics(client, run)) is not None:
        return measured.model
    found = {name: tagged_figure(version.tags, name) for name in METRICS}
    return {name: figure for name, figure in found.items() if figure is not None}


def model_versions(client: Any, name: str) -> dict[str, tuple[int, tuple[str, ...]]]:
    """By run: its latest version of a registered model, with that version's aliases."""
    models = client.search_registered_models(name_filter(name))
    aliases = sorted((alias, int(of)) for model in models for alias, of in model.aliases.items())
    numbers = sorted((int(version.version), version.run_id) for version in all_versions(client, name))
    latest = {run_id: number for number, run_id in numbers if run_id}
    return {run_id: (at, tuple(alias for alias, of in aliases if of == at)) for run_id, at in latest.items()}
