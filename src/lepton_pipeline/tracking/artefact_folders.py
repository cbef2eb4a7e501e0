"""Size and removal of a folder of artefacts, by its address in MLflow."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import StoreError
from lepton_pipeline.system.credentials import masked
from lepton_pipeline.system.permissions import require_writable
from lepton_pipeline.tracking.local_store import as_path


def folder_bytes(address: str) -> int:
    """Bytes of all files below an address, on this machine or where MLflow lists them; 0 if it is gone."""
    if (path := as_path(address)) is None:
        return _listed_bytes(_repository(address), None)
    found = 0
    for folder, _, names in os.walk(path):
        for name in names:
            # A file may vanish while the folder is read.
            with suppress(FileNotFoundError):
                found += Path(folder, name).lstat().st_size
    return found


def require_removable(addresses: Iterable[str]) -> None:
    """Raise ConfigurationError if this user cannot remove a folder that lies on this machine."""
    require_writable(path for each in addresses if (path := as_path(each)) is not None and path.is_dir())


def remove_folder(address: str) -> int:
    """Remove all files below an address and return the bytes freed.

    A folder that is gone, or on a machine out of reach, frees 0. Raises StoreError if files are left.
    """
    before = folder_bytes(address)
    # Some storages refuse, others do nothing.
    with suppress(NotImplementedError):
        _repository(address).delete_artifacts()
    if left := folder_bytes(address):
        raise StoreError(
            f"{masked(address)} still holds {left:,} bytes: MLflow cannot delete in this kind of storage, or somebody "
            "writes there; remove the folder by its own means, then start the same command again."
        )
    if (path := as_path(address)) is not None:
        # The folder of a run or model is empty without its `artifacts`.
        with suppress(OSError):
            path.parent.rmdir()
    return before


def _repository(address: str) -> Any:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(address)


def _listed_bytes(repository: Any, path: str | None) -> int:
    entries = repository.list_artifacts(path)
    return sum(
        _listed_bytes(repository, each.path) if each.is_dir else each.file_size or 0 for each in entries
    )
