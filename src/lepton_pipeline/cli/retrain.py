"""`kedro retrain` and `kedro retrain-log`: train a vertical if due, and list past decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from click import IntRange, option

from lepton_pipeline.cli import options
from lepton_pipeline.cli.errors import end, end_stopped, report_error
from lepton_pipeline.errors import ConfigurationError, GateRefusedError
from lepton_pipeline.system.readable import say

if TYPE_CHECKING:
    from lepton_pipeline.operations.retraining.job import Request
    from lepton_pipeline.operations.retraining.steps import KedroSteps


@click.command()
@click.argument("vertical")
@option(
    "--as-of", metavar="DATE", help="See only rows and labels that existed then: 2026-01-31, or a number."
)
@option("--dry-run", is_flag=True, help="Say which triggers hold; nothing is trained, recorded or written.")
@option("--force", is_flag=True, help="Train whatever the policy says.")
@option("--fail-on-refusal", is_flag=True, help="End with exit code 4 if the gate refuses the model.")
@options.env_option
@options.debug_option
def retrain(
    vertical: str,
    as_of: str | None,
    dry_run: bool,
    force: bool,
    fail_on_refusal: bool,
    env: str | None,
    debug: bool,
) -> None:
    """Train VERTICAL if its policy says so.

    Exit codes: 0 done, also where nothing is due or another job is at work, 2 bad configuration or usage, 3
    data that break the contract, 4 gate refused (with --fail-on-refusal), 130 and 143 interrupted, 1 anything
    else.
    """
    asked = False
    try:
        options.require_vertical(vertical)
        date, now = _moment(as_of)
        # From here on, errors are not of the command line, so they may need an alert.
        asked = as_of is None and not dry_run
        from lepton_pipeline.operations.retraining.job import Request
        from lepton_pipeline.operations.retraining.steps import KedroSteps

        # The declaration is read before anything is locked or opened.
        steps = KedroSteps(options.project_folder(), env, vertical, date, now)
        declared, mlflow = steps.declared()
        request = Request(vertical, declared, date, now, force)
        work = _show if dry_run else partial(_work, debug=debug, fail_on_refusal=fail_on_refusal)
        code = work(request, steps, mlflow)
    except (KeyboardInterrupt, SystemExit) as stop:
        end_stopped(stop, f"{vertical}: stopped; its run is recorded as KILLED")
    except Exception as error:
        code = report_error(error, debug)
        if asked:
            from lepton_pipeline.operations.alerts.notify import notify_error

            notify_error(options.project_folder(), env, vertical, error)
    end(code)


@click.command(name="retrain-log")
@click.argument("vertical")
@option("--last", type=IntRange(min=1), default=20, show_default=True, help="Number of latest jobs.")
@options.in_project
def retrain_log(vertical: str, last: int, env: str | None) -> None:
    """List the decisions on retraining VERTICAL."""
    from lepton_pipeline.operations.retraining.state import job_runs
    from lepton_pipeline.terminal.retraining import print_jobs
    from lepton_pipeline.tracking.runs import existing_store

    options.require_vertical(vertical)
    client = existing_store(options.tracking(env), options.project_folder(), "view")
    print_jobs(vertical, job_runs(client, vertical, last))


def _show(request: Request, steps: KedroSteps, mlflow: Any) -> int:
    from lepton_pipeline.operations.retraining.job import gather_state
    from lepton_pipeline.operations.retraining.policy import decide
    from lepton_pipeline.terminal.retraining import print_decision
    from lepton_pipeline.tracking.runs import existing_store, read_tracking

    client = existing_store(read_tracking(mlflow), options.project_folder())
    state, _ = gather_state(client, request, steps, monitor=False)
    print_decision(request.vertical, state, decide(request.declared.retraining, state, force=request.force))
    return 0


def _work(request: Request, steps: KedroSteps, mlflow: Any, debug: bool, fail_on_refusal: bool) -> int:
    from lepton_pipeline.operations.alerts.notify import notify_job
    from lepton_pipeline.operations.retraining.job import run_job
    from lepton_pipeline.system.locks import JOB_LOCKS, JobLock
    from lepton_pipeline.terminal.retraining import print_decision
    from lepton_pipeline.tracking.runs import RunLog, read_tracking

    project = options.project_folder()
    with JobLock(project / JOB_LOCKS, request.vertical) as holder:
        if holder is not None:
            say(f"{request.vertical}: another job is at work ({holder}); nothing done")
            return 0
        log = RunLog(read_tracking(mlflow), project)
        outcome = run_job(log, request, steps, partial(print_decision, request.vertical))
        code, error, trained = outcome.exit_code, outcome.error, outcome.trained
        if error is not None:
            # Reports on a broken contract are written only after the decision.
            code = report_error(error, debug, request.vertical if outcome.decision is not None else None)
        else:
            say(f"recorded: {log.where(outcome.run_id)}")
            if fail_on_refusal and trained is not None and trained.promoted is False:
                text = f"{request.vertical}: the gate refused the model: {trained.reason}"
                code = report_error(GateRefusedError(text), debug)
        notify_job(project, request, outcome, log)
        return code


def _moment(as_of: str | None) -> tuple[str | float | None, datetime]:
    from lepton_pipeline.operations.retraining.state import as_moment

    now = datetime.now(UTC)
    if as_of is None:
        return None, now
    try:
        # For rows ordered by a number, which the clock does not bound.
        return float(as_of), now
    except ValueError:
        at = as_moment(as_of)
    if at is None:
        forms = "2026-01-31, 2026-01-31T12:00, or a number"
        raise ConfigurationError(f"--as-of: {as_of!r} is no date; write {forms}.")
    if at > now:
        raise ConfigurationError(f"--as-of: {as_of} is in the future; give a past date.")
    return as_of, at
