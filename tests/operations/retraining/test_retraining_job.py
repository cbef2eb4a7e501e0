"""The job with a real store and pipelines that are made up: what is recorded, however it ends."""

from __future__ import annotations

import json
import shutil
import signal
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from monitored import column, monitored

from lepton_pipeline.errors import DataError
from lepton_pipeline.operations.monitoring.findings import MetricEstimate
from lepton_pipeline.operations.retraining.job import Request, Trained, run_job
from lepton_pipeline.operations.retraining.state import (
    RowCounts,
    as_moment,
    failures,
    job_runs,
    last_training,
    read_champion,
)
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.registry.champion import move_champion
from lepton_pipeline.tracking.artefacts import read_artifact
from lepton_pipeline.tracking.runs import RunLog, Tracking

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BARE = {"dataset": {"target": "y", "positive": 1, "time": "day"}}


ROWS = RowCounts(100, 0, 10, "2026-11-01")


class MadeUp:
    """Pipelines that do what a test says; `asked` is what they were asked to train on."""

    def __init__(self, rows=ROWS, trains=None, monitoring=None):
        self.rows, self.trains, self.monitoring = rows, trains, monitoring
        self.asked = None

    def count_rows(self, champion):
        return self.rows

    def monitor(self):
        return self.monitoring

    def last_monitoring(self):
        return self.monitoring

    def train(self, as_of, since):
        self.asked = (as_of, since)
        if self.trains is not None:
            self.trains()
        return Trained("f" * 32, 7, False, "auc 0.7 is below 0.75")


@pytest.fixture(scope="module")
def log(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("jobs")
    shutil.copy(store, folder / "mlflow.db")
    return RunLog(Tracking(tracking_uri="sqlite:///mlflow.db", artifact_root="mlruns"), folder)


@pytest.fixture
def name():
    return f"shop_{uuid4().hex}"


TAGS = {
    "trained.until": "2026-09-01",
    "data.until": "2026-11-01",
    "trained.rows": "400",
    "data.rows": "500",
    "test.auc": "0.8",
    "test.auc.low": "0.75",
    "test.auc.high": "0.85",
}


def crown(log, name, as_of=None):
    """Make version 1 of a model champion; what its run saw is of the date."""
    run = log.open(name, "training", {})
    log.parameters(run, {"dataset": {"as_of": as_of}})
    log.close(run, "FINISHED")
    log.client.create_registered_model(name)
    log.client.create_model_version(name, log.client.get_run(run).info.artifact_uri, run, tags=TAGS)
    move_champion(log.client, name, 1, "gate", "the first")


def request_of(name, as_of=None, force=False, now=NOW, **policy):
    return Request(name, Vertical.model_validate({**BARE, "retraining": policy}), as_of, now, force)


def do(log, request, steps):
    return run_job(log, request, steps, lambda state, decision: None)


def stored(log, outcome):
    return json.loads(read_artifact(log.client, log.client.get_run(outcome.run_id), "lineage.json"))


def test_a_first_model_is_trained_and_all_of_it_recorded(log, name, tmp_path):
    steps, told = MadeUp(), []
    outcome = run_job(
        log, request_of(name), steps, lambda state, decision: told.append((steps.asked, decision.due))
    )
    # Told before anything is trained.
    assert told == [(None, True)]
    assert steps.asked == (None, None)
    assert (outcome.exit_code, outcome.error, outcome.trained.version) == (0, None, 7)
    run = log.client.get_run(outcome.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"rows.mature": 100, "rows.immature": 0, "rows.new": 10}
    tags = {key: text for key, text in run.data.tags.items() if not key.startswith(("mlflow", "process"))}
    assert tags == {
        "kind": "retraining",
        "as_of": "",
        "due": "true",
        "triggers": "champion",
        "decision": "due: champion: none yet",
        "data.until": "2026-11-01",
        "training.run_id": "f" * 32,
        "version": "7",
        "gate.decision": "refused",
        "gate.reason": "auc 0.7 is below 0.75",
        "exit_code": "0",
    }
    facts = {"forced": "false", "champion.before": "", "champion.after": ""}
    assert stored(log, outcome) == facts
    recorded = json.loads(
        (tmp_path / log.client.download_artifacts(outcome.run_id, "decision.json")).read_text()
    )
    assert recorded["facts"]["now"] == "2026-11-22T12:00:00+00:00"
    # The job at work is none that failed.
    assert outcome.state.consecutive_failures == 0
    assert recorded["decision"]["triggers"][0] == {"name": "champion", "holds": True, "why": "none yet"}
    [job] = job_runs(log.client, name)
    assert (job.due, job.triggers, job.version, job.promoted, job.exit_code) == (
        True,
        ("champion",),
        7,
        False,
        0,
    )


@pytest.mark.parametrize(
    ("as_of", "start"), [(None, None), ("2026-11-01", "2026-08-01T00:00:00"), (5000.0, 4000.0)]
)
def test_the_date_and_the_window_are_those_of_the_training(log, name, as_of, start):
    steps = MadeUp(RowCounts(100, 3, None, "2026-11-01", start))
    outcome = do(log, request_of(name, as_of), steps)
    assert steps.asked == (as_of, start)
    assert log.client.get_run(outcome.run_id).data.metrics["rows.immature"] == 3


def test_nothing_due_is_recorded_too(log, name):
    crown(log, name)
    steps = MadeUp()
    outcome = do(log, request_of(name, max_age="90d", now=datetime.now(UTC)), steps)
    assert (steps.asked, outcome.trained, outcome.exit_code) == (None, None, 0)
    tags = log.client.get_run(outcome.run_id).data.tags
    assert (tags["due"], tags["triggers"], tags["mlflow.runName"]) == ("false", "", "not due")
    assert stored(log, outcome) == {"forced": "false", "champion.before": "1", "champion.after": "1"}
    assert do(log, request_of(name, max_age="90d", force=True), steps).trained is not None


def test_drift_that_monitoring_finds_is_a_reason(log, name):
    crown(log, name)
    drifted = monitored(1, drifted=True, columns=[column("age", flagged=True)])
    outcome = do(log, request_of(name, on_drift=True, now=datetime.now(UTC)), MadeUp(monitoring=drifted))
    assert outcome.decision.holding == ("on_drift",)


def test_a_failed_job_is_failed_with_its_exit_code(log, name):
    def broken():
        raise DataError("column 'age' is gone")

    outcome = do(log, request_of(name), MadeUp(trains=broken))
    assert (outcome.exit_code, str(outcome.error)) == (3, "column 'age' is gone")
    run = log.client.get_run(outcome.run_id)
    assert (run.info.status, run.data.tags["exit_code"]) == ("FAILED", "3")
    assert run.data.tags["error"] == "DataError: column 'age' is gone"
    assert do(log, request_of(name), MadeUp(trains=lambda: 1 / 0)).exit_code == 1
    last, times = failures(job_runs(log.client, name))
    assert times == 2
    assert last > datetime.now(UTC) - timedelta(minutes=5)
    do(log, request_of(name), MadeUp())
    assert failures(job_runs(log.client, name)) == (last, 0)


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        (lambda: signal.raise_signal(signal.SIGTERM), "143"),
        (lambda: signal.raise_signal(signal.SIGINT), "130"),
    ],
)
def test_a_job_that_is_told_to_stop_says_so(log, name, stop, code):
    before = signal.getsignal(signal.SIGTERM)
    # A shell that starts the tests in the background has interrupts ignored.
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises((SystemExit, KeyboardInterrupt)):
            do(log, request_of(name), MadeUp(trains=stop))
        # What is left of the process must not be cut short by a second one.
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupt)
    [job] = job_runs(log.client, name)
    assert (job.status, str(job.exit_code), job.due, job.version) == ("KILLED", code, True, None)
    do(log, request_of(name), MadeUp())
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_job_that_vanished_is_ended_by_the_next(log, name):
    vanished = log.open(f"{name}_retraining", "at work", {})
    log.tag(vanished, {"process.id": "999999999"})
    training = log.open(name, "training", {})
    log.tag(training, {"process.id": "999999999"})
    # A list must not say meanwhile that it is at work.
    [job] = job_runs(log.client, name)
    assert (job.status, job.decision) == ("KILLED", "the process ended without closing its run")
    crown(log, name)
    outcome = do(log, request_of(name), MadeUp())
    assert outcome.decision.due is False
    assert log.client.get_run(vanished).info.status == "KILLED"
    # Its training, too, though this job does not train.
    assert log.client.get_run(training).info.status == "KILLED"


