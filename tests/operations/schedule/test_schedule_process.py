from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lepton_pipeline.operations.schedule.process import (
    Limits,
    StillRunningError,
    run_process,
    wait_for_orphan,
)

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
POLITE = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); time.sleep(60)"


class Jobs:
    def __init__(self, folder: Path):
        self.log, self.lock = folder / "logs" / "job.log", folder / "finance.lock"
        self.folder, self.stop, self.pids = folder, threading.Event(), []

    def run(self, code: str, timeout: float = 30, grace: float = 20) -> tuple[str, int]:
        command = [sys.executable, "-c", code]
        return run_process(
            command, self.folder, self.log, self.lock, Limits(timeout, grace), self.stop, self.pids.append
        )


@pytest.fixture
def jobs(tmp_path):
    return Jobs(tmp_path)


def test_a_job_runs_in_its_folder_and_its_output_is_kept(jobs):
    code = "import os, sys; print(os.getcwd(), 'zäh'); sys.stderr.write('bad'); sys.exit(3)"
    assert jobs.run(code) == ("failed", 3)
    assert str(jobs.folder) in jobs.log.read_text()
    assert "bad" in jobs.log.read_text()
    assert jobs.run("pass") == ("done", 0)
    assert len(jobs.pids) == 2


def test_a_job_that_hangs_is_told_to_stop(jobs):
    # Time enough for the interpreter to come up on a busy machine.
    assert jobs.run(POLITE, timeout=3) == ("timed out", 7)


def test_a_job_that_does_not_listen_is_killed(jobs):
    assert jobs.run(STUBBORN, timeout=3, grace=0.5) == ("timed out", -9)
    with pytest.raises(ProcessLookupError):
        os.kill(jobs.pids[0], 0)


def test_stopping_the_scheduler_stops_the_job(jobs):
    threading.Timer(1, jobs.stop.set).start()
    outcome, code = jobs.run(POLITE)
    assert outcome == "stopped"
    assert code in (7, -15)


def test_no_job_beside_one_that_a_killed_scheduler_left(jobs):
    leaver = (
        "import fcntl, subprocess, sys\n"
        f"lock = open({str(jobs.lock)!r}, 'ab'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "job = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], pass_fds=[lock.fileno()],\n"
        "    start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(job.pid)"
    )
    done = subprocess.run([sys.executable, "-c", leaver], capture_output=True, text=True, check=True)
    with pytest.raises(StillRunningError):
        jobs.run("pass")
    # Its time is up: it is ended, whosever child it is.
    wait_for_orphan(jobs.lock, int(done.stdout), Limits(0, 20), jobs.stop)
    for _ in range(50):
        if jobs.run("pass") == ("done", 0):
            break
        time.sleep(0.1)
    assert jobs.pids


def test_a_command_that_does_not_exist_is_an_error(jobs):
    with pytest.raises(OSError, match="nothing-there"):
        run_process(
            ["/nothing-there"], jobs.folder, jobs.log, jobs.lock, Limits(1), jobs.stop, lambda pid: None
        )
    assert jobs.run("pass") == ("done", 0)
