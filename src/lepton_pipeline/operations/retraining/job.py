"""The retraining job: gather inputs, decide, train, with an MLflow run of its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.evaluation.decision import GateDecision, verdict
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.retraining.policy import Decision, decide
from lepton_pipeline.operations.retraining.state import (
    Champion,
    RetrainingState,
    RowCounts,
    failures,
    job_runs,
    last_training,
    read_champion,
    read_monitoring,
)
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.parameters.jobs import KIND, RETRAINING, Job
from lepton_pipeline.project.user_errors import store_lost, user_error
from lepton_pipeline.registry.champion import champion_of
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.system.records import to_plain
from lepton_pipeline.system.signals import ignore_sigterm, unwinding
from lepton_pipeline.tracking.runs import RunLog

logger = logging.getLogger(__name__)
_INTERRUPTED = 130
_TEXT_CHARACTERS = 2000


@dataclass(frozen=True)
class Trained:
    """The result of a training; `promoted` is None where the champion is the same model."""

    run_id: str
    version: int
    promoted: bool | None
    reason: str

    @classmethod
    def of(cls, registration: Registration, decision: GateDecision) -> Trained:
        """Build it from the outputs of the last two nodes of a training."""
        return cls(registration.run_id, decision.version, decision.promoted, decision.reason)


class Steps(Protocol):
    """The pipelines of a vertical that a job runs."""

    def count_rows(self, champion: Champion | None) -> RowCounts:
        """Read the table as a training would, and count its rows."""

    def monitor(self) -> MonitoringResult | None:
        """Compare new rows with the champion's; None without a monitoring pipeline."""

    def last_monitoring(self) -> MonitoringResult | None:
        """The latest monitoring result, if any."""

    def train(self, as_of: str | float | None, since: str | float | None) -> Trained:
        """Train, up to the gate's decision."""


@dataclass(frozen=True)
class Request:
    """The parameters of a job."""

    vertical: str
    declared: Vertical
    as_of: str | float | None  # the date that it decides for; None: now
    now: datetime  # in UTC
    force: bool  # train whatever the policy says


@dataclass(frozen=True)
class Outcome:
    """How a job ended; None where it did not get so far."""

    run_id: str
    state: RetrainingState | None
    decision: Decision | None
    trained: Trained | None
    error: Exception | None
    exit_code: int


def gather_state(
    client: Any, request: Request, steps: Steps, *, monitor: bool
) -> tuple[RetrainingState, RowCounts]:
    """Gather the inputs of a decision; without `monitor` the latest monitoring result counts."""
    vertical, now = request.vertical, request.now
    champion = read_champion(client, vertical, request.declared.gate.metric)
    rows = steps.count_rows(champion)
    result = None
    if champion is not None:
        result = steps.monitor() if monitor else steps.last_monitoring()
    last_failure, failed = failures(job_runs(client, vertical))
    state = RetrainingState(
        now=now,
        champion=champion,
        mature_rows_total=rows.mature,
        new_mature_rows=rows.new,
        last_training_at=last_training(client, vertical, now),
        last_failure_at=last_failure,
        consecutive_failures=failed,
        **read_monitoring(result, champion),
    )
    return state, rows


def run_job(
    log: RunLog, request: Request, steps: Steps, decided: Callable[[RetrainingState, Decision], None]
) -> Outcome:
    """Decide, and train where that is due.

    The caller holds the lock of the vertical. An error is in the outcome; SIGTERM and an interrupt pass
    through once the run is closed as KILLED. `decided` is called once the decision is recorded, before a
    training.
    """
    with unwinding():
        work = _Work(log, request, steps)
        try:
            work.begin()
            work.run(decided)
            return work.finished()
        except Exception as error:
            return work.failed(error)
        except BaseException as stop:
            ignore_sigterm()
            work.killed(stop)
            raise


