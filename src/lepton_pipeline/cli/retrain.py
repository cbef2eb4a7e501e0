"""`kedro retrain` and `kedro retrain-log`: train a vertical where that is due, and what was decided."""

from __future__ import annotations

import gc
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.project import settings

from lepton_pipeline.cli.errors import report_error
from lepton_pipeline.cli.options import debug_option, env_option, explained, project_folder, require_vertical
from lepton_pipeline.errors import ConfigurationError, GateRefusedError
from lepton_pipeline.system.readable import say

if TYPE_CHECKING:
    from lepton_pipeline.operations.retraining.job import Outcome, Request
    from lepton_pipeline.operations.retraining.steps import KedroSteps

_INTERRUPTED = 130


@click.command()
@click.argument("vertical")
@click.option(
    "--as-of", metavar="DATE", help="See only rows and labels that existed then: 2026-01-31, or a number."
)
@click.option(
    "--dry-run", is_flag=True, help="Say which triggers hold; nothing is trained, recorded or written."
)
@click.option("--force", is_flag=True, help="Train whatever the policy says.")
@click.option("--fail-on-refusal", is_flag=True, help="End with exit code 4 if the gate refuses the model.")
@env_option
@debug_option
def retrain(
    vertical: str,
    as_of: str | None,
    dry_run: bool,
    force: bool,
    fail_on_refusal: bool,
    env: str | None,
    debug: bool,
) -> None:
    """Train VERTICAL if its retraining policy says so.

    Exit codes: 0 done, also where nothing is due or another job is at work, 2 bad configuration or usage, 3
    data that break the contract, 4 gate refused (with --fail-on-refusal), 130 and 143 interrupted, 1 anything
    else.
    """
    asked = False
    try:
        require_vertical(vertical)
        date, now = _moment(as_of)
        # What is wrong from here on is no slip of the pen: somebody may have to be told.
        asked = as_of is None and not dry_run
        request, steps, mlflow = _prepare(vertical, date, now, force, env)
        code = (
            _show(request, steps, mlflow)
            if dry_run
            else _work(request, steps, mlflow, debug, fail_on_refusal)
        )
    except (KeyboardInterrupt, SystemExit) as stop:
        say(f"\n{vertical}: told to stop; what it had begun is recorded as KILLED", to_stderr=True)
        sys.exit(stop.code if isinstance(stop, SystemExit) else _INTERRUPTED)
    except Exception as error:
        code = report_error(error, debug)
        if asked:
            _tell_of_error(env, vertical, error)
    # As for kedro run: without it the interpreter walks through the libraries' objects at its end.
    gc.freeze()
    sys.exit(code)


@click.command(name="retrain-log")
@click.argument("vertical")
@click.option(
    "--last", type=click.IntRange(min=1), default=20, show_default=True, help="So many of the latest jobs."
)
@env_option
@debug_option
@explained
def retrain_log(vertical: str, last: int, env: str | None) -> None:
    """List the latest decisions on retraining VERTICAL."""
    from lepton_pipeline.operations.retraining.history import job_runs
    from lepton_pipeline.terminal.retraining import print_jobs
    from lepton_pipeline.tracking.runs import existing_store, read_tracking

    require_vertical(vertical)
    project = project_folder()
    loader = settings.CONFIG_LOADER_CLASS(
        str(project / settings.CONF_SOURCE), env=env, **settings.CONFIG_LOADER_ARGS
    )
    client = existing_store(read_tracking(loader["mlflow"]), project, "look")
    print_jobs(vertical, job_runs(client, vertical, last))


def _prepare(
    vertical: str, date: str | float | None, now: datetime, force: bool, env: str | None
) -> tuple[Request, KedroSteps, Any]:
    """Read the declaration before anything is locked or opened.

    Raises:
        ConfigurationError: what is wrong with it.
    """
    from lepton_pipeline.operations.retraining.job import Request
    from lepton_pipeline.operations.retraining.steps import KedroSteps

    steps = KedroSteps(project_folder(), env, vertical, date, now)
    declared, mlflow = steps.declared()
    return Request(vertical, declared, date, now, force), steps, mlflow


def _show(request: Request, steps: KedroSteps, mlflow: Any) -> int:
    """Say what would be decided."""
    from lepton_pipeline.operations.retraining.job import gather_facts
    from lepton_pipeline.operations.retraining.policy import decide
    from lepton_pipeline.terminal.retraining import print_decision
    from lepton_pipeline.tracking.runs import existing_store, read_tracking

    client = existing_store(read_tracking(mlflow), project_folder())
    facts, _ = gather_facts(client, request, steps, monitor=False)
    print_decision(request.vertical, facts, decide(request.declared.retraining, facts, force=request.force))
    return 0


def _work(request: Request, steps: KedroSteps, mlflow: Any, debug: bool, fail_on_refusal: bool) -> int:
    """Do the job, unless another process does, and return the exit code."""
    from lepton_pipeline.operations.retraining.job import run_job
    from lepton_pipeline.system.locks import JOB_LOCKS, only_job
    from lepton_pipeline.terminal.retraining import print_decision
    from lepton_pipeline.tracking.runs import RunLog, read_tracking

    project = project_folder()
    with only_job(project / JOB_LOCKS, request.vertical) as holder:
        if holder is not None:
            say(f"{request.vertical}: another job is at work ({holder}); nothing done")
            return 0
        log = RunLog(read_tracking(mlflow), project)
        outcome = run_job(
            log, request, steps, lambda facts, decided: print_decision(request.vertical, facts, decided)
        )
        code = _conclude(request.vertical, outcome, log, debug, fail_on_refusal)
        _tell_of_job(request, outcome, log)
        return code


def _conclude(vertical: str, outcome: Outcome, log: Any, debug: bool, fail_on_refusal: bool) -> int:
    """Say how a job ended, whichever way, and return its exit code."""
    if outcome.error is not None:
        # Before the decision nothing was written that would show what breaks a contract.
        return report_error(outcome.error, debug, vertical if outcome.decision is not None else None)
    say(f"recorded: {log.where(outcome.run_id)}")
    trained = outcome.trained
    if trained is not None and trained.promoted is False and fail_on_refusal:
        return report_error(
            GateRefusedError(f"{vertical}: the gate refused the model: {trained.reason}"), debug
        )
    return outcome.exit_code


def _tell_of_job(request: Request, outcome: Outcome, log: Any) -> None:
    from lepton_pipeline.operations.alerts.notify import notify_job

    notify_job(project_folder(), request, outcome, log)


def _tell_of_error(env: str | None, vertical: str, error: Exception) -> None:
    from lepton_pipeline.operations.alerts.notify import notify_error

    notify_error(project_folder(), env, vertical, error)


def _moment(as_of: str | None) -> tuple[str | float | None, datetime]:
    """The date to see the data of, and the moment to decide for."""
    from lepton_pipeline.operations.retraining.history import as_moment

    now = datetime.now(UTC)
    if as_of is None:
        return None, now
    try:
        # Where rows are in the order of a number: the clock says nothing about it.
        return float(as_of), now
    except ValueError:
        at = as_moment(as_of)
    if at is None:
        raise ConfigurationError(
            f"--as-of: {as_of!r} is no date; write 2026-01-31, 2026-01-31T12:00, or a number."
        )
    if at > now:
        raise ConfigurationError(f"--as-of: {as_of} lies ahead; nobody knows yet what will be known then.")
    return as_of, at
