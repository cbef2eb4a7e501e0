"""Run a job as a process with a time-out and a lock."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lepton_pipeline.system.locks import FileLock

_LOOK = 0.2


class StillRunningError(Exception):
    """A job of the vertical is running already: an orphan of a killed scheduler."""


@dataclass(frozen=True)
class Limits:
    """Seconds before SIGTERM, and from there to SIGKILL."""

    timeout: float
    grace: float = 60.0


def run_process(
    command: list[str],
    folder: Path,
    log: Path,
    lock: Path,
    limits: Limits,
    stop: threading.Event,
    started: Callable[[int], None],
) -> tuple[str, int]:
    """Run a command in `folder` to its end, its time-out or the scheduler's stop, with its output in `log`.

    The process keeps the file `lock` locked while it lives, also without the scheduler. `started` is called
    with its id, which is also that of its group. Returns the outcome ("done", "failed", "timed out",
    "stopped") and exit code, negative for a signal.

    Raises StillRunningError if the lock is held, OSError if the process cannot be started, or its log not be
    written.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with _locked(lock) as held, log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  # no shell; the command is the operator's own
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # The scheduler passes on a Ctrl-C.
            start_new_session=True,
            pass_fds=[held.fileno()],
        )
        started(process.pid)
        outcome = _watch(process, limits.timeout, stop)
        if outcome:
            _end_group(process.pid, lambda: process.poll() is not None, limits.grace)
            return outcome, process.wait()
        return ("done" if process.returncode == 0 else "failed"), process.returncode


def wait_for_orphan(lock: Path, pid: int | None, limits: Limits, stop: threading.Event) -> None:
    """Wait for the end of a job that a killed scheduler left behind, and stop it at its limits.

    It holds `lock`; `pid` is its process group, None if the scheduler was killed before that was recorded.
    `limits` have its remaining time.
    """
    end = time.monotonic() + limits.timeout
    while not _is_free(lock):
        if pid is not None and (stop.is_set() or time.monotonic() >= end):
            # While the lock is held, the group lives and its number is not reused.
            _end_group(pid, lambda: _is_free(lock), limits.grace)
            return
        if stop.wait(_LOOK) and pid is None:
            return


def _watch(process: subprocess.Popen[bytes], timeout: float, stop: threading.Event) -> str | None:
    """Wait for the process; return why it must be stopped, or None if it has ended."""
    end = time.monotonic() + timeout
    while process.poll() is None:
        if time.monotonic() >= end:
            return "timed out"
        if stop.wait(_LOOK) and process.poll() is None:
            return "stopped"
    return None


def _end_group(group: int, over: Callable[[], bool], grace: float) -> None:
    """SIGTERM, so that the job can record its status; SIGKILL after the grace period."""
    _signal(group, signal.SIGTERM)
    end = time.monotonic() + grace
    while not over() and time.monotonic() < end:
        time.sleep(_LOOK)
    # Also children that the job has left.
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    # The group has ended; on macOS that of a zombie may not be signalled.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


@contextmanager
def _locked(path: Path) -> Iterator[FileLock]:
    lock = FileLock(path, seconds=0)
    if not lock.acquire():
        raise StillRunningError(path.name)
    try:
        yield lock
    finally:
        lock.release()


def _is_free(path: Path) -> bool:
    with suppress(StillRunningError), _locked(path):
        return True
    return False