class _Work:
    def __init__(self, log: RunLog, request: Request, steps: Steps):
        self._log, self._request, self._steps = log, request, steps
        self._experiment = Job(request.vertical, RETRAINING).name
        self._run_id = ""
        self._state: RetrainingState | None = None
        self._decision: Decision | None = None
        self._trained: Trained | None = None

    def begin(self) -> None:
        request, log = self._request, self._log
        tags = {KIND: RETRAINING, "as_of": "" if request.as_of is None else str(request.as_of)}
        before = champion_of(log.client, request.vertical)
        self._run_id = log.open(self._experiment, "at work", tags, {})
        log.lineage(self._run_id, {"forced": _text(request.force), "champion.before": _text(before)})
        # Runs of killed jobs: the holder of the lock knows that no other job is running.
        log.close_orphans(request.vertical)

    def run(self, decided: Callable[[RetrainingState, Decision], None]) -> None:
        request, log = self._request, self._log
        self._state, rows = gather_state(log.client, request, self._steps, monitor=True)
        self._decision = decide(request.declared.retraining, self._state, force=request.force)
        self._record(self._state, self._decision, rows)
        decided(self._state, self._decision)
        if not self._decision.due:
            return
        self._trained = self._steps.train(request.as_of, rows.window_start)
        tags = {
            "training.run_id": self._trained.run_id,
            "version": str(self._trained.version),
            "gate.decision": verdict(self._trained.promoted),
            "gate.reason": self._trained.reason[:_TEXT_CHARACTERS],
        }
        log.tag(self._run_id, tags)

    def finished(self) -> Outcome:
        return self._close("FINISHED", None, 0)

    def failed(self, error: Exception) -> Outcome:
        if not self._run_id:
            raise error
        known = user_error(error)
        return self._close("FAILED", error, LeptonError.exit_code if known is None else known.exit_code)

    def killed(self, stop: BaseException) -> None:
        if not self._run_id:
            # The signal came while the run was opened.
            self._log.close_orphans(self._experiment)
            return
        code = stop.code if isinstance(stop, SystemExit) and isinstance(stop.code, int) else _INTERRUPTED
        self._close("KILLED", "the process was told to stop", code)

    def _record(self, state: RetrainingState, decision: Decision, rows: RowCounts) -> None:
        log, run_id = self._log, self._run_id
        tags = {
            "due": _text(decision.due),
            "triggers": ",".join(decision.holding),
            "decision": decision.why[:_TEXT_CHARACTERS],
            "data.until": rows.latest or "",
        }
        log.tag(run_id, tags)
        log.rename(run_id, f"due: {', '.join(decision.holding)}" if decision.due else "not due")
        counts = {"rows.mature": rows.mature, "rows.immature": rows.immature, "rows.new": rows.new}
        log.metrics(run_id, {key: value for key, value in counts.items() if value is not None})
        content = {"facts": to_plain(state), "decision": to_plain(decision)}
        plain = json.loads(json.dumps(content, default=datetime.isoformat))
        log.client.log_dict(run_id, plain, "decision.json")

    def _close(self, status: str, error: Exception | str | None, exit_code: int) -> Outcome:
        """End the run; where the store is gone, a later job of the vertical ends it."""
        try:
            if self._log.client.get_run(self._run_id).info.status != "RUNNING":
                # The signal came after the run was closed.
                return self._outcome(None, exit_code)
            if status != "FINISHED":
                self._log.rename(self._run_id, status.lower())
            after = champion_of(self._log.client, self._request.vertical)
            self._log.tag(self._run_id, {"exit_code": str(exit_code)})
            self._log.lineage(self._run_id, {"champion.after": _text(after)})
            self._log.close(self._run_id, status, error)
        except Exception as refused:
            if not store_lost(refused):
                raise
            text = "%s: MLflow's store is gone; the next job that reaches it ends run %s there"
            logger.warning(text, self._request.vertical, self._run_id)
            if status == "FINISHED":
                return self._outcome(refused, LeptonError.exit_code)
        return self._outcome(error if isinstance(error, Exception) else None, exit_code)

    def _outcome(self, error: Exception | None, exit_code: int) -> Outcome:
        return Outcome(self._run_id, self._state, self._decision, self._trained, error, exit_code)


def _text(value: bool | int | None) -> str:
    return "" if value is None else str(value).lower()
