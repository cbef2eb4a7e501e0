"""Calls side by side in processes, with the results of one process.

A worker is a new interpreter, no fork: threads of numerical libraries do not survive that. It ends with its parent,
however that ends, since then the socket between them is closed. What goes through it is pickled, as `multiprocessing`
does: it comes from the run's own code, and nothing of it is ever a file.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.system.signals import leave_to_parent

Report = Callable[[Any], None]
_START = (
    "import sys; sys.path[:] = sys.argv[3:]; from lepton_pipeline.system.workers import serve, serve_apart; "
    "serve_apart(int(sys.argv[1]), sys.argv[2]) if sys.argv[2] else serve(int(sys.argv[1]))"
)
_MESSAGE, _RESULT, _ERROR = "message", "result", "error"
_QUOTA, _LIMIT, _USED = (Path("/sys/fs/cgroup", name) for name in ("cpu.max", "memory.max", "memory.current"))
_MEMORY = Path("/proc/meminfo")


class LostWorkerError(LeptonError):
    """A worker ended before its call did: it was killed."""


@dataclass(frozen=True)
class Call:
    """A function of a module, with arguments that can be pickled; its last one is what it reports by.

    `here` keeps it in the process of the caller, such as where it uses a device.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    here: bool = False

    def run(self, report: Report) -> Any:
        """Call it."""
        return self.function(*self.arguments, report)


# Yields calls that may run side by side, is sent their results, and returns its own.
Steps = Generator[Sequence[Call], list[Any], Any]


class Pool:
    """At most `jobs` processes, of which the caller's is one: it works, too. Workers start when they are needed."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.end()

    def run(self, calls: Sequence[Call], report: Report) -> list[Any]:
        """Results of calls, in their order; earlier ones begin earlier. What they report arrives in this thread.

        The first error of a call is raised, a LeptonError also where a worker was killed. After it the pool is to be
        left.
        """
        work = _Work(calls)
        while len(self._workers) < min(self.jobs, len(work.free) + bool(work.here)) - 1:
            self._workers.append(_Worker())
        threads = [Thread(target=each.work_off, args=(work,), daemon=True) for each in self._workers]
        for thread in threads:
            thread.start()

        def heard(message: Any) -> None:
            report(message)
            work.hear(report)

        while (number := work.take(here=True)) is not None:
            work.results[number] = calls[number].run(heard)
        for thread in threads:
            while thread.is_alive():
                thread.join(0.05)
                work.hear(report)
        work.hear(report)
        if work.errors:
            raise work.errors[min(work.errors)]
        return work.results


class Session:
    """A process that starts others, in a session of its own: all of them end with it, however it or the caller ends.

    `folder` is theirs, and ends with them, too.
    """

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="lepton-"))
        self._worker = _Worker(self.folder)
        return self

    def run(self, call: Call, report: Report) -> Any:
        """Result of a call, the only one. What it reports arrives in this thread; a LeptonError if it is killed."""
        kind, content = self._worker.answer(call, report)
        if kind == _ERROR:
            raise content
        return content

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.end()
        shutil.rmtree(self.folder, ignore_errors=True)


def run_steps(pool: Pool, *steps: Steps, report: Report) -> list[Any]:
    """Run generators of calls in step with each other, and return what each of them returns.

    >>> def doubled(number):
    ...     (found,) = yield [Call(_double, (number,))]
    ...     return found
    >>> run_steps(Pool(1), doubled(2), doubled(5), report=print)
    [4, 10]
    """
    values: list[Any] = [None] * len(steps)
    waiting = {place: next(each) for place, each in enumerate(steps)}
    while waiting:
        found = iter(pool.run([call for calls in waiting.values() for call in calls], report))
        going = {}
        for place, calls in waiting.items():
            try:
                going[place] = steps[place].send([next(found) for _ in calls])
            except StopIteration as end:
                values[place] = end.value
        waiting = going
    return values


def choose_jobs(declared: int | None, threads: int, memory: int) -> int:
    """As many processes as are declared; None: as cores and memory allow, of `threads` and bytes of `memory` each."""
    if declared is not None:
        return declared
    return max(1, min(allowed_cores() // threads, available_memory() // max(memory, 1)))


def allowed_cores() -> int:
    """Cores that this process may use, by its affinity and its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        # "max" is no number: no quota.
        cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def available_memory() -> int:
    """Bytes that are free on this machine and in this control group; much where the system does not say."""
    found = [sys.maxsize]
    with suppress(OSError, ValueError, IndexError):
        line = _MEMORY.read_text(encoding="ascii").partition("MemAvailable:")[2]
        found.append(int(line.split()[0]) * 1024)
    with suppress(OSError, ValueError):
        found.append(int(_LIMIT.read_text(encoding="ascii")) - int(_USED.read_text(encoding="ascii")))
    return max(0, min(found))


