"""Locks on files by `flock`, free when their process ends, however it ends.

On a network file system they need its support (NFS since version 4). Copies of a project do not share locks.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

from lepton_pipeline.system.files import write_json
from lepton_pipeline.system.permissions import REFUSALS, share, shared_folder

JOB_LOCKS = Path("data/.locks")
_LOOK = 0.05
_Holder = tuple[int, threading.Thread, Path]
# By process (a fork has its own locks), thread and file: the lock and its depth.
_held: dict[_Holder, tuple[FileLock, int]] = {}


class FileLock:
    """An exclusive lock on a file, for every user who may read it; the file is created but never removed.

    `seconds` limits the wait for another holder.
    """

    def __init__(self, file: Path, seconds: float | None = None):
        self._file, self._seconds = file, seconds
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock; False if another holder kept it. Raises OSError if the file cannot be opened."""
        end = None if self._seconds is None else monotonic() + self._seconds
        while True:
            descriptor = self._open()
            try:
                if lock_descriptor(descriptor, wait=False) and self._is_there(descriptor):
                    self._descriptor = descriptor
                    return True
            finally:
                if self._descriptor != descriptor:
                    os.close(descriptor)
            if end is not None and monotonic() >= end:
                return False
            sleep(_LOOK)

    def fileno(self) -> int:
        """The descriptor that holds the lock; a process that inherits it holds the lock, too."""
        if self._descriptor is None:
            raise ValueError(f"{self._file} is not locked")
        return self._descriptor

    def release(self) -> None:
        """Release the lock, if held."""
        # First, since another thread may get the same descriptor at once.
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _is_there(self, descriptor: int) -> bool:
        """Whether the name still refers to this file: `make clean` may have removed it."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._file.stat())
        except FileNotFoundError:
            return False

    def _open(self) -> int:
        shared_folder(self._file.parent)
        while True:
            with suppress(FileNotFoundError):
                return _open_existing(self._file)
            with suppress(FileExistsError):
                descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
                share(self._file)
                return descriptor


class JobLock:
    """The lock of one pipeline, by which only one process writes its files; reentrant within a thread.

    `what` is the command that takes it, as shown to the next one. A block gets what `acquire` returns.
    """

    def __init__(self, folder: Path, name: str, what: str = "kedro retrain"):
        self._file = (folder / f"{name}.lock").absolute()
        self._note = self._file.with_suffix(".json")
        self._what = what
        self._key: _Holder | None = None

    def acquire(self) -> str | None:
        """Take the lock, and return None, or a description of its holder."""
        key = (os.getpid(), threading.current_thread(), self._file)
        if key in _held:
            lock, times = _held[key]
        else:
            lock, times = FileLock(self._file, seconds=0), 0
            if not lock.acquire():
                return self._holder()
        self._key, _held[key] = key, (lock, times + 1)
        if not times:
            since = datetime.now(UTC).isoformat(timespec="seconds")
            holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "what": self._what}
            # The note is a courtesy: a full disk must not prevent the lock.
            with suppress(OSError):
                write_json(self._note, holder, alone=True)
        return None

    def release(self) -> None:
        """Release the lock when the outermost holder does; from any thread."""
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

    def __enter__(self) -> str | None:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _holder(self) -> str:
        try:
            held = json.loads(self._note.read_text(encoding="utf-8"))
            return f"{held['what']}, process {held['pid']} on {held['host']}, since {held['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            # It is starting or ending.
            return "another process"


def _open_existing(file: Path) -> int:
    try:
        return os.open(file, os.O_RDWR)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        # Enough to lock it, but on NFS.
        return os.open(file, os.O_RDONLY)


def lock_descriptor(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file until it is closed; False if another one holds the lock and `wait` is not set."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (BlockingIOError, PermissionError):
        return False
    return True
