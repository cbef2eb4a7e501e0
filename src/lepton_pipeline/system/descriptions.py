"""JSON descriptions with a format number or sealed over all files of a folder, and arrays beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_pipeline.errors import DataError
from lepton_pipeline.system.file_hashes import hash_file, hash_files

if TYPE_CHECKING:
    import numpy as np

_AGAIN = "copy or download the folder again, or train again."


def write_description(path: Path, description: Mapping[str, object]) -> None:
    """Write what JSON can hold, with folders as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_as_bytes(description))


def read_description(path: Path, *expected: int) -> Any:
    """Read what `write_description` wrote; a `DataError` says that its format is none of those expected."""
    description = json.loads(path.read_text(encoding="utf-8"))
    require_format(path, description, *expected)
    return description


def require_format(path: Path, description: Mapping[str, object], *expected: int) -> None:
    """Raise `DataError` unless a description has an expected format."""
    if description["format"] not in expected:
        raise DataError(
            f"{path} has format {description['format']!r}, this version reads {' and '.join(map(str, expected))}; "
            "use the version of lepton_pipeline that wrote it, or train again."
        )


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as safetensors; not by `save_file`, whose files no other user can read."""
    from safetensors.numpy import save

    path.write_bytes(save(arrays))


def hash_arrays(arrays: Mapping[str, np.ndarray], before: str = "") -> str:
    """Hash of a text, and of names, shapes, types and little-endian bytes of arrays."""
    digest = hashlib.sha256(before.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.shape} {array.dtype.name}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def seal(folder: Path, name: str, description: Mapping[str, object]) -> str:
    """Write a description with the hashes of all other files of a folder, and of itself; return the last.

    It guards against damage and mix-ups. Anyone who can write the whole folder can seal it anew; only the
    returned hash, kept elsewhere, shows that.
    """
    files = {path: found for path, found in hash_files(folder).items() if path != name}
    content = {**description, "files": files}
    sha256 = _digest(content)
    (folder / name).write_bytes(_as_bytes({**content, "sha256": sha256}))
    return sha256


def open_sealed(folder: Path, name: str, sha256: str | None = None) -> dict[str, Any]:
    """Read the description of a sealed folder after checking every file.

    Raises DataError if a file was altered or is missing, or if `sha256` (from `seal`) is another one.
    """
    file = folder / name
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
    if sha256 is not None and found != sha256:
        raise DataError(f"{file} has hash {found}, not the registered {sha256}; {_AGAIN}")
    for path, expected in content["files"].items():
        if not (folder / path).is_file():
            raise DataError(f"{folder / path} is missing; {_AGAIN}")
        seen = hash_file(folder / path)
        if seen != expected:
            raise DataError(f"{folder / path} was altered: hash {seen}, but {expected} in {name}; {_AGAIN}")
    return {**content, "sha256": found}


def _as_bytes(content: Mapping[str, object]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _digest(content: Mapping[str, object]) -> str:
    return hashlib.sha256(_as_bytes(content)).hexdigest()
