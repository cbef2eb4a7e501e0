"""Atomic writes: a file or folder is there whole or not at all, however its writer ends."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

from lepton_pipeline.system.permissions import share, shared_folder


@contextmanager
def replacing(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """Replace a file, or a folder with all that it holds, once the block has ended without an error.

    Args:
        path: its folder is made where it is not there.
        alone: no other process writes this path, so that what a killed one has left can be removed.

    Yields:
        The temporary name, with the same suffix, at which the block makes the file or the folder.
    """
    shared_folder(path.parent)
    with temporary_name(path, alone=alone) as temporary:
        yield temporary
        if temporary.is_dir():
            share(temporary)
        else:
            _flush(temporary)
        if path.is_dir():
            # A folder cannot be replaced in one step; a crash in between leaves it absent, not mixed.
            remove(path)
        temporary.replace(path)


@contextmanager
def temporary_name(path: Path, folder: Path | None = None, *, alone: bool = True) -> Iterator[Path]:
    """A free name for what will be renamed to `path`; what still has that name in the end is removed.

    Args:
        path: the name in the end.
        folder: where the temporary name lies; beside `path` if None.
        alone: remove what killed processes have left at earlier temporary names of this path.
    """
    folder = folder or path.parent
    if alone:
        for abandoned in folder.glob(f".{'[0-9a-f]' * 8}.{escape(path.name)}"):
            _delete(abandoned)
    temporary = folder / f".{uuid4().hex[:8]}.{path.name}"
    try:
        yield temporary
    finally:
        _delete(temporary)


def write_bytes(path: Path, content: bytes, *, alone: bool = False) -> None:
    """Write a file; see `replacing`."""
    with replacing(path, alone=alone) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str, *, alone: bool = False) -> None:
    """Write a file in UTF-8; see `replacing`."""
    write_bytes(path, text.encode(), alone=alone)


def write_json(
    path: Path,
    content: Any,
    *,
    indent: int = 2,
    default: Callable[[Any], Any] | None = None,
    alone: bool = False,
) -> None:
    """Write a file of JSON; see `replacing`."""
    write_text(path, json.dumps(content, indent=indent, default=default, ensure_ascii=False), alone=alone)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there; half of a folder is never left under its name."""
    if path.is_dir():
        with temporary_name(path, alone=False) as doomed:
            path.replace(doomed)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Put a file's bytes on the disk before its name says that they are there."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
