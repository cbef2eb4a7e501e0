from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lepton_pipeline.system.locks import JobLock

HOLD = """
import sys
from pathlib import Path
from lepton_pipeline.system.locks import JobLock
with JobLock(Path(sys.argv[1]), "shop") as holder:
    print(holder, flush=True)
    sys.stdin.readline()
"""


def hold(folder):
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_second_job_is_told_who_is_at_work(tmp_path):
    with JobLock(tmp_path / "locks", "shop") as holder:
        assert holder is None
        with hold(tmp_path / "locks") as second:
            said = second.communicate("\n")[0]
        with JobLock(tmp_path / "locks", "bank") as other:
            assert other is None
    assert said.startswith(f"kedro retrain, process {os.getpid()} on ")
    assert "since 20" in said
    with JobLock(tmp_path / "locks", "shop") as holder:
        assert holder is None


def test_a_killed_job_leaves_no_lock(tmp_path):
    with hold(tmp_path) as first:
        assert first.stdout.readline() == "None\n"
        with JobLock(tmp_path, "shop") as holder:
            assert holder.startswith(f"kedro retrain, process {first.pid} on ")
        first.kill()
        first.wait()
        with JobLock(tmp_path, "shop") as holder:
            assert holder is None


def test_the_thread_that_holds_the_lock_may_take_it_again(tmp_path):
    with JobLock(tmp_path, "shop"):
        again = JobLock(tmp_path, "shop", "kedro run")
        assert again.acquire() is None
        again.release()
        # It is let go of where it was first taken.
        with hold(tmp_path) as second:
            assert second.communicate("\n")[0].startswith(f"kedro retrain, process {os.getpid()} on ")
    with hold(tmp_path) as second:
        assert second.communicate("\n")[0] == "None\n"


def test_another_thread_of_the_process_is_told_who_is_at_work(tmp_path):
    again = JobLock(tmp_path, "shop", "kedro run")
    with JobLock(tmp_path, "shop"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(again.acquire).result().startswith(f"kedro retrain, process {os.getpid()} on ")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(again.acquire).result() is None
    # Whichever thread ends the work, at the end of the process say, lets go of what the other one took.
    again.release()
    with JobLock(tmp_path, "shop") as holder:
        assert holder is None


def test_a_lock_that_cannot_say_who_holds_it_is_still_a_lock(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with JobLock(tmp_path, "shop") as holder:
        assert holder is None
        with hold(tmp_path) as second:
            assert second.communicate("\n")[0] == "another process\n"


def test_a_lock_without_a_note_is_still_a_lock(tmp_path):
    with hold(tmp_path) as first:
        first.stdout.readline()
        (tmp_path / "shop.json").write_text("{")
        with JobLock(tmp_path, "shop") as holder:
            assert holder == "another process"
        first.communicate("\n")
