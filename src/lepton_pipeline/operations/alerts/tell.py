"""Send the alerts of a vertical's jobs; `python -m` of this module does so for the scheduler."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lepton_pipeline.operations.alerts.causes import alert_of_error, alerts_of
from lepton_pipeline.operations.alerts.send import Alert, Outcome, send, summary
from lepton_pipeline.operations.retraining.job import Outcome as JobOutcome
from lepton_pipeline.operations.retraining.job import Request
from lepton_pipeline.operations.schedule.read import read_own
from lepton_pipeline.parameters import Alerts
from lepton_pipeline.system.readable import say
from lepton_pipeline.tracking.runs import RunLog

_TAG = "alerts"
_TAG_CHARACTERS = 2000


def tell_of_job(project: Path, request: Request, outcome: JobOutcome, log: RunLog) -> None:
    """Send the alerts that follow from a job, print the outcomes and tag the job's run with them."""
    alerts = request.declared.alerts
    if not is_anybody(alerts):
        return
    places = {"job": _place(log, outcome.run_id)}
    if outcome.trained is not None:
        places["training"] = _place(log, outcome.trained.run_id)
    places["host"] = socket.gethostname()
    # An error here does not change the outcome of the job.
    try:
        found = alerts_of(request, outcome, places, datetime.now(UTC))
        lines = [summary(alert, _tell(alert, alerts, project)) for alert in found]
        if lines:
            log.tag(outcome.run_id, {_TAG: "; ".join(lines)[:_TAG_CHARACTERS]})
    except Exception as error:
        _say(f"{request.vertical}: an alert was not sent, or its run not tagged: {type(error).__name__}")


def tell_of_error(project: Path, env: str | None, vertical: str, error: Exception) -> None:
    """Send an alert about an error that kept a job from starting."""
    tell(project, env, alert_of_error(vertical, error, datetime.now(UTC), {"host": socket.gethostname()}))


def tell(project: Path, env: str | None, alert: Alert) -> list[Outcome]:
    """Send an alert; only the declaration of alerts needs to be readable."""
    try:
        alerts = read_alerts(project, env, alert.vertical)
    except Exception:  # The cause was printed where the rest of the declaration is read.
        _say(f"{alert.vertical}: no alert is sent: the declaration of alerts cannot be read")
        return []
    return _tell(alert, alerts, project) if is_anybody(alerts) else []


def trial(vertical: str, alerts: Alerts, project: Path) -> list[Outcome]:
    """Send a test alert by every declared channel."""
    text = "Alerts of this vertical are delivered: this is a test by `kedro alerts test`."
    alert = Alert(vertical, "a trial", text, datetime.now(UTC), {"host": socket.gethostname()})
    return send(alert, alerts, project, anyway=True)


def read_alerts(project: Path, env: str | None, vertical: str) -> Alerts:
    """Read the declaration of alerts alone; errors of any library pass through."""
    declared = read_own(project, env, vertical)
    return Alerts.model_validate(declared.get("alerts") or {} if isinstance(declared, Mapping) else {})


def is_anybody(alerts: Alerts) -> bool:
    """Whether a channel is declared."""
    return (alerts.webhook, alerts.mail, alerts.file) != (None, None, None)


def _tell(alert: Alert, alerts: Alerts, project: Path) -> list[Outcome]:
    outcomes = send(alert, alerts, project)
    _say(f"{alert.vertical}: alert {summary(alert, outcomes)}")
    return outcomes


def _place(log: RunLog, run_id: str) -> str:
    """A link to a run, or its id."""
    try:
        return log.link(run_id) or f"run {run_id} in {log.store}"
    except Exception:  # The store may be what the alert is about.
        return f"run {run_id}"


def _say(line: str) -> None:
    say(line, to_stderr=True)


def _from_json(text: str) -> Alert:
    """Read an alert as the scheduler passes it."""
    content: dict[str, Any] = json.loads(text)
    alert = Alert(**(content | {"at": datetime.fromisoformat(content["at"])}))
    return replace(alert, details={**alert.details, "host": socket.gethostname()})


if __name__ == "__main__":
    tell(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None, _from_json(sys.stdin.read()))
