"""A folder of files that tells whether it is as it was written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import DataError
from lepton_pipeline.system.file_hashes import hash_file, hash_files

_AGAIN = "copy or download the folder again, or train again."


def seal(folder: Path, name: str, description: dict[str, Any]) -> None:
    """Write a description that also holds the hash of every other file of a folder, and of itself.

    It guards against damage and mix-ups. Who can write all of the folder can seal it anew, which shows only
    where the hash (see `read_seal`) is kept elsewhere, too.

    Args:
        folder: holds the files to be sealed.
        name: of the file with the description.
        description: what JSON can hold, without the keys "files" and "sha256".
    """
    content = description | {
        "files": {path: found for path, found in hash_files(folder).items() if path != name}
    }
    (folder / name).write_bytes(_as_bytes(content | {"sha256": _digest(content)}))


def open_sealed(folder: Path, name: str, sha256: str | None = None) -> dict[str, Any]:
    """Read the description of a sealed folder after looking at every file.

    Args:
        folder: what `seal` was given.
        name: of the file with the description.
        sha256: what `read_seal` said once, where it is known.

    Raises:
        DataError: a file was altered or is missing, or the folder is another one than that with the hash
            given.
    """
    file = folder / name
    content = _read(file)
    found = content["sha256"]
    if sha256 is not None and found != sha256:
        raise DataError(
            f"{file} has hash {found}, but {sha256} was registered: this is not the registered model; {_AGAIN}"
        )
    for path, expected in content["files"].items():
        if not (folder / path).is_file():
            raise DataError(f"{folder / path} is missing; {_AGAIN}")
        seen = hash_file(folder / path)
        if seen != expected:
            raise DataError(
                f"{folder / path} was altered: its hash is {seen}, {name} says {expected}; {_AGAIN}"
            )
    return content


def read_seal(folder: Path, name: str) -> str:
    """The hash that stands for the whole folder.

    Raises:
        DataError: the description was altered or is missing.
    """
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
    # Its bytes, too: what JSON does not care about, such as blanks, was altered as well.
    sealed = isinstance(content, dict) and _as_bytes(content) == raw
    if not sealed or content.get("sha256") != _digest(
        {key: content[key] for key in content if key != "sha256"}
    ):
        raise DataError(f"{file} was altered, or written by an earlier version; {_AGAIN}")
    return dict(content)


def _as_bytes(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(_as_bytes(content)).hexdigest()
