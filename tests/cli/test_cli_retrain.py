"""`kedro retrain` and `kedro retrain-log`, in processes of their own, as a scheduler starts them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from lepton_pipeline.cli.retrain import retrain
from lepton_pipeline.system.locks import JobLock


def files(project):
    return {
        path: path.stat().st_mtime_ns
        for path in project.path.rglob("*")
        if path.is_file() and ".db" not in path.name
    }


def test_a_dry_run_says_which_triggers_hold_and_writes_nothing(trained):
    project, _ = trained
    before = files(project)
    done = project.run("retrain", "finance", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "version 1" in done.stdout
    assert "not declared; 0 rows with known labels since" in done.stdout
    assert "not due: there is a champion, and no trigger is declared" in done.stdout
    assert files(project) == before
    assert project.runs("finance_retraining") == []


def test_a_job_decides_and_is_listed_and_a_second_one_says_who_is_at_work(trained, tmp_path):
    project = trained[0].copy(tmp_path / "project")
    project.declare(
        "finance", lambda declared: declared.update(retraining={"max_age": "1000d", "on_new_rows": 0.1})
    )
    done = project.run("retrain", "finance")
    assert done.returncode == 0, done.stderr
    assert "0 rows with known labels since, 0.0% of 1,200 training rows; wanted 0.1" in done.stdout
    assert [run.info.status for run in project.runs("finance_retraining")] == ["FINISHED"]
    assert len(project.runs("finance")) == 1
    listed = project.run("retrain-log", "finance").stdout
    assert "nothing due" in listed
    assert "no trigger holds" in listed
    with JobLock(project.path / "data/.locks", "finance"):
        second = project.run("retrain", "finance", "--force")
    assert (second.returncode, len(project.runs("finance_retraining"))) == (0, 1)
    assert "finance: another job is at work (kedro retrain, process " in second.stdout


def test_what_cannot_be_done_is_one_message_and_exit_code_2(trained):
    project, _ = trained
    done = project.run("retrain", "finance", "--dry-run", "--as-of", "2026-01-01")
    assert done.returncode == 2
    assert "error: finance.dataset.as_of: '2026-01-01' needs dataset.time" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["finanse"], "no vertical 'finanse'; did you mean 'finance'?"),
        (["finance", "--as-of", "soon"], "--as-of: 'soon' is no date; write 2026-01-31"),
        (["finance", "--as-of", "2999-01-01"], "--as-of: 2999-01-01 is in the future"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_locked(trained, monkeypatch, arguments, message):
    monkeypatch.chdir(trained[0].path)
    before = files(trained[0])
    done = CliRunner().invoke(retrain, arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert files(trained[0]) == before
