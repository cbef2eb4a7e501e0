"""All signal handlers. Only the main thread can set one; elsewhere nothing is unwound or limited."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType


class OutOfTimeError(BaseException):
    """The time is up; no Exception, so that libraries do not catch it."""


@contextmanager
def unwinding() -> Iterator[None]:
    """Let SIGTERM unwind the process like an interrupt, so that runs are closed with their true status."""
    if not _is_main():
        yield
        return
    before = signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def keeping_sigterm() -> Iterator[None]:
    """Put back, at the end of the block, the handler of SIGTERM that a library has replaced."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if _is_main():
            signal.signal(signal.SIGTERM, before)


def ignore_sigterm() -> None:
    """Ignore further signals while the process records how it ended."""
    if _is_main():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def leave_to_parent() -> None:
    """Ignore signals that reach a whole group of processes: the parent answers them, and ends this one."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` at the first SIGTERM or SIGINT; a second one ends the process at once."""

    def first(number: int, frame: FrameType | None) -> None:
        stop()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, first)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt what runs longer, even within a regular expression, by OutOfTimeError."""
    if not _is_main():
        yield
        return
    begun = monotonic()
    handler = signal.signal(signal.SIGALRM, _interrupt)
    other, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, max(other - (monotonic() - begun), 0.001) if other else 0)
        signal.signal(signal.SIGALRM, handler)


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise OutOfTimeError


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