def serve(descriptor: int) -> None:
    """Be a worker: run calls that come through a socket until it is closed."""
    leave_to_parent()
    with Connection(descriptor) as connection, suppress(EOFError, OSError):
        while True:
            call: Call = pickle.loads(connection.recv_bytes())  # noqa: S301  # from the parent
            connection.send_bytes(_answer(call, connection))


def serve_apart(descriptor: int, folder: str) -> None:
    """Be the process of a `Session`: run the call that comes through a socket, with signals as usual."""
    # Of other processes that end torch would say more than the error does.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")
    with Connection(descriptor) as connection:
        call: Call = pickle.loads(connection.recv_bytes())  # noqa: S301  # from the parent
        Thread(target=_end_with_parent, args=(connection, folder), daemon=True).start()
        connection.send_bytes(_answer(call, connection))
        # The parent ends this process, and all that it has started.
        Event().wait()


def _end_with_parent(connection: Connection, folder: str) -> None:
    """Wait until the parent has closed the socket, through which nothing else comes."""
    wait([connection])
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _answer(call: Call, connection: Connection) -> bytes:
    def report(message: Any) -> None:
        connection.send_bytes(pickle.dumps((_MESSAGE, message)))

    try:
        return pickle.dumps((_RESULT, call.run(report)))
    except OSError:
        # The parent has ended.
        raise
    except LeptonError as error:
        return pickle.dumps((_ERROR, error))
    except Exception:
        return pickle.dumps((_ERROR, RuntimeError(traceback.format_exc())))


@dataclass
class _Work:
    """Calls that wait, and what has come of the others."""

    calls: Sequence[Call]
    results: list[Any] = field(init=False)
    here: deque[int] = field(init=False)
    free: deque[int] = field(init=False)
    errors: dict[int, BaseException] = field(default_factory=dict)
    messages: SimpleQueue[Any] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        self.results = [None] * len(self.calls)
        self.here, self.free = (
            deque(number for number, call in enumerate(self.calls) if call.here == here)
            for here in (True, False)
        )

    def take(self, *, here: bool = False) -> int | None:
        """The next call, by its place; None if there is none, or one has failed."""
        for waiting in (self.here, self.free) if here else (self.free,):
            # Another thread may be quicker.
            with suppress(IndexError):
                return None if self.errors else waiting.popleft()
        return None

    def hear(self, report: Report) -> None:
        """Report what workers have reported."""
        with suppress(Empty):
            while True:
                report(self.messages.get_nowait())


class _Worker:
    """A process that runs calls; with a folder, one of a session of its own."""

    def __init__(self, folder: Path | None = None) -> None:
        self.apart = folder is not None
        ours, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            self.process = subprocess.Popen(  # noqa: S603  # this interpreter
                [sys.executable, "-W", "ignore", "-c", _START, str(descriptor), str(folder or ""), *sys.path],
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                start_new_session=self.apart,
            )
        self.connection = Connection(ours.detach())

    def work_off(self, work: _Work) -> None:
        """Run calls that wait, in a thread of the caller."""
        while (number := work.take()) is not None:
            kind, content = self.answer(work.calls[number], work.messages.put)
            if kind == _ERROR:
                work.errors[number] = content
                return
            work.results[number] = content

    def answer(self, call: Call, report: Report) -> tuple[str, Any]:
        """What comes of a call: its result or an error, with the kind before it."""
        try:
            self.connection.send_bytes(pickle.dumps(call))
        except OSError:
            return _ERROR, self._lost()
        while True:
            try:
                kind, content = pickle.loads(self.connection.recv_bytes())  # noqa: S301  # from our own process
            except (EOFError, OSError):
                return _ERROR, self._lost()
            if kind != _MESSAGE:
                return kind, content
            report(content)

    def _lost(self) -> LostWorkerError:
        self._kill()
        code = self.process.wait()
        remedy = (
            "free some and train again"
            if self.apart
            else "set training.jobs (or --jobs) to a lower number, or to 1"
        )
        return LostWorkerError(
            f"a process that fitted a part of the model ended with code {code}, which is no end of its own; if it was "
            f"the system for want of memory (-9), {remedy}."
        )

    def end(self) -> None:
        """End the process, whatever it does."""
        self._kill()
        self.process.wait()
        self.connection.close()

    def _kill(self) -> None:
        if self.apart:
            # Also what it has started, even if it has ended itself.
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()


def _double(number: int, report: Report) -> int:
    """For the example of `run_steps`."""
    return 2 * number
