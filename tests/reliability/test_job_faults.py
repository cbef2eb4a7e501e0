"""A retraining job that is killed, or finds disk or store in a bad state: what stays, and what the next one does."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import Project
from killer import STEPS

from lepton_pipeline.operations.retraining.state import job_runs
from lepton_pipeline.pipelines.training import create_pipeline
from lepton_pipeline.registry.champion import champion_of
from lepton_pipeline.registry.versions import load_artefact
from lepton_pipeline.system.locks import JobLock

pytestmark = pytest.mark.exhaustive

JOB = ("retrain", "finance")
TERM = " (SIGTERM)"
# Before there is a champion a job trains without being told to, and monitors nothing: each costs little.
KILLS = (
    "before the lock",
    "its run is open" + TERM,
    "counting rows",
    "decision recorded" + TERM,
    "finance.train_model",
    "alias moved",
)


def champion(project: Project) -> tuple[int | None, str]:
    """The version in use, whose files are those that were registered, and their checksum."""
    import mlflow

    client = project.client()
    for point in (mlflow.set_tracking_uri, mlflow.set_registry_uri):
        point(f"sqlite:///{project.path}/mlflow.db")
    version = champion_of(client, "finance")
    if version is None:
        return None, ""
    load_artefact(client, "finance", version)
    return version, client.get_model_version("finance", str(version)).tags["artefact.sha256"]


def require_free(project: Project) -> None:
    with JobLock(project.path / "data/.locks", "finance") as holder:
        assert holder is None


def open_runs(project: Project) -> list[str]:
    experiments = ("finance", "finance_retraining", "finance_monitoring")
    return [name for name in experiments for run in project.runs(name) if run.info.status == "RUNNING"]


def killed(warm: Any, project: Project, step: str, *options: str) -> None:
    """Run a job that is stopped at a step; what it has begun is, or is said to be, ended."""
    before = len(project.runs("finance_retraining"))
    done = warm.run(project.path, *JOB, *options, kill=("job", step))
    assert done.returncode == (143 if step.endswith(TERM) else -9), (step, done.said)
    require_free(project)
    begun = job_runs(project.client(), "finance")
    assert len(begun) == before + (step not in ("before the lock", "locked")), step
    # Also of a run that says of itself that it goes on.
    assert {job.status for job in begun} <= {"KILLED", "FINISHED"}, step
    if step.endswith(TERM) and len(begun) > before:
        ended = {"closed" + TERM: ("FINISHED", 0), "its run is open" + TERM: ("KILLED", None)}
        assert (begun[0].status, begun[0].exit_code) == ended.get(step, ("KILLED", 143)), step
        assert open_runs(project) == [], step


def test_a_killed_job_leaves_a_whole_champion_a_free_lock_and_the_truth(
    warm, make_small, tmp_path, exhaustive
):
    project = make_small(tmp_path / "project")
    for step in KILLS if exhaustive else (KILLS[0], *KILLS[3:]):
        killed(warm, project, step)
        assert champion(project)[0] == (1 if step == "alias moved" else None), step
    first = champion(project)

    # The job that died had done its work: the next finds nothing to do, and ends what the dead have left.
    done = warm.run(project.path, *JOB)
    assert done.returncode == 0, done.said
    assert "not due: there is a champion" in done.stdout
    assert champion(project) == first
    assert open_runs(project) == []
    assert len(project.client().search_model_versions("name = 'finance'")) == 1
    listed = warm.run(project.path, "retrain-log", "finance").stdout
    assert (listed.count("the process ended without closing its run"), listed.count("was told to stop")) == (
        4 if exhaustive else 2,
        1,
    )

    reseed(project, 1)
    killed(warm, project, "alias to be moved" + TERM, "--force")
    assert champion(project) == first
    if exhaustive:
        every_step(warm, project)


def reseed(project: Project, seed: int) -> None:
    """Let the next training make another model: the gate has nothing to do for the same one."""
    project.declare("finance", lambda declared: declared["training"].update(seed=seed))


def every_step(warm: Any, project: Project) -> None:
    nodes = [node.name for node in create_pipeline("finance").nodes]
    moving = nodes.index("finance.gate_model")
    # What a node itself leaves when it is killed is tried at every one of them in a run of its own.
    judging = nodes[nodes.index("finance.register_model") :]
    some = [node for number, node in enumerate(nodes) if number % 4 == 0 or node in judging]
    for number, step in enumerate([*STEPS, "finance.score_new_rows", *some]):
        # A signal at a node is handled in one way; which one it is matters little.
        for way in ("", TERM) if step in STEPS else (("", TERM)[number % 2],):
            if way and step in ("before the lock", "locked"):
                continue
            before = champion(project)
            reseed(project, 20 + 2 * number + bool(way))
            killed(warm, project, step + way, "--force")
            moved = step in ("alias moved", "closing", "closed") or (
                step in nodes and nodes.index(step) > moving
            )
            after = champion(project)
            assert (after != before) == moved, step
    done = warm.run(project.path, *JOB)
    assert done.returncode == 0, done.said
    assert open_runs(project) == []
    assert champion(project) == after


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[None]:
    """A file system of a few megabytes."""
    path.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def fill(folder: Path, left: int) -> Path:
    """Leave so many bytes of a file system."""
    filler = folder / "filler"
    filler.write_bytes(b"\0" * (shutil.disk_usage(folder).free - left))
    return filler


@pytest.mark.parametrize(
    "left",
    [
        pytest.param(0, marks=pytest.mark.exhaustive),
        200_000,
        pytest.param(10**6, marks=pytest.mark.exhaustive),
    ],
)
def test_a_full_disk_is_said_and_once_there_is_room_the_job_is_done(warm, make_small, tmp_path, left):
    made = make_small(tmp_path / "made")
    with small_disk(tmp_path / "disk", 20):
        project = Project(tmp_path / "disk/project")
        shutil.copytree(made.path, project.path)
        filler = fill(tmp_path / "disk", left)
        full = warm.run(project.path, *JOB)
        # A code that a scheduler tries again after.
        assert full.returncode == 1, full.said
        assert "full" in full.stderr
        assert "Traceback" not in full.said
        require_free(project)
        filler.unlink()
        done = warm.run(project.path, *JOB)
        assert done.returncode == 0, done.said
        assert champion(project)[0] == 1
        assert open_runs(project) == []


def test_a_store_that_another_process_keeps_locked_is_said_and_tried_again_later(warm, make_small, tmp_path):
    project = make_small(tmp_path / "project")
    other = sqlite3.connect(project.path / "mlflow.db")
    other.execute("begin exclusive")
    locked = warm.run(project.path, *JOB)
    other.rollback()
    other.close()
    assert locked.returncode == 1, locked.said
    assert "database is locked" in locked.stderr
    assert "that no process keeps it locked" in locked.stderr
    assert "Traceback" not in locked.said
    require_free(project)
    assert project.runs("finance_retraining") == []


def test_two_processes_never_work_on_one_pipeline(warm, make_small, tmp_path):
    project = make_small(tmp_path / "project")
    up_to = ("run", "--pipelines", "finance", "--to-nodes", "finance.ingest_table")
    with JobLock(project.path / "data/.locks", "finance"):
        refused = warm.run(project.path, *up_to)
        skipped = warm.run(project.path, *JOB)
    assert refused.returncode == 1, refused.said
    assert (
        f"finance: another process is at work on it (kedro retrain, process {os.getpid()} on"
        in refused.stderr
    )
    assert (skipped.returncode, project.runs("finance_retraining")) == (0, [])
    assert "finance: another job is at work (kedro retrain, process" in skipped.stdout
    assert project.runs() == []
    # Scoring writes other files: a training of hours does not keep it.
    with JobLock(project.path / "data/.locks", "finance_scoring"):
        free = warm.run(project.path, *up_to)
    assert free.returncode == 0, free.said


def test_a_wrong_schedule_is_refused_by_name_and_stops_its_vertical_only(warm, make_small, tmp_path):
    wrong = "61 3 * * *"
    project = make_small(tmp_path / "project")
    project.declare("shop", lambda declared: declared.update(retraining={"schedule": wrong}))
    for command in (("retrain", "shop"), ("run", "--pipelines", "shop"), ("vertical", "check", "shop")):
        done = warm.run(project.path, *command)
        assert done.returncode == 2, (command, done.said)
        assert f"shop.retraining.schedule: '{wrong}'" in done.said
    done = warm.run(project.path, "run", "--pipelines", "finance", "--to-nodes", "finance.ingest_table")
    assert done.returncode == 0, done.said
