"""One retraining job per vertical at a time, also where two schedulers start it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path


@contextmanager
def only_job(folder: Path, vertical: str) -> Iterator[str | None]:
    """Hold the lock of a vertical, if nobody else does.

    The operating system lets go of it when the process ends, however it ends.

    Args:
        folder: where the locks lie; it is made.
        vertical: whose job it is.

    Yields:
        None where this process holds the lock; else who does, in words.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock, note = FileLock(folder / f"{vertical}.lock", timeout=0), folder / f"{vertical}.json"
    try:
        lock.acquire()
    except Timeout:
        yield _holder(note)
        return
    try:
        _write(note)
        yield None
    finally:
        # Before the lock is free: the next one writes its own.
        note.unlink(missing_ok=True)
        lock.release()


def _write(note: Path) -> None:
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    part = note.with_name(f".{note.name}.{os.getpid()}.part")
    part.write_text(json.dumps(holder), encoding="utf-8")
    part.replace(note)


def _holder(note: Path) -> str:
    try:
        held = json.loads(note.read_text(encoding="utf-8"))
        return f"process {held['pid']} on {held['host']}, since {held['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        # It has just begun, or is just ending.
        return "another process"
