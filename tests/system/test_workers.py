import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import current_thread, main_thread

import pytest

from lepton_pipeline.errors import DataError, LeptonError
from lepton_pipeline.system import workers
from lepton_pipeline.system.workers import (
    Call,
    Pool,
    Session,
    allowed_cores,
    available_memory,
    choose_jobs,
    run_steps,
)

MINUTE = 60


def square(number, report):
    report(("began", number))
    return number**2, os.getpid()


def meet(folder, name, others, report):
    """Wait until calls that run elsewhere have begun, too."""
    Path(folder, name).touch()
    wait_for(lambda: all(Path(folder, each).exists() for each in others))
    return os.getpid()


def refuse(report):
    raise DataError("row 7 is odd")


def stumble(file, report):
    Path(file).touch()
    return 1 / 0


def die_elsewhere(parent, file, report):
    """End the worker's process; in that of the caller, wait until it has ended."""
    if os.getpid() != parent:
        Path(file).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    wait_for(Path(file).exists)


def tell_for_ever(file, report):
    Path(file).write_text(str(os.getpid()))
    while True:
        report("still here")
        time.sleep(0.01)


def wait_for(condition):
    for _ in range(100 * MINUTE):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("in vain for a minute")


def has_ended(number):
    try:
        stat = Path(f"/proc/{number}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def test_results_are_in_the_order_of_the_calls_and_messages_come_in_the_thread_of_the_caller():
    heard = []

    def report(message):
        assert current_thread() is main_thread()
        heard.append(message)

    with Pool(3) as pool:
        for numbers in (range(7), range(3)):
            found = pool.run([Call(square, (number,)) for number in numbers], report)
            assert [value for value, _ in found] == [number**2 for number in numbers]
    assert sorted(heard) == sorted(("began", number) for numbers in (7, 3) for number in range(numbers))


def test_calls_run_side_by_side_and_one_that_stays_here_does(tmp_path):
    names = ["one", "two", "three"]
    calls = [
        Call(meet, (tmp_path, name, [each for each in names if each != name]), here=name == "two")
        for name in names
    ]
    with Pool(3) as pool:
        found = pool.run(calls, print)
    assert len(set(found)) == 3
    assert found[1] == os.getpid()


def test_one_job_starts_no_process(monkeypatch):
    monkeypatch.setattr(workers, "_Worker", None)
    found = Pool(1).run([Call(square, (2,)), Call(square, (3,))], lambda message: None)
    assert found == [(4, os.getpid()), (9, os.getpid())]
    assert Pool(4).run([Call(square, (2,))], lambda message: None) == [(4, os.getpid())]


def test_steps_go_on_with_their_own_results():
    def twice(number):
        ((value, _),) = yield [Call(square, (number,))]
        (first, _), (second, _) = yield [Call(square, (value,)), Call(square, (value + 1,))]
        return first, second

    def once(number):
        ((value, _),) = yield [Call(square, (number,))]
        return value

    with Pool(2) as pool:
        assert run_steps(pool, twice(2), once(5), report=lambda message: None) == [(16, 25), 25]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_keeps_its_kind_and_words(jobs):
    with pytest.raises(DataError, match="row 7 is odd"), Pool(jobs) as pool:
        pool.run([Call(refuse, ()), Call(refuse, ())], print)


def test_a_fault_of_a_worker_shows_where(tmp_path):
    # The call that stays here waits until the worker has taken the other one.
    calls = [Call(meet, (tmp_path, "here", ["taken"]), here=True), Call(stumble, (tmp_path / "taken",))]
    with pytest.raises(RuntimeError, match=r"(?s)in stumble.*ZeroDivisionError"), Pool(2) as pool:
        pool.run(calls, print)


def test_a_killed_worker_is_said(tmp_path):
    call = Call(die_elsewhere, (os.getpid(), tmp_path / "dead"))
    with pytest.raises(LeptonError, match=r"ended with code -9.*training\.jobs"), Pool(2) as pool:
        pool.run([call, call], print)


def test_workers_end_with_what_is_done_here(tmp_path):
    file = tmp_path / "worker"

    def stop(message):
        if message == "still here":
            raise KeyboardInterrupt

    calls = [Call(meet, (tmp_path, "here", ["worker"]), here=True), Call(tell_for_ever, (file,))]
    with pytest.raises(KeyboardInterrupt), Pool(2) as pool:
        pool.run(calls, stop)
    assert has_ended(int(file.read_text()))


def test_workers_end_with_a_caller_that_is_killed(tmp_path):
    file = tmp_path / "worker"
    text = (
        f"import sys; sys.path[:] = {sys.path!r}; from test_workers import *\n"
        f"with Pool(2) as pool: pool.run([Call(tell_for_ever, ({str(file)!r},)), Call(meet, ({str(tmp_path)!r}, 'here',"
        " ['never']), here=True)], lambda message: None)"
    )
    caller = subprocess.Popen([sys.executable, "-c", text])
    wait_for(lambda: file.exists() and file.read_text())
    caller.kill()
    caller.wait()
    wait_for(lambda: has_ended(int(file.read_text())))


def start_another(report):
    """Start a process that would stay, and say its number."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    report(other.pid)
    return os.getpid()


def die(report):
    start_another(report)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_session_ends_with_all_that_it_has_started():
    heard = []
    with Session() as session:
        folder = session.folder
        assert folder.is_dir()
        found = session.run(Call(start_another, ()), heard.append)
        assert os.getsid(found) == os.getsid(heard[0]) == found != os.getsid(0)
    wait_for(lambda: has_ended(found) and has_ended(heard[0]))
    assert not folder.exists()


def test_a_session_that_is_killed_is_said_and_leaves_nothing():
    heard = []
    with pytest.raises(LeptonError, match=r"ended with code -9.*train again"), Session() as session:
        session.run(Call(die, ()), heard.append)
    wait_for(lambda: has_ended(heard[0]))
    assert not session.folder.exists()


def test_an_error_in_a_session_keeps_its_kind_and_words():
    with pytest.raises(DataError, match="row 7 is odd"), Session() as session:
        session.run(Call(refuse, ()), print)


def test_jobs_are_as_declared_or_as_cores_and_memory_allow(monkeypatch):
    monkeypatch.setattr(workers, "allowed_cores", lambda: 8)
    monkeypatch.setattr(workers, "available_memory", lambda: 10_000)
    assert choose_jobs(5, threads=4, memory=10**9) == 5
    assert choose_jobs(None, threads=1, memory=100) == 8
    assert choose_jobs(None, threads=3, memory=100) == 2
    assert choose_jobs(None, threads=1, memory=3_000) == 3
    assert choose_jobs(None, threads=1, memory=10**9) == 1


def test_limits_of_a_control_group_hold(monkeypatch, tmp_path):
    quota, limit, used = (tmp_path / name for name in ("cpu.max", "memory.max", "memory.current"))
    monkeypatch.setattr(workers, "_QUOTA", quota)
    monkeypatch.setattr(workers, "_LIMIT", limit)
    monkeypatch.setattr(workers, "_USED", used)
    free, cores = available_memory(), allowed_cores()
    assert cores == len(os.sched_getaffinity(0))
    quota.write_text("max 100000\n")
    limit.write_text("max\n")
    assert allowed_cores() == cores
    assert available_memory() > free / 2
    quota.write_text("150000 100000\n")
    limit.write_text("5000\n")
    used.write_text("1000\n")
    assert allowed_cores() == 1
    assert available_memory() == 4000
