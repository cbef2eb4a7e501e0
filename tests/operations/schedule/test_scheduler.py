from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lepton_pipeline.errors import ConfigurationError, LeptonError
from lepton_pipeline.operations.schedule.policies import Cron, Policies, Policy
from lepton_pipeline.operations.schedule.scheduler import Options, Scheduler, retrain_command
from lepton_pipeline.operations.schedule.state import Record, Running, State, read_records

# What the job of a test does: notes its start and end, and how many were at it.
JOB = """
import os, sys, time
vertical, seconds, code = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
def note(what):
    with open("journal", "a") as file:
        file.write(f"{what} {vertical}\\n")
note("start"); time.sleep(seconds); note("end"); sys.exit(code)
"""
DAILY = Cron("0 3 * * *", "Europe/Berlin")
OPTIONS = Options(parallel=2, grace=20, poll=0.1, first_retry=timedelta(seconds=0.5))


@dataclass(frozen=True)
class Often(Cron):
    """Comes every so many seconds."""

    seconds: float = 0.5

    def after(self, moment: datetime) -> datetime:
        return moment + timedelta(seconds=self.seconds)


class Bench:
    """A scheduler in a folder of its own, whose clock can be set ahead."""

    def __init__(
        self, folder: Path, *policies: Policy, seconds: float = 0, code: int = 0, options: Options = OPTIONS
    ):
        self.folder, self.said, self.ahead = folder, [], timedelta()
        self.policies = Policies({policy.vertical: policy for policy in policies})
        (folder / "conf").mkdir(exist_ok=True)
        self.scheduler = Scheduler(
            folder,
            lambda vertical: [sys.executable, "-c", JOB, vertical, str(seconds), str(code)],
            self.said.append,
            options,
            lambda: self.policies,
            lambda: datetime.now(UTC) + self.ahead,
        )

    @property
    def journal(self) -> list[str]:
        path = self.folder / "journal"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def state(self) -> State:
        return State(self.folder / "data/.scheduler/state.json")

    def run_until(self, reached: Callable[[], bool]) -> None:
        runner = threading.Thread(target=self.scheduler.run)
        runner.start()
        try:
            end = time.monotonic() + 60
            while not reached():
                assert time.monotonic() < end, (self.said, self.journal)
                time.sleep(0.05)
        finally:
            self.scheduler.stop.set()
            runner.join()

    def change(self, policies: Policies) -> None:
        self.policies = policies
        (self.folder / "conf" / "parameters.yml").write_text(str(time.monotonic()))


def owed(folder: Path, vertical: str = "finance", **fields: object) -> None:
    """A vertical that was seen three days ago."""
    State(folder / "data/.scheduler/state.json").put(
        vertical, Record(datetime.now(UTC) - timedelta(days=3), **fields)
    )


def test_what_was_missed_while_it_was_down_is_caught_up_once(tmp_path):
    owed(tmp_path)
    bench = Bench(tmp_path, Policy("finance", DAILY))
    bench.run_until(lambda: "end finance" in bench.journal and bench.state["finance"].last is not None)
    Bench(tmp_path, Policy("finance", DAILY)).scheduler.once()
    assert bench.journal == ["start finance", "end finance"]
    assert bench.state["finance"].last.outcome == "done"


def test_failures_are_started_again_and_counted(tmp_path):
    owed(tmp_path)
    bench = Bench(tmp_path, Policy("finance", DAILY, retries=2), code=1)
    bench.run_until(lambda: sum("failed" in line for line in bench.said) == 3)
    assert bench.journal.count("start finance") == 3
    record = bench.state["finance"]
    assert (record.attempt, record.retry_at, record.last.code) == (3, None, 1)
    assert len(list((tmp_path / "data/.scheduler/logs/finance").glob("*.log"))) == 3


def test_a_vertical_never_runs_beside_itself_and_others_do_up_to_the_limit(tmp_path):
    names = ("energy", "finance", "retail")
    bench = Bench(tmp_path, *(Policy(name, Often("0 0 * * *", "UTC")) for name in names), seconds=0.3)
    bench.run_until(lambda: all(bench.journal.count(f"end {name}") >= 2 for name in names))
    at_work: list[str] = []
    most = 0
    for line in bench.journal:
        what, name = line.split()
        if what == "start":
            assert name not in at_work
            at_work.append(name)
        else:
            at_work.remove(name)
        most = max(most, len(at_work))
    assert most == 2


def test_a_job_that_hangs_is_ended_and_the_others_go_on(tmp_path):
    owed(tmp_path, "energy")
    owed(tmp_path, "finance")
    bench = Bench(
        tmp_path,
        Policy("energy", DAILY, retries=0, timeout=1),
        Policy("finance", DAILY, retries=0),
        seconds=4,
    )
    bench.run_until(lambda: "end finance" in bench.journal and bench.state["finance"].last is not None)
    assert bench.state["energy"].last.outcome == "timed out"
    assert bench.state["finance"].last.outcome == "done"


