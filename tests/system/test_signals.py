import re
import signal
from threading import Thread
from time import monotonic, sleep

import pytest

from lepton_pipeline.system.signals import OutOfTimeError, time_limit


def test_a_pattern_that_never_ends_is_interrupted():
    begun = monotonic()
    with pytest.raises(OutOfTimeError), time_limit(0.2):
        re.search("(x+x+)+y", "x" * 60)
    assert monotonic() - begun < 10


def test_what_ends_in_time_leaves_the_timer_of_others_as_it_was():
    told = []
    handler = signal.signal(signal.SIGALRM, lambda *_: told.append("other"))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with time_limit(60):
            sleep(0.01)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.3
        sleep(0.4)
        assert told == ["other"]
    finally:
        signal.signal(signal.SIGALRM, handler)


def test_a_thread_takes_as_long_as_it_takes():
    done = []

    def work():
        with time_limit(0.01):
            sleep(0.05)
        done.append(True)

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert done
