"""`kedro schedule`: start retraining jobs when due, here or by a cluster's scheduler."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from click import FloatRange, IntRange, option

from lepton_pipeline.cli.options import env_option, in_project, project_folder
from lepton_pipeline.system.readable import say

_parallel = option(
    "--parallel", type=IntRange(1), default=1, show_default=True, help="Jobs that run at once, at most."
)

# Root and interpreter where the jobs do not run on this machine.
_ELSEWHERE = {"kubernetes": ("/app", "python")}


@click.group()
def schedule() -> None:
    """Start retraining jobs when they are due."""


@schedule.command()
@_parallel
@option("--grace", type=FloatRange(0), default=60.0, show_default=True, help="Seconds a job has to end.")
@env_option
def run(parallel: int, grace: float, env: str | None) -> None:
    """Follow all schedules until stopped."""
    _replace_process("run", ["--parallel", str(parallel), "--grace", str(grace)], env)


@schedule.command()
@option(
    "--vertical", "verticals", multiple=True, help="Start this one, due or not; may be given several times."
)
@_parallel
@env_option
def once(verticals: tuple[str, ...], parallel: int, env: str | None) -> None:
    """Start what is due now and wait for it.

    Exit code 1 if a job failed.
    """
    chosen = [word for vertical in verticals for word in ("--vertical", vertical)]
    _replace_process("once", ["--parallel", str(parallel), *chosen], env)


@schedule.command(name="list")
@option("--times", type=IntRange(1, 20), default=2, show_default=True, help="Next times that are shown.")
@in_project
def list_schedules(times: int, env: str | None) -> None:
    """List next times, last results, retries."""
    from lepton_pipeline.operations.schedule.state import overview
    from lepton_pipeline.terminal.status import print_overview

    print_overview(overview(project_folder(), env, times))


@schedule.command()
@click.argument("target", type=click.Choice(["airflow", "cron", "systemd", "kubernetes"]))
@option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the files.")
@option("--vertical", "verticals", multiple=True, help="Only this one; may be given several times.")
@option("--project", help="Root of the project where the jobs run: this one, or /app in a container.")
@option("--python", help="Interpreter where the jobs run: this one, or python in a container.")
@option("--image", help="With kubernetes: image that holds the project and its environment.")
@in_project
def export(
    target: str,
    out: Path,
    verticals: tuple[str, ...],
    project: str | None,
    python: str | None,
    image: str | None,
    env: str | None,
) -> None:
    """Write the schedules for another scheduler."""
    from lepton_pipeline.operations.schedule.export import Place, write_export
    from lepton_pipeline.operations.schedule.read import read_policies

    here = project_folder()
    root, interpreter = _ELSEWHERE.get(target, (str(here), sys.executable))
    place = Place(out.resolve(), project or root, python or interpreter, env, image)
    for path in write_export(target, read_policies(here, env), place, list(verticals)):
        say(path)


def _replace_process(action: str, arguments: list[str], env: str | None) -> None:
    """Replace this process, which holds Kedro and pandas, by one that may wait for weeks."""
    module = [sys.executable, "-m", "lepton_pipeline.operations.schedule", action]
    where = ["--project", str(project_folder()), *arguments, *(["--env", env] if env else [])]
    sys.stdout.flush()
    os.execv(sys.executable, [*module, *where])  # noqa: S606  # this interpreter
