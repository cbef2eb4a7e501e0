"""Atomic writes: a file or folder appears whole or not at all."""

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
    """Replace a file or folder with what the block makes at the yielded name, if it ends without error.

    `alone` says that no other process writes this path, so that leftovers of killed ones are removed.
    """
    shared_folder(path.parent)
    with temporary_name(path, alone=alone) as temporary:
        yield temporary
        if temporary.is_dir():
            share(temporary)
        else:
            # Before its name says that it is complete.
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        if path.is_dir():
            # A folder cannot be replaced in one step; a crash in between leaves it absent, not mixed.
            remove(path)
        temporary.replace(path)


@contextmanager
def temporary_name(path: Path, folder: Path | None = None, *, alone: bool = True) -> Iterator[Path]:
    """A free name in `folder`, by default beside `path`, which is deleted at the end if it was not renamed.

    `alone` removes what killed processes have left at earlier temporary names of this path.
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
    """Write a UTF-8 file; see `replacing`."""
    write_bytes(path, text.encode(), alone=alone)


def write_json(
    path: Path,
    content: Any,
    *,
    indent: int = 2,
    default: Callable[[Any], Any] | None = None,
    alone: bool = False,
) -> None:
    """Write a JSON file; see `replacing`."""
    write_text(path, json.dumps(content, indent=indent, default=default, ensure_ascii=False), alone=alone)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it exists; a folder disappears in one step."""
    if path.is_dir():
        with temporary_name(path, alone=False) as doomed:
            path.replace(doomed)
    else:
        path.unlink(missing_ok=True)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
