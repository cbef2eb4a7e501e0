"""Whether the files of a folder match their recorded hashes.

A registered version runs this file first, so it imports only the standard library.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

RECORD = "files.json"
# Written by MLflow and Python when a version is loaded.
WRITTEN_ON_LOAD = ("registered_model_meta", "__pycache__")
_NAMED = 3


def hash_file(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path, *without: str) -> dict[str, str]:
    """The SHA-256 of every file below a folder by relative path, `without` these files and folders."""
    names = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    return {name.as_posix(): hash_file(folder / name) for name in names if not {*without} & {*name.parts}}


def record_files(folder: Path) -> str:
    """Write the hashes of a version's files into `files.json`, and return the SHA-256 of that file."""
    hashes = hash_files(folder, *WRITTEN_ON_LOAD)
    hashes.pop(RECORD, None)
    (folder / RECORD).write_text(json.dumps(hashes, indent=0, ensure_ascii=False), "utf-8")
    return hash_file(folder / RECORD)


def find_altered(folder: Path, sha256: str | None = None) -> str | None:
    """Name the first three files of a version that were altered, removed or added, or None.

    Without `sha256` (from `record_files`) an altered record with altered files goes unnoticed.
    """
    record = folder / RECORD
    if not record.is_file():
        return f"{RECORD} is missing"
    if sha256 is not None and hash_file(record) != sha256:
        return f"{RECORD} was altered"
    recorded: dict[str, str] = json.loads(record.read_text("utf-8"))
    found = hash_files(folder, *WRITTEN_ON_LOAD)
    del found[RECORD]
    problems = [f"{name} is missing" for name in recorded if name not in found]
    problems += [f"{name} was altered" for name, was in recorded.items() if found.get(name, was) != was]
    problems += [f"{name} was added" for name in found if name not in recorded]
    more = f", and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
    return ", ".join(problems[:_NAMED]) + more if problems else None
