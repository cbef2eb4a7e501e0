"""Alerts about jobs that hung, were killed or never began, sent by a subprocess."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lepton_pipeline.operations.schedule.policies import Policy, run_module
from lepton_pipeline.operations.schedule.state import Result
from lepton_pipeline.system.readable import span_text

# Broken data and a refusal by the gate, about which the job alerts itself.
_TOLD = (3, 4)
_PATIENCE = 180.0

# Takes vertical, cause, text, moment and details.
SendAlert = Callable[[str, str, str, datetime, dict[str, Any]], None]


def alert_sender(project: Path, env: str | None, say: Callable[[str], None]) -> SendAlert:
    """Make the function that sends an alert about a vertical; `say` prints its outcome."""

    def tell(vertical: str, cause: str, text: str, at: datetime, details: dict[str, Any]) -> None:
        alert = {"vertical": vertical, "cause": cause, "text": text, "at": at.isoformat(), "details": details}
        try:
            # In a session of its own: a Ctrl-C at the terminal is meant for the scheduler.
            options = {"input": json.dumps(alert), "timeout": _PATIENCE, "start_new_session": True}
            done, reason = run_module("alerts.notify", project, env, **options)
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = type(error).__name__
        lines = (
            [f"{vertical}: no alert can be sent: {reason}"] if reason else done.stderr.strip().splitlines()
        )
        for line in lines:
            say(line)

    return tell


def alert_cause(policy: Policy, result: Result, again: datetime | None) -> tuple[str, str] | None:
    """Cause and text of the alert about a job that may have died before alerting, or None.

    `again` is when it starts again, if it does.
    """
    log = f" Its output: {result.log}" if result.log else ""
    if result.outcome == "timed out":
        limit = span_text(timedelta(seconds=policy.timeout))
        then = f"at {again:%H:%M} UTC" if again else "at its next scheduled time"
        return "hung", f"The job did not end within {limit} and was stopped; it starts again {then}.{log}"
    if result.outcome in ("done", "stopped") or again is not None or result.code in _TOLD:
        return None
    how = {"not started": "could not be started", "lost": "was lost when the scheduler was killed"}
    ended = how.get(result.outcome, f"ended with exit code {result.code}")
    return "failed", f"The job {ended}, at attempt {result.attempt} of {policy.retries + 1}.{log}"
