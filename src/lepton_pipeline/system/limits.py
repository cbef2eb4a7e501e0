"""Bound the time of work that a declaration can make arbitrarily long."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType


class OutOfTimeError(BaseException):
    """The time is up. It is no Exception, so that no library takes it for a fault of its own."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt what runs too long, also within Python's regular expressions.

    Args:
        seconds: how long it may run; in a thread other than the main one, which gets no signals, as long as it takes.

    Raises:
        OutOfTimeError: it ran longer.
    """
    if threading.current_thread() is not threading.main_thread():
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


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise OutOfTimeError
