"""`kedro backfill`: replay a vertical's retraining policy on past dates."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click import option

from lepton_pipeline.cli import options
from lepton_pipeline.cli.errors import end, end_stopped, report_error
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.system.readable import say

if TYPE_CHECKING:
    from lepton_pipeline.operations.backfill.grid import Grid
    from lepton_pipeline.operations.backfill.realised import BackfillResult
    from lepton_pipeline.operations.backfill.steps import BackfillSteps
    from lepton_pipeline.operations.backfill.walk import Checkpoints
    from lepton_pipeline.operations.retraining.job import Request
    from lepton_pipeline.tracking.runs import RunLog

# Below the models and the reports of a vertical.
_CHECKPOINTS, _REPORT = "data/06_models/{}/backfill", "data/08_reporting/{}/backfill"
_PAGES = {
    "picture": "backfill/backfill.svg",
    "table": "backfill/backfill.csv",
    "result": "backfill/backfill.json",
}


@click.command()
@click.argument("vertical")
@option("--from", "since", metavar="DATE", required=True, help="First date: 2026-01-31, or a number.")
@option("--to", "until", metavar="DATE", required=True, help="The last date is at or before it.")
@option("--every", default="1mo", show_default=True, help="Distance of the dates: 1mo, 2w, 7d, or a number.")
@options.params_option
@options.env_option
@options.debug_option
def backfill(
    vertical: str, since: str, until: str, every: str, params: dict[str, Any], env: str | None, debug: bool
) -> None:
    """Replay the retraining policy on past dates.

    At each date the retraining job decides, trains and asks the gate, with the rows and labels known then;
    its models are evaluated on later rows. It uses its own store: registered models, champions and results of
    the vertical stay unchanged. The same command resumes a stopped one.

    Exit codes: 0 done, also where another backfill is at work, 2 bad configuration or usage, 3 data that
    cannot be used, 130 and 143 interrupted, 1 anything else.
    """
    try:
        code = _backfill(vertical, since, until, every, params, env)
    except (KeyboardInterrupt, SystemExit) as stop:
        end_stopped(stop, f"{vertical}: stopped; the same command resumes after the last finished date")
    except Exception as error:
        code = report_error(error, debug)
    end(code)


def _backfill(
    vertical: str, since: str, until: str, every: str, params: dict[str, Any], env: str | None
) -> int:
    from lepton_pipeline.operations.backfill.grid import make_grid
    from lepton_pipeline.operations.backfill.steps import BackfillSteps
    from lepton_pipeline.operations.backfill.walk import Checkpoints
    from lepton_pipeline.operations.retraining.job import Request
    from lepton_pipeline.parameters import utc_text
    from lepton_pipeline.parameters.jobs import BACKFILL, KIND, Job
    from lepton_pipeline.system.locks import JOB_LOCKS, JobLock
    from lepton_pipeline.system.signals import unwinding
    from lepton_pipeline.tracking.runs import RunLog, read_tracking

    project = options.project_folder()
    options.require_vertical(vertical)
    now = datetime.now(UTC)
    grid = make_grid(since, until, every, now)
    name = Job(vertical, BACKFILL).name
    with JobLock(project / JOB_LOCKS, name, "kedro backfill") as holder, unwinding():
        if holder is not None:
            say(f"{vertical}: another backfill is at work ({holder}); nothing done")
            return 0
        checkpoints = Checkpoints(project / _CHECKPOINTS.format(vertical))
        steps = BackfillSteps(project, env, vertical, params, checkpoints)
        if steps.declared.dataset.time is None:
            raise ConfigurationError(
                f"{vertical}.dataset.time: a backfill needs it, to select the rows known at a date; declare the column "
                "of dates, or of numbers in their order."
            )
        log = RunLog(read_tracking(steps.mlflow), project)
        tags = {KIND: BACKFILL, "from": since, "to": until, "every": every, "present": utc_text(now)}
        run_id = log.open(name, f"{since} to {until} by {every}", tags, _PAGES)
        log.parameters(run_id, steps.declared.model_dump(mode="json"))
        with log.closing(run_id):
            asked = Request(vertical, steps.declared, None, now, force=False)
            _work(asked, project, grid, steps, checkpoints, log, run_id)
        say(f"recorded: {log.where(run_id)}")
    return 0


def _work(
    asked: Request,
    project: Path,
    grid: Grid,
    steps: BackfillSteps,
    checkpoints: Checkpoints,
    log: RunLog,
    run_id: str,
) -> None:
    from lepton_pipeline.operations.backfill.realised import assign_periods, describe, realise
    from lepton_pipeline.operations.backfill.walk import ARTEFACTS, STORE, models_in_use, walk, without_clock
    from lepton_pipeline.parameters import utc_text
    from lepton_pipeline.terminal.backfill import print_backfill, print_dated
    from lepton_pipeline.tracking.runs import RunLog, Tracking

    table = steps.whole_table()
    # Refuse dates that do not compare with the column before anything is trained.
    assign_periods(table, steps.declared.dataset, grid)
    key = steps.key(table) | {"from": str(grid.dates[0]), "every": grid.every}
    if changed := checkpoints.begin(key):
        say(f"{asked.vertical}: changed since the last backfill: {', '.join(changed)}; starts over")
    log.tag(run_id, {f"{name}.sha256": value for name, value in key.items() if name not in ("from", "every")})
    declared, notes = without_clock(steps.declared, grid)
    scratch = Tracking(tracking_uri=f"sqlite:///{STORE}", artifact_root=ARTEFACTS)
    job = replace(asked, declared=declared)
    decided = walk(grid, job, steps, checkpoints, lambda: RunLog(scratch, checkpoints.store), print_dated)
    metric, evaluation = declared.gate.metric, declared.evaluation
    dataset = declared.dataset.model_copy(update={"as_of": None, "present": utc_text(asked.now)})
    periods = realise(table, dataset, grid, models_in_use(decided), steps.load, metric, evaluation)
    policy = declared.retraining.model_dump(mode="json")
    found = describe(asked.vertical, metric, grid, decided, periods, policy, notes)
    print_backfill(found, _record(found, declared.about.caution, project, log, run_id))


def _record(found: BackfillResult, caution: str, project: Path, log: RunLog, run_id: str) -> dict[str, str]:
    import json

    from lepton_pipeline.operations.backfill.chart import draw_backfill
    from lepton_pipeline.operations.backfill.realised import as_table, figures, series
    from lepton_pipeline.system.files import write_bytes
    from lepton_pipeline.system.records import to_plain
    from lepton_pipeline.terminal.backfill import backfill_markdown

    folder = project / _REPORT.format(found.vertical)
    contents = {
        "backfill.json": json.dumps(to_plain(found), indent=2, ensure_ascii=False).encode(),
        "backfill.csv": as_table(found).to_csv(index=False).encode(),
        "backfill.svg": draw_backfill(found, caution),
    }
    for name, content in contents.items():
        write_bytes(folder / name, content, alone=True)
        log.attach(run_id, folder / name, "backfill")
    log.metrics(run_id, figures(found))
    for step, values in enumerate(series(found)):
        log.metrics(run_id, values, step)
    log.describe(run_id, backfill_markdown(found), _PAGES)
    where = folder.relative_to(project)
    return {"picture": str(where / "backfill.svg"), "table": str(where / "backfill.csv")}
