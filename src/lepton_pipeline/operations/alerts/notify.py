"""Send the alerts of a vertical's jobs; `python -m` of this module does so for the scheduler."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from lepton_pipeline.operations.alerts.rules import alert_of_error, alerts_of
from lepton_pipeline.operations.alerts.send import Alert, Outcome, send
from lepton_pipeline.operations.retraining.job import Outcome as JobOutcome
from lepton_pipeline.operations.retraining.job import Request
from lepton_pipeline.operations.schedule.read import read_own
from lepton_pipeline.parameters import Alerts
from lepton_pipeline.system.readable import say
from lepton_pipeline.system.records import from_json
from lepton_pipeline.tracking.runs import RunLog

_TAG_CHARACTERS = 2000


def notify_job(project: Path, request: Request, outcome: JobOutcome, log: RunLog) -> None:
    """Send the alerts that follow from a job, print the outcomes and tag the job's run with them."""
    alerts = request.declared.alerts
    if not has_channel(alerts):
        return
    places = {"job": _place(log, outcome.run_id)}
    if outcome.trained is not None:
        places["training"] = _place(log, outcome.trained.run_id)
    places["host"] = socket.gethostname()
    # An error here does not change the outcome of the job.
    try:
        found = alerts_of(request, outcome, places, datetime.now(UTC))
        if lines := [_send(alert, alerts, project) for alert in found]:
            log.tag(outcome.run_id, {"alerts": "; ".join(lines)[:_TAG_CHARACTERS]})
    except Exception as error:
        text = f"{request.vertical}: an alert was not sent, or its run not tagged: {type(error).__name__}"
        say(text, to_stderr=True)


def notify_error(project: Path, env: str | None, vertical: str, error: Exception) -> None:
    """Send an alert about an error that kept a job from starting."""
    notify(project, env, alert_of_error(vertical, error, datetime.now(UTC), {"host": socket.gethostname()}))


def notify(project: Path, env: str | None, alert: Alert) -> None:
    """Send an alert; only the declaration of alerts needs to be readable."""
    try:
        declared = read_own(project, env, alert.vertical)
        alerts = Alerts.model_validate(declared.get("alerts") or {} if isinstance(declared, Mapping) else {})
    except Exception:  # The cause was printed where the rest of the declaration is read.
        text = f"{alert.vertical}: no alert is sent: the declaration of alerts cannot be read"
        say(text, to_stderr=True)
        return
    if has_channel(alerts):
        _send(alert, alerts, project)


def send_test(vertical: str, alerts: Alerts, project: Path) -> list[Outcome]:
    """Send a test alert by every declared channel."""
    text = "Alerts of this vertical are delivered: this is a test by `kedro alerts test`."
    alert = Alert(vertical, "a test", text, datetime.now(UTC), {"host": socket.gethostname()})
    return send(alert, alerts, project, anyway=True)


def has_channel(alerts: Alerts) -> bool:
    """Whether a channel is declared."""
    return (alerts.webhook, alerts.mail, alerts.file) != (None, None, None)


def _send(alert: Alert, alerts: Alerts, project: Path) -> str:
    """Send an alert, and print and return its cause and outcomes in a line."""
    line = f"{alert.cause}: {', '.join(map(str, send(alert, alerts, project)))}"
    say(f"{alert.vertical}: alert {line}", to_stderr=True)
    return line


def _place(log: RunLog, run_id: str) -> str:
    """A link to a run, or its id."""
    try:
        return log.link(run_id) or f"run {run_id} in {log.store}"
    except Exception:  # The store may be what the alert is about.
        return f"run {run_id}"


if __name__ == "__main__":
    given = from_json(Alert, sys.stdin.read())
    told = replace(given, details={**given.details, "host": socket.gethostname()})
    notify(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None, told)
