"""What the scheduler tells of jobs that could not tell it themselves."""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from conftest import copy_face

from lepton_pipeline.operations.schedule.policies import Cron, Policies, Policy
from lepton_pipeline.operations.schedule.scheduler import Options, Scheduler, alert_cause, alert_sender
from lepton_pipeline.operations.schedule.state import Record, Result, State

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAILY = Cron("0 3 * * *", "UTC")


@pytest.mark.parametrize(
    ("outcome", "code", "again", "told"),
    [
        (
            "timed out",
            -15,
            None,
            ("hung", "within 2 h and was stopped; it starts again at its next scheduled time"),
        ),
        ("timed out", -15, NOW, ("hung", "it starts again at 12:00 UTC")),
        ("failed", 1, NOW, None),
        (
            "failed",
            1,
            None,
            ("failed", "The job ended with exit code 1, at attempt 2 of 3. Its output: x.log"),
        ),
        ("failed", -9, None, ("failed", "ended with exit code -9")),
        ("not started", None, None, ("failed", "The job could not be started")),
        ("lost", None, None, ("failed", "was lost when the scheduler was killed")),
        ("failed", 3, None, None),
        ("failed", 4, None, None),
        ("stopped", -15, None, None),
        ("done", 0, None, None),
    ],
)
def test_what_a_job_could_not_tell_is_told(outcome, code, again, told):
    policy = Policy("finance", DAILY, retries=2, timeout=7200.0)
    found = alert_cause(policy, Result(outcome, code, 2, NOW, NOW, "x.log"), again)
    if told is None:
        assert found is None
    else:
        assert found[0] == told[0]
        assert told[1] in found[1]


@pytest.mark.parametrize(
    ("job", "timeout", "causes"),
    [
        ("import time; time.sleep(60)", 0.3, ["hung", "hung", "failed"]),
        ("raise SystemExit(1)", 60.0, ["failed", "failed"]),
        ("raise SystemExit(3)", 60.0, ["failed"]),
        ("", 60.0, ["failed"]),
    ],
)
def test_a_scheduler_tells_of_hung_and_failed_jobs_and_wrong_policies(tmp_path, job, timeout, causes):
    (tmp_path / "conf").mkdir()
    state = tmp_path / "data/.scheduler/state.json"
    State(state).put("finance", Record(datetime.now(UTC) - timedelta(days=3)))
    policies = Policies({"finance": Policy("finance", DAILY, 1, timeout)}, {"retail": "retail.x: wrong"})
    told, options = [], Options(grace=20, first_retry=timedelta(0))
    scheduler = Scheduler(
        tmp_path,
        lambda vertical: [sys.executable, "-c", job],
        lambda line: None,
        options,
        lambda: policies,
        tell=lambda *alert: told.append(alert[:3]),
    )
    scheduler.once()
    scheduler.once()
    assert told[0] == ("retail", "failed", "It is not scheduled: retail.x: wrong")
    assert sorted(cause for _, cause, _ in told) == sorted(causes)
    assert {vertical for vertical, _, _ in told[1:]} <= {"finance"}


@pytest.fixture
def site(tmp_path):
    copy_face(tmp_path, ["finance"])
    path = tmp_path / "conf/base/finance/parameters.yml"

    def declare(**parts):
        content = yaml.safe_load(path.read_text())
        content["finance"].update(parts)
        path.write_text(yaml.safe_dump(content))

    return tmp_path, declare


def test_another_process_tells_whatever_else_of_the_declaration_is_wrong(site, monkeypatch):
    folder, declare = site
    monkeypatch.setenv("WHERE", "alerts.jsonl")
    declare(alerts={"file": "${oc.env:WHERE}"}, gate={"metric": 5})
    said: list[str] = []
    tell = alert_sender(folder, None, said.append)
    for _ in range(2):
        tell("finance", "hung", "It took too long.", NOW, {"attempt": "1 of 2"})
    (line,) = (folder / "alerts.jsonl").read_text().splitlines()
    alert = json.loads(line)
    assert (alert["cause"], alert["at"], alert["details"]["attempt"]) == ("hung", NOW.isoformat(), "1 of 2")
    assert said == [
        "finance: alert hung: file",
        "finance: alert hung: file held back (until 2026-11-23 12:00 UTC)",
    ]
    declare(alerts={"fil": "alerts.jsonl"})
    tell("finance", "hung", "", NOW, {})
    assert said[2:] == ["finance: no alert is sent: the declaration of alerts cannot be read"]
    declare(alerts={})
    tell("finance", "hung", "", NOW, {})
    assert len(said) == 3


def test_a_teller_that_cannot_begin_is_a_line(tmp_path):
    said: list[str] = []
    before = threading.active_count()
    alert_sender(tmp_path / "gone", None, said.append)("finance", "hung", "", NOW, {})
    assert said == ["finance: no alert can be sent: FileNotFoundError"]
    assert threading.active_count() == before
