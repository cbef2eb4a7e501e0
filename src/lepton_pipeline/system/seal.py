"""A folder sealed by a description with the hashes of its files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import DataError
from lepton_pipeline.system.file_hashes import hash_file, hash_files

_AGAIN = "copy or download the folder again, or train again."


def seal(folder: Path, name: str, description: dict[str, Any]) -> None:
    """Write a description with the hashes of all other files of a folder, and of itself.

    It guards against damage and mix-ups. Anyone who can write the whole folder can seal it anew; only the
    hash from `read_seal`, kept elsewhere, shows that.
    """
    files = {path: found for path, found in hash_files(folder).items() if path != name}
    content = description | {"files": files}
    (folder / name).write_bytes(_as_bytes(content | {"sha256": _digest(content)}))


def open_sealed(folder: Path, name: str, sha256: str | None = None) -> dict[str, Any]:
    """Read the description of a sealed folder after checking every file.

    Raises DataError if a file was altered or is missing, or if `sha256` (from `read_seal`) is another one.
    """
    file = folder / name
    content = _read(file)
    found = content["sha256"]
    if sha256 is not None and found != sha256:
        raise DataError(f"{file} has hash {found}, not the registered {sha256}; {_AGAIN}")
    for path, expected in content["files"].items():
        if not (folder / path).is_file():
            raise DataError(f"{folder / path} is missing; {_AGAIN}")
        seen = hash_file(folder / path)
        if seen != expected:
            raise DataError(f"{folder / path} was altered: hash {seen}, but {expected} in {name}; {_AGAIN}")
    return content


def read_seal(folder: Path, name: str) -> str:
    """The hash of the whole folder; raises DataError if the description was altered or is missing."""
    return str(_read(folder / name)["sha256"])


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = file.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{file} is missing; {_AGAIN}") from error
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} was altered and cannot be read ({error}); {_AGAIN}") from error
    # Bytes must match, too, blanks included.
    sealed = isinstance(content, dict) and _as_bytes(content) == raw
    if not sealed or content.pop("sha256", None) != (found := _digest(content)):
        raise DataError(f"{file} was altered, or written by an earlier version; {_AGAIN}")
    return dict(content, sha256=found)


def _as_bytes(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(_as_bytes(content)).hexdigest()