def test_a_stop_ends_the_job_and_the_next_scheduler_goes_on_with_it(tmp_path):
    owed(tmp_path)
    bench = Bench(tmp_path, Policy("finance", DAILY, retries=0), seconds=30)
    bench.run_until(lambda: "start finance" in bench.journal)
    assert bench.state["finance"].last.outcome == "stopped"
    assert bench.journal == ["start finance"]
    again = Bench(tmp_path, Policy("finance", DAILY, retries=0))
    again.run_until(lambda: "end finance" in again.journal)
    assert again.state["finance"].last.attempt == 1


def test_a_job_whose_scheduler_and_machine_died_is_started_again(tmp_path):
    owed(tmp_path, attempt=1, running=Running(datetime.now(UTC) - timedelta(hours=1), 2**22 + 1))
    bench = Bench(tmp_path, Policy("finance", DAILY, retries=1))
    bench.run_until(lambda: "end finance" in bench.journal)
    assert bench.state["finance"].attempt in (1, 2)


def test_a_policy_that_changes_holds_at_once_and_one_that_breaks_stops_only_itself(tmp_path):
    often = Often("0 0 * * *", "UTC")
    both = {"finance": Policy("finance", often), "retail": Policy("retail", often)}
    bench = Bench(tmp_path, Policy("finance", DAILY), Policy("retail", often))
    changes = [
        ("start retail", Policies(both)),
        ("start finance", Policies({"finance": both["finance"]}, {"retail": "retail.retraining: wrong"})),
    ]

    def reached() -> bool:
        if changes and changes[0][0] in bench.journal:
            bench.change(changes.pop(0)[1])
        return any("retail.retraining: wrong" in line for line in bench.said)

    bench.run_until(reached)
    assert any("retail is not scheduled until this is corrected" in line for line in bench.said)


def test_a_configuration_that_cannot_be_read_leaves_the_last_one_in_force(tmp_path):
    bench = Bench(tmp_path, Policy("finance", DAILY))
    bench.scheduler.reload()

    def broken() -> Policies:
        raise ConfigurationError("no vertical")

    bench.scheduler.fetch = broken
    bench.change(Policies())
    bench.scheduler.reload()
    assert list(bench.scheduler.policies.good) == ["finance"]
    assert "previous policies stay" in bench.said[-1]


def test_a_clock_that_jumps_ahead_starts_once_and_back_again_silences_nothing(tmp_path):
    bench = Bench(tmp_path, Policy("finance", DAILY))
    bench.scheduler.once()
    assert bench.journal == []
    bench.ahead = timedelta(days=400)
    bench.scheduler.once()
    assert bench.journal == ["start finance", "end finance"]
    bench.ahead = timedelta()
    assert bench.scheduler._next("finance", datetime.now(UTC)) <= datetime.now(UTC) + timedelta(
        days=1, hours=1
    )


def test_once_starts_what_is_due_or_asked_for(tmp_path):
    owed(tmp_path)
    bench = Bench(tmp_path, Policy("finance", DAILY), Policy("retail", None))
    assert [result.outcome for result in bench.scheduler.once()] == ["done"]
    assert bench.scheduler.once() == []
    assert len(bench.scheduler.once(["retail"])) == 1
    assert bench.journal == ["start finance", "end finance", "start retail", "end retail"]
    with pytest.raises(LeptonError, match="no vertical 'shop'; there are finance, retail"):
        bench.scheduler.once(["shop"])


def test_a_job_that_cannot_be_started_is_a_failure_that_is_said(tmp_path):
    owed(tmp_path)
    bench = Bench(tmp_path, Policy("finance", DAILY))
    bench.scheduler.command = lambda vertical: ["/nothing-there"]
    (result,) = bench.scheduler.once()
    assert (result.outcome, result.code) == ("not started", None)
    assert bench.state["finance"].retry_at is not None
    assert any("nothing-there" in line for line in bench.said)


def test_the_job_is_kedro_retrain():
    assert retrain_command("prod")("finance") == [
        sys.executable,
        "-m",
        "kedro",
        "retrain",
        "finance",
        "--env",
        "prod",
    ]


def test_old_logs_are_removed(tmp_path):
    owed(tmp_path)
    logs = tmp_path / "data/.scheduler/logs/finance"
    logs.mkdir(parents=True)
    for number in range(30):
        (logs / f"20200101T0000{number:02d}Z-1.log").touch()
    Bench(tmp_path, Policy("finance", DAILY)).scheduler.once()
    assert len(list(logs.glob("*.log"))) == 20


def test_no_process_is_left(tmp_path):
    owed(tmp_path)
    bench = Bench(tmp_path, Policy("finance", DAILY), seconds=30)
    pids = []

    def started() -> bool:
        record = read_records(bench.folder / "data/.scheduler/state.json").get("finance")
        running = record and record.running
        if running and running.pid and "start finance" in bench.journal:
            pids.append(running.pid)
        return bool(pids)

    bench.run_until(started)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], signal.SIGCONT)
