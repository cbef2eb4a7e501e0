"""Locks of the operating system, on files: a lock is free when its process ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType

from lepton_pipeline.system.permissions import share, shared_folder

_LOOK = 0.05
_HELD = (errno.EACCES, errno.EAGAIN)


class FileLock:
    """An exclusive lock on a file, for whoever may read that file: a second user need not own it.

    Args:
        file: is made where it is not there, with its folder, for all who may write to that folder; it stays there.
        seconds: how long to wait for another holder; None: as long as it takes.
    """

    def __init__(self, file: Path, seconds: float | None = None):
        self._file, self._seconds = file, seconds
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock; False where another one holds it all the time.

        Raises:
            OSError: the file cannot be made or read.
        """
        end = None if self._seconds is None else monotonic() + self._seconds
        while True:
            descriptor = self._open()
            try:
                if _taken(descriptor) and self._is_there(descriptor):
                    self._descriptor = descriptor
                    return True
            finally:
                if self._descriptor != descriptor:
                    os.close(descriptor)
            if end is not None and monotonic() >= end:
                return False
            sleep(_LOOK)

    def release(self) -> None:
        """Let go of the lock, if it is held."""
        # First forgotten, then free: another thread may take it at once, perhaps with a descriptor of this number.
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _is_there(self, descriptor: int) -> bool:
        """Whether the file is still the one of this name: `make clean` may have removed it meanwhile."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._file.stat())
        except FileNotFoundError:
            return False

    def _open(self) -> int:
        shared_folder(self._file.parent)
        while True:
            try:
                return _open_existing(self._file)
            except FileNotFoundError:
                pass
            try:
                descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            except FileExistsError:
                continue
            share(self._file)
            return descriptor


def _open_existing(file: Path) -> int:
    try:
        return os.open(file, os.O_RDWR)
    except PermissionError:
        # Enough to lock it, but on NFS.
        return os.open(file, os.O_RDONLY)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(file, os.O_RDONLY)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise
    return True
