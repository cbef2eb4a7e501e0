"""Alerts of whole jobs, `kedro alerts test` and `kedro status`, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from alert_servers import Webhook, closed_port, serving

CODE = """
import sys
from kedro.framework.cli import main
sys.argv = ["kedro", "status", "--html", "out/status.html"]
try:
    main()
except SystemExit as exit:
    assert not exit.code, exit.code
print("imported:", [name for name in ("torch", "great_expectations", "matplotlib") if name in sys.modules])
"""


@pytest.fixture(scope="module")
def project(trained, tmp_path_factory):
    return trained[0].copy(tmp_path_factory.mktemp("alerts") / "project")


def holding(folder, text):
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def declare(project, **alerts):
    gate = {"metric": "auc", "at_least": 0.6, "baseline_margin": 0.5}
    project.declare("finance", lambda declared: declared.update(alerts=alerts, gate=gate))


def told(hook):
    return [(taken["cause"], taken["text"]) for taken in hook.taken]


@pytest.mark.exhaustive
def test_jobs_tell_who_is_declared_and_keep_the_address_to_themselves(project):
    raw = project.path / "data/01_raw/finance/sample.csv.gz"
    rows = raw.read_bytes()
    with serving(Webhook()) as hook:
        declare(project, webhook="${oc.env:ALERTS_WEBHOOK}", file="alerts.jsonl")
        environment = {"ALERTS_WEBHOOK": hook.address}

        def retrain(*options):
            return project.run("retrain", "finance", *options, environment=environment)

        # Nothing to tell, and a run whose parameters are recorded.
        monitored = retrain()
        assert (monitored.returncode, hook.taken) == (0, []), monitored.stderr
        # Another seed: the same model again would not be refused.
        project.declare("finance", lambda declared: declared["training"].update(seed=8))
        project.declare("finance", lambda declared: declared["gate"].update(at_least=0.99))
        refused = retrain("--force", "--fail-on-refusal")
        assert refused.returncode == 4, refused.stderr
        assert "finance: alert refused: webhook, file" in refused.stderr
        raw.write_bytes(b"ID\n1\n")
        broken = retrain()
        assert broken.returncode == 3, broken.stderr
        raw.write_bytes(rows)
        project.declare("finance", lambda declared: declared["gate"].update(at_least="high"))
        wrong = retrain()
        assert wrong.returncode == 2
        assert "finance.gate.at_least: 'high' must be" in wrong.stderr
        # Somebody's slip of the pen is nobody else's affair.
        assert retrain("--as-of", "soon").returncode == 2
        assert retrain("--dry-run").returncode == 2
    assert [cause for cause, _ in told(hook)] == ["refused", "contract", "failed"]
    assert "0.99" in told(hook)[0][1]
    assert f"run {project.runs('finance')[0].info.run_id}" in told(hook)[0][1]
    assert "finance.gate.at_least: 'high' must be" in told(hook)[2][1]
    lines = (project.path / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == hook.taken
    tags = [run.data.tags.get("alerts") for run in project.runs("finance_retraining")]
    assert tags == ["contract: webhook, file", "refused: webhook, file", None]
    shown = "".join(done.stdout + done.stderr for done in (monitored, refused, broken, wrong))
    for secret in ("S3CRET", "T0KEN"):
        assert secret not in shown
        assert holding(project.path, secret) == []
    assert project.runs("finance")[0].data.params["alerts.webhook"] == "http://127.0.0.1/***"


def test_a_trial_goes_by_every_channel_and_says_which_failed(project):
    with serving(Webhook()) as hook:
        declare(project, webhook=hook.address, file="trial.jsonl")
        for _ in range(2):
            done = project.run("alerts", "test", "finance")
            assert (done.returncode, done.stdout.split()) == (0, ["webhook", "sent", "file", "sent"]), (
                done.stderr
            )
    assert len(hook.taken) == 2
    assert "finance: a test" in hook.taken[0]["text"]
    nobody = {
        "to": ["ada@example.org"],
        "sender": "jobs@example.org",
        "host": "127.0.0.1",
        "port": closed_port(),
    }
    declare(project, mail=nobody, file="trial.jsonl")
    done = project.run("alerts", "test", "finance")
    assert done.returncode == 1
    assert "mail     failed: 127.0.0.1:" in done.stdout
    assert "Connection refused, 4 times" in done.stdout
    declare(project)
    done = project.run("alerts", "test", "finance")
    assert (done.returncode, "no channel is declared" in done.stderr) == (2, True)


def test_the_status_of_a_project_is_light_and_a_page(project):
    declare(project)
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=project.path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "imported: []"
    assert "version 1" in done.stdout
    assert "The same as a page: out/status.html" in done.stdout
    page = (project.path / "out/status.html").read_text()
    assert 'href="../data/08_reporting/finance/report/report.html"' in page
