"""One process per pipeline at a time: two would write the same files, and each take the other's for its own.

The lock is the operating system's, on a file below `data/.locks`: it is let go of when its process ends, however it
ends. On a network file system it holds as far as that passes on `flock` (NFS since version 4 does); two machines with a
copy of the project each do not see each other's locks.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from lepton_pipeline.system.locks import FileLock

FOLDER = Path("data/.locks")
_Holder = tuple[int, threading.Thread, Path]
# By process, since a fork has its own, thread and file: the lock, and how many times it was taken.
_held: dict[_Holder, tuple[FileLock, int]] = {}


class JobLock:
    """The lock of one pipeline; a thread that holds it may take it again.

    Args:
        folder: where the locks lie; it is made.
        name: of the pipeline, such as finance or finance_scoring.
        what: command that takes it, for those who come second.
    """

    def __init__(self, folder: Path, name: str, what: str):
        self._file = (folder / f"{name}.lock").absolute()
        self._note = self._file.with_suffix(".json")
        self._what = what
        self._key: _Holder | None = None

    def acquire(self) -> str | None:
        """Take the lock, if nobody else has it.

        Returns:
            None where this thread has it now; else who has it, in words.

        Raises:
            OSError: the lock's file cannot be made or read.
        """
        key = (os.getpid(), threading.current_thread(), self._file)
        if key in _held:
            lock, times = _held[key]
        else:
            lock, times = FileLock(self._file, seconds=0), 0
            if not lock.acquire():
                return self._holder()
        self._key, _held[key] = key, (lock, times + 1)
        if times:
            return None
        # Who holds it is a courtesy: a full disk must not keep anybody from it.
        with suppress(OSError):
            self._write()
        return None

    def release(self) -> None:
        """Let go of the lock, if that was the first time that it was taken; from any thread."""
        key, self._key = self._key, None
        if key is None:
            return
        lock, times = _held[key]
        if times > 1:
            _held[key] = lock, times - 1
            return
        # Before the lock is free: the next one writes its own.
        with suppress(OSError):
            self._note.unlink()
        del _held[key]
        lock.release()

    def _write(self) -> None:
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            "what": self._what,
        }
        part = self._note.with_name(f".{self._note.name}.{os.getpid()}.part")
        part.write_text(json.dumps(holder), encoding="utf-8")
        part.replace(self._note)

    def _holder(self) -> str:
        try:
            held = json.loads(self._note.read_text(encoding="utf-8"))
            return f"{held['what']}, process {held['pid']} on {held['host']}, since {held['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            # It has just begun, or is just ending.
            return "another process"


@contextmanager
def only_job(folder: Path, name: str, what: str = "kedro retrain") -> Iterator[str | None]:
    """Hold the lock of a pipeline, if nobody else does; see `JobLock`.

    Yields:
        None where this thread holds the lock; else who does, in words.
    """
    lock = JobLock(folder, name, what)
    holder = lock.acquire()
    try:
        yield holder
    finally:
        if holder is None:
            lock.release()
