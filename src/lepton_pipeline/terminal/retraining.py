"""How decisions to train are shown on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from lepton_pipeline.evaluation.decision import verdict
from lepton_pipeline.operations.retraining.policy import Decision
from lepton_pipeline.operations.retraining.state import JobRun, RetrainingState
from lepton_pipeline.terminal.console import Text, console, fixed, table

_RUN_CHARACTERS = 8
_HOLDS = {True: ("yes", "bold yellow"), False: ("no", ""), None: ("not known", "dim")}
_STATUS = {"FAILED": "red", "KILLED": "red", "RUNNING": "yellow"}


def print_decision(vertical: str, state: RetrainingState, decision: Decision) -> None:
    """Print the triggers with their reasons, and the decision."""
    out = console()
    out.print(Text.assemble((vertical, "bold"), f", as of {state.now:%Y-%m-%d %H:%M} UTC"))
    triggers = table(fixed("trigger"), fixed("holds"), "why")
    for trigger in decision.triggers:
        shown, style = _HOLDS[trigger.holds]
        triggers.add_row(trigger.name, Text(shown, style=style), Text(trigger.why))
    out.print(triggers)
    out.print(Text(decision.why, style="bold" if decision.due else ""))


def print_jobs(vertical: str, jobs: Sequence[JobRun]) -> None:
    """Print the decisions of jobs, the latest first."""
    out = console()
    if not jobs:
        out.print(Text.assemble((vertical, "bold"), ": no job yet"))
        return
    out.print(Text(vertical, style="bold"))
    names = ("when", "as of", "ended", "result", "decision", "run")
    rows = table(*(name if name == "decision" else fixed(name) for name in names))
    for job in jobs:
        rows.add_row(
            f"{job.at.astimezone():%Y-%m-%d %H:%M}",
            job.as_of,
            Text(_ended(job), style=_STATUS.get(job.status, "")),
            _result(job),
            Text(job.decision),
            job.run_id[:_RUN_CHARACTERS],
        )
    out.print(rows)


def _ended(job: JobRun) -> str:
    words = {"RUNNING": "at work", "FINISHED": "well"}.get(job.status, job.status.lower())
    return f"{words} ({job.exit_code})" if job.exit_code else words


def _result(job: JobRun) -> str:
    if job.version is not None:
        return f"version {job.version} {verdict(job.promoted)}"
    return "nothing due" if job.due is False else ""
