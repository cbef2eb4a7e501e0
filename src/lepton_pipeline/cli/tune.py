"""`kedro tune`: search the keys of `training` that suit a vertical better than its declared ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from time import time
from typing import TYPE_CHECKING, Any

import click
from click import FloatRange, IntRange, option

from lepton_pipeline.cli import options
from lepton_pipeline.cli.errors import end, end_stopped, report_error
from lepton_pipeline.system.readable import say

if TYPE_CHECKING:
    from optuna.study import Study

    from lepton_pipeline.operations.tuning.inputs import Inputs
    from lepton_pipeline.operations.tuning.result import TuningLog, TuningResult
    from lepton_pipeline.operations.tuning.rows import Rows
    from lepton_pipeline.operations.tuning.search import Search, Trial

# Below the models and the reports of a vertical.
_STUDIES, _REPORT = "data/06_models/{}/tuning", "data/08_reporting/{}/tuning"
_PAGES = {"result": "tuning/tuning.json"}


@click.command()
@click.argument("vertical")
@option("--trials", type=IntRange(min=2), default=30, show_default=True, help="Trials of the study, at most.")
@option(
    "--timeout",
    type=FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="No trial begins after; what is found is compared with the declared training in any case.",
)
@option("--jobs", type=IntRange(min=1), default=1, show_default=True, help="Processes that make trials.")
@option(
    "--storage",
    metavar="URL",
    envvar="LEPTON_TUNE_STORAGE",
    help="Database of the trials, for several machines; by default a journal below data/06_models.",
)
@option(
    "--keys",
    metavar="KEY,..",
    default="",
    help="Keys of training that are tried, such as learning_rate,dropout; by default those that matter most.",
)
@option(
    "--seeds",
    type=IntRange(min=2),
    default=3,
    show_default=True,
    help="Fresh seeds with which the best trial is compared with the declared training.",
)
@option("--apply", is_flag=True, help="Write the patch into parameters.yml if it is better for certain.")
@options.params_option
@options.env_option
@options.debug_option
def tune(vertical: str, env: str | None, debug: bool, **given: Any) -> None:
    """Search better keys of training for VERTICAL.

    Trials learn from training rows and are chosen by held-out rows; test rows are never used. The best one is
    compared with the declared training on held-out rows that the search has not read. The same command resumes
    a stopped one, and several may run at once.

    Exit codes: 0 done, also where the declared training is kept, 2 bad configuration or usage, 3 data that
    cannot be used, 130 and 143 interrupted, 1 anything else.
    """
    try:
        _tune(vertical, env, **given)
        code = 0
    except (KeyboardInterrupt, SystemExit) as stop:
        end_stopped(stop, f"{vertical}: stopped; the same command resumes with the trials that were made")
    except Exception as error:
        code = report_error(error, debug)
    end(code)


def _tune(
    vertical: str, env: str | None, params: Mapping[str, Any], keys: str, apply: bool, **how: Any
) -> None:
    from lepton_pipeline.operations.tuning.inputs import Inputs, refuse_overridden, refuse_untunable
    from lepton_pipeline.operations.tuning.study import require_optuna
    from lepton_pipeline.project.declaration import read_parameters
    from lepton_pipeline.system.signals import unwinding

    require_optuna()
    options.require_vertical(vertical)
    asked = [key.strip().removeprefix("training.") for key in keys.split(",") if key.strip()]
    with unwinding():
        inputs = Inputs(options.project_folder(), env, vertical, params)
        refuse_untunable(vertical, inputs.declared)
        if apply:
            refuse_overridden(vertical, inputs.declared, read_parameters(options.base_folder(), vertical))
        _search(vertical, inputs, asked, apply=apply, **how)


def _search(
    vertical: str,
    inputs: Inputs,
    keys: list[str],
    *,
    trials: int,
    timeout: float | None,
    storage: str | None,
    **how: Any,
) -> None:
    from lepton_pipeline.operations.tuning.objective import learnt_rows
    from lepton_pipeline.operations.tuning.result import TuningLog
    from lepton_pipeline.operations.tuning.search import Budget, Search
    from lepton_pipeline.operations.tuning.space import make_space
    from lepton_pipeline.operations.tuning.study import JOURNAL, Place, open_study, require_place
    from lepton_pipeline.parameters.jobs import KIND, TUNING, Job
    from lepton_pipeline.terminal.tuning import print_start
    from lepton_pipeline.tracking.runs import RunLog, read_tracking

    project, training = options.project_folder(), inputs.declared.training
    budget = Budget(trials, inf if timeout is None else time() + timeout)
    place = Place(project / _STUDIES.format(vertical) / JOURNAL, storage)
    # A wrong key or address is reported before the data are read.
    make_space(training, keys, columns=1, rows=1)
    require_place(place)
    rows = inputs.rows()
    space = make_space(
        training,
        keys,
        columns=len(rows.encoded.columns),
        rows=learnt_rows(rows),
        averaged=rows.target.task.averaged,
    )
    search = Search(place, inputs.key(space), space, training, budget)
    study = open_study(place, search.study, space)
    print_start(vertical, search, study, rows)
    log = RunLog(read_tracking(inputs.mlflow), project)
    experiment = Job(vertical, TUNING).name
    run_id = log.open(experiment, search.study, {KIND: TUNING, "study": search.study}, _PAGES)
    log.parameters(run_id, inputs.declared.model_dump(mode="json"))
    tracked = TuningLog(log, experiment, run_id, training, rows.target.task.curves[0])
    with log.closing(run_id):
        _work(vertical, search, study, rows, tracked, **how)
    say(f"recorded: {log.where(run_id)}")


def _work(
    vertical: str, search: Search, study: Study, rows: Rows, tracked: TuningLog, *, apply: bool, **how: int
) -> None:
    from lepton_pipeline.operations.tuning.objective import make_objective
    from lepton_pipeline.operations.tuning.search import run_search
    from lepton_pipeline.operations.tuning.study import count_trials
    from lepton_pipeline.terminal.tuning import print_result, print_trial

    def tell(trial: Trial) -> None:
        print_trial(trial)
        tracked.trial(trial)

    if search.wanting(study):
        lost = run_search(search, make_objective(rows, search.training), how["jobs"], tell)
        if lost is not None:
            say(f"warning: {lost} Its trial was made again.", to_stderr=True)
    if running := count_trials(study).running:
        say(
            f"{vertical}: {running} trials are still being made by other processes; the last of them compares the best "
            "with the declared training. If it was stopped, call the command again after two minutes."
        )
        return
    found = _compared(vertical, search, study, rows, how["seeds"])
    if found is None:
        return
    applied = apply and found.worth_it
    if applied:
        _apply(vertical, found)
    print_result(found, applied=applied)
    _record(found, tracked)


def _compared(vertical: str, search: Search, study: Study, rows: Rows, seeds: int) -> TuningResult | None:
    """The result, with what the best trial gains; None where another process measures that."""
    from lepton_pipeline.operations.tuning.gain import measure_gain
    from lepton_pipeline.operations.tuning.result import keep_gain, known_gain, summarise
    from lepton_pipeline.parameters.jobs import TUNING, Job
    from lepton_pipeline.system.locks import JOB_LOCKS, JobLock
    from lepton_pipeline.terminal.tuning import print_pair

    with JobLock(options.project_folder() / JOB_LOCKS, Job(vertical, TUNING).name, "kedro tune") as holder:
        if holder is not None:
            say(f"{vertical}: the comparison is being made ({holder}); nothing more to do")
            return None
        found = summarise(vertical, search, study, rows)
        if not found.changes:
            return found
        gain = known_gain(study, found.chosen, seeds)
        if gain is None:
            say(f"comparing trial {found.chosen} with the declared training, {seeds} seeds each")
            gain = measure_gain(rows, search.training, found.changes, seeds, print_pair)
            keep_gain(study, found.chosen, gain)
        return replace(found, gain=gain)


def _apply(vertical: str, found: TuningResult) -> None:
    from lepton_pipeline.operations.tuning.patch import patched
    from lepton_pipeline.system.files import write_text

    file = options.base_folder() / vertical / "parameters.yml"
    write_text(file, patched(file.read_text(encoding="utf-8"), vertical, found.changes))


def _record(found: TuningResult, tracked: TuningLog) -> None:
    from lepton_pipeline.system.files import write_text
    from lepton_pipeline.system.records import to_json
    from lepton_pipeline.terminal.tuning import tuning_markdown

    file = options.project_folder() / _REPORT.format(found.vertical) / "tuning.json"
    write_text(file, to_json(found))
    log, run_id = tracked.log, tracked.run_id
    log.attach(run_id, file, "tuning")
    log.describe(run_id, tuning_markdown(found), _PAGES)
    tracked.result(found)
