"""The scheduler as a process, beside a whole configuration."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from conftest import copy_face

JOB = """
import pathlib, sys, time
def note(what):
    with open("journal", "a") as journal:
        journal.write(what + " ")
note(sys.argv[1]); time.sleep(float(pathlib.Path("seconds").read_text())); note("end")
"""
SMALL = ("pandas", "numpy", "torch", "mlflow", "kedro", "pydantic", "omegaconf")


class Site:
    """A project whose jobs are small scripts."""

    def __init__(self, path: Path):
        self.path, self.state, self.started = path, path / "data/.scheduler/state.json", []
        copy_face(path, ["finance", "retail"])
        (path / "seconds").write_text("0")
        self.declare("finance", {"schedule": "0 3 * * *", "zone": "Europe/Berlin"})
        self.declare("retail", {})

    def declare(self, vertical: str, retraining: object) -> None:
        file = self.path / "conf/base" / vertical / "parameters.yml"
        content = yaml.safe_load(file.read_text())
        content[vertical]["retraining"] = retraining
        file.write_text(yaml.safe_dump(content))

    def owe(self, **fields: object) -> None:
        record = {
            "seen": "2026-01-01T00:00:00+00:00",
            "attempt": 0,
            "retry_at": None,
            "running": None,
            "last": None,
        }
        self.state.parent.mkdir(parents=True, exist_ok=True)
        self.state.write_text(json.dumps({"verticals": {"finance": record | fields}}))

    def record(self) -> dict[str, object]:
        return dict(json.loads(self.state.read_text())["verticals"]["finance"])

    def start(self, action: str = "run") -> subprocess.Popen[str]:
        job = f"{shlex.quote(sys.executable)} -c {shlex.quote(JOB)} {{vertical}}"
        command = [sys.executable, "-m", "lepton_pipeline.operations.schedule", action, "--job", job]
        if action == "run":
            command += ["--poll", "0.1", "--grace", "20"]
        self.started.append(subprocess.Popen(command, cwd=self.path, stderr=subprocess.PIPE, text=True))
        return self.started[-1]

    def journal(self) -> list[str]:
        path = self.path / "journal"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    made = Site(tmp_path / "project")
    yield made
    for process in made.started:
        process.terminate()
        process.wait()
        process.stderr.close()


def wait_for(reached: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.exhaustive
def test_a_killed_scheduler_leaves_its_job_alone_and_the_next_one_looks_after_it(site):
    site.owe()
    site.declare("retail", {"schedule": "61 3 * * *"})
    (site.path / "seconds").write_text("6")
    first = site.start()
    wait_for(site.journal)
    wait_for(lambda: site.record()["running"]["pid"])
    second = site.start("once")
    said = second.communicate()[1]
    assert second.returncode == 1
    assert f"a scheduler of this project is at work already: kedro schedule, process {first.pid} on " in said
    first.kill()
    said = first.communicate()[1]
    assert "retail.retraining.schedule: '61 3 * * *': bad minute" in said
    assert "retail is not scheduled until this is corrected; the others are" in said
    os.kill(site.record()["running"]["pid"], 0)
    third = site.start()
    # Only after the first had ended was the job started again.
    wait_for(lambda: site.journal() == ["finance", "end", "finance"])
    (site.path / "seconds").write_text("0")
    third.send_signal(signal.SIGTERM)
    said = third.communicate()[1]
    assert third.returncode == 0
    assert "finance: lost" in said
    assert said.splitlines()[-1].endswith("stopped")
    assert site.record()["last"]["outcome"] == "stopped"
    once = site.start("once")
    assert (once.communicate()[0], once.returncode) == (None, 0)
    assert site.record()["last"]["outcome"] == "done"
    assert site.journal() == ["finance", "end", "finance", "finance", "end"]


def test_an_idle_scheduler_takes_less_than_60_mib(site):
    scheduler = site.start()
    try:
        wait_for(site.state.exists)
        wait_for(lambda: "finance" in site.state.read_text())
        time.sleep(0.5)
        status = Path(f"/proc/{scheduler.pid}/status").read_text()
    finally:
        scheduler.terminate()
    highest = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert highest < 60 * 1024


def test_the_scheduler_imports_nothing_heavy():
    code = (
        "import sys, lepton_pipeline.operations.schedule.__main__; "
        f"print([name for name in {SMALL} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.exhaustive
def test_kedro_schedule_lists_exports_and_becomes_the_scheduler(site):
    def kedro(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kedro", "schedule", *words],
            cwd=site.path,
            env={**os.environ, "COLUMNS": "160"},
            capture_output=True,
            text=True,
            check=False,
        )

    site.declare("retail", {"schedule": "0 3 * * *", "zone": "Europe/Berlinn"})
    listed = kedro("list")
    assert listed.returncode == 0, listed.stderr
    assert "0 3 * * *" in listed.stdout
    assert " 03:00 CE" in listed.stdout
    assert "retail.retraining.zone: 'Europe/Berlinn' is no time zone" in listed.stdout
    exported = kedro("export", "systemd", "--out", "units")
    assert exported.returncode == 2
    assert "retail.retraining.zone" in exported.stderr
    assert (site.path / "units/lepton-retrain-finance.timer").exists()
    once = kedro("once")
    assert (once.returncode, "nothing is due" in once.stderr) == (0, True), once.stderr
