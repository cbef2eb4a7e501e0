"""The alerts that follow from a job, sent by it or, by `python -m` of this module, by the scheduler."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.decision import verdict
from lepton_pipeline.operations.alerts.send import Alert, Delivery, send
from lepton_pipeline.operations.retraining.job import Outcome, Request
from lepton_pipeline.operations.retraining.policy import decide
from lepton_pipeline.operations.schedule.read import read_own
from lepton_pipeline.parameters import Alerts, Decay
from lepton_pipeline.project.user_errors import user_error
from lepton_pipeline.system.readable import say
from lepton_pipeline.system.records import from_json
from lepton_pipeline.tracking.runs import RunLog

_TAG_CHARACTERS = 2000
_WATCHED = {"on_drift": "drift", "on_decay": "decay"}
# Values of rows stay within the project.
_EXAMPLES = re.compile(r", e\.g\. .*$", re.MULTILINE)


def notify_job(project: Path, request: Request, outcome: Outcome, log: RunLog) -> None:
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


def send_test(vertical: str, alerts: Alerts, project: Path) -> list[Delivery]:
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
    try:
        return log.link(run_id) or f"run {run_id} in {log.store}"
    except Exception:  # The store may be what the alert is about.
        return f"run {run_id}"


def alerts_of(request: Request, outcome: Outcome, places: Mapping[str, Any], at: datetime) -> list[Alert]:
    """The alerts that a job gives rise to, the most urgent first.

    Drift, decay and a turned index are reported even where the policy does not train on them. `places` are links by
    name.
    """
    vertical = request.vertical
    details = _details(request, outcome) | dict(places)
    found = []
    if outcome.error is not None:
        found.append(alert_of_error(vertical, outcome.error, at, details))
    trained = outcome.trained
    if trained is not None and trained.promoted is False:
        found.append(Alert(vertical, "refused", trained.reason, at, details))
    if outcome.state is None:
        return found
    policy = request.declared.retraining
    decay = policy.on_decay or Decay.model_validate({})
    watched = policy.model_copy(update={"on_drift": True, "on_decay": decay})
    since = f" Version {trained.version} is champion since." if trained and trained.promoted else ""
    for trigger in decide(watched, outcome.state).triggers:
        if trigger.name in _WATCHED and trigger.holds:
            cause = _WATCHED[trigger.name]
            why = f"{cause.capitalize()}{' ' if trigger.why.startswith('of ') else ': '}{trigger.why}.{since}"
            found.append(Alert(vertical, cause, why, at, details))
    if outcome.state.turned is not None:
        found.append(Alert(vertical, "turn", f"The index has {outcome.state.turned}.{since}", at, details))
    return found


def alert_of_error(vertical: str, error: Exception, at: datetime, details: Mapping[str, Any]) -> Alert:
    """The alert of an error: cause "contract" for wrong data, else "failed"."""
    known = user_error(error)
    if known is None:
        first = (str(error).splitlines() or [""])[0]
        return Alert(vertical, "failed", f"{type(error).__name__}: {first}", at, details)
    cause = "contract" if isinstance(known, DataError) else "failed"
    return Alert(vertical, cause, without_examples(str(known)), at, details)


def without_examples(text: str) -> str:
    """Remove the quoted values of rows from an error's text."""
    return _EXAMPLES.sub(".", text)


def _details(request: Request, outcome: Outcome) -> dict[str, Any]:
    champion = None if outcome.state is None else outcome.state.champion
    trained = outcome.trained
    details = {
        "as of": None if request.as_of is None else str(request.as_of),
        "champion": None if champion is None else f"version {champion.version}",
        "decision": None if outcome.decision is None else outcome.decision.why,
        "trained": None if trained is None else f"version {trained.version}, {verdict(trained.promoted)}",
        "exit code": outcome.exit_code or None,
    }
    return {name: value for name, value in details.items() if value is not None}


if __name__ == "__main__":
    given = from_json(Alert, sys.stdin.read())
    told = replace(given, details={**given.details, "host": socket.gethostname()})
    notify(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None, told)
