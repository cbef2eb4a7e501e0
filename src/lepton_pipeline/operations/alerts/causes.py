"""Which alerts follow from the outcome of a retraining job."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.decision import verdict
from lepton_pipeline.operations.alerts.send import CONTRACT, DECAY, DRIFT, FAILED, REFUSED, Alert
from lepton_pipeline.operations.retraining.job import Outcome, Request
from lepton_pipeline.operations.retraining.policy import decide
from lepton_pipeline.parameters import Decay
from lepton_pipeline.project.user_errors import user_error

_WATCHED = {"on_drift": DRIFT, "on_decay": DECAY}
# Values of rows stay within the project.
_EXAMPLES = re.compile(r", e\.g\. .*$", re.MULTILINE)


def alerts_of(request: Request, outcome: Outcome, places: Mapping[str, Any], at: datetime) -> list[Alert]:
    """The alerts that a job gives rise to, the most urgent first.

    Drift and decay are reported even where the policy does not train on them. `places` are links by name.
    """
    vertical = request.vertical
    details = _details(request, outcome) | dict(places)
    found = []
    if outcome.error is not None:
        found.append(alert_of_error(vertical, outcome.error, at, details))
    trained = outcome.trained
    if trained is not None and trained.promoted is False:
        found.append(Alert(vertical, REFUSED, trained.reason, at, details))
    if outcome.facts is None:
        return found
    policy = request.declared.retraining
    decay = policy.on_decay or Decay.model_validate({})
    watched = policy.model_copy(update={"on_drift": True, "on_decay": decay})
    since = f" Version {trained.version} is champion since." if trained and trained.promoted else ""
    for trigger in decide(watched, outcome.facts).triggers:
        if trigger.name in _WATCHED and trigger.holds:
            cause = _WATCHED[trigger.name]
            why = f"{cause.capitalize()}{' ' if trigger.why.startswith('of ') else ': '}{trigger.why}.{since}"
            found.append(Alert(vertical, cause, why, at, details))
    return found


def alert_of_error(vertical: str, error: Exception, at: datetime, details: Mapping[str, Any]) -> Alert:
    """The alert of an error: cause "contract" for wrong data, else "failed"."""
    known = user_error(error)
    if known is None:
        first = (str(error).splitlines() or [""])[0]
        return Alert(vertical, FAILED, f"{type(error).__name__}: {first}", at, details)
    cause = CONTRACT if isinstance(known, DataError) else FAILED
    return Alert(vertical, cause, without_examples(str(known)), at, details)


def without_examples(text: str) -> str:
    """Remove the quoted values of rows from an error's text."""
    return _EXAMPLES.sub(".", text)


def _details(request: Request, outcome: Outcome) -> dict[str, Any]:
    champion = None if outcome.facts is None else outcome.facts.champion
    trained = outcome.trained
    details = {
        "as of": None if request.as_of is None else str(request.as_of),
        "champion": None if champion is None else f"version {champion.version}",
        "decision": None if outcome.decision is None else outcome.decision.why,
        "trained": None if trained is None else f"version {trained.version}, {verdict(trained.promoted)}",
        "exit code": outcome.exit_code or None,
    }
    return {name: value for name, value in details.items() if value is not None}