def test_a_signal_after_the_end_changes_no_truth(log, name):
    class Late(MadeUp):
        def train(self, as_of, since):
            close = log.close

            def closed_and_told_to_stop(*arguments):
                log.close = close
                close(*arguments)
                raise SystemExit(143)

            log.close = closed_and_told_to_stop
            return super().train(as_of, since)

    with pytest.raises(SystemExit):
        do(log, request_of(name), Late())
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    [job] = job_runs(log.client, name)
    assert (job.status, job.exit_code) == ("FINISHED", 0)


def test_a_champion_is_as_old_as_the_data_it_saw(log, name):
    assert read_champion(log.client, name, "auc") is None
    assert read_champion(None, name, "auc") is None
    crown(log, name, "2025-06-01")
    found = read_champion(log.client, name, "auc")
    assert (found.version, found.trained_until, found.data_until) == (1, "2026-09-01", "2026-11-01")
    assert (found.training_rows, found.data_rows) == (400, 500)
    assert found.estimate == MetricEstimate("auc", 0.8, 0.75, 0.85)
    assert found.trained_at == as_moment("2025-06-01") < found.promoted_at
    assert read_champion(log.client, name, "f1").estimate is None


def test_a_champion_without_a_date_is_as_old_as_its_run(log, name):
    crown(log, name)
    found = read_champion(log.client, name, "auc")
    assert timedelta(0) <= found.promoted_at - found.trained_at < timedelta(minutes=5)


def test_the_last_training_is_one_that_the_gate_has_judged_by_then(log, name):
    for as_of, tags in (
        ("2025-03-01", {"gate.decision": "refused"}),
        ("2025-06-01", {"gate.decision": "promoted"}),
    ):
        run = log.open(name, "training", tags)
        log.parameters(run, {"dataset": {"as_of": as_of}})
        log.close(run, "FINISHED")
    log.close(log.open(name, "part of one", {}), "FINISHED")
    log.close(log.open(name, "failed", {"gate.decision": "promoted"}), "FAILED")
    assert last_training(log.client, name, as_moment("2025-05-01")) == as_moment("2025-03-01")
    assert last_training(log.client, name, as_moment("2026-01-01")) == as_moment("2025-06-01")
    assert last_training(log.client, name, as_moment("2025-01-01")) is None
    assert last_training(log.client, "never", NOW) is None
