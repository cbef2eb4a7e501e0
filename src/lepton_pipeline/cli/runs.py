"""`kedro compare` and `kedro reproduce`: what the runs of a vertical have shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from kedro.framework.project import settings
from kedro.utils import find_kedro_project

from lepton_pipeline.cli.errors import report_error
from lepton_pipeline.system.files import write_text
from lepton_pipeline.system.permissions import refused
from lepton_pipeline.system.readable import say

_env = click.option("--env", "-e", help="Configuration environment, as of `kedro run`.")
_debug = click.option("--debug", is_flag=True, help="Show the traceback of an error, too.")


@click.command()
@click.argument("vertical")
@click.option(
    "--last", type=click.IntRange(min=1), default=20, show_default=True, help="So many of the latest runs."
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the page is written; data/08_reporting/VERTICAL/compare.html if not given.",
)
@_env
@_debug
def compare(vertical: str, last: int, html: Path | None, env: str | None, debug: bool) -> None:
    """Compare the latest runs of VERTICAL, the best first.

    On the terminal, and as an HTML page.
    """
    from lepton_pipeline.registry.versions import model_versions
    from lepton_pipeline.runs.compare import compare_runs
    from lepton_pipeline.runs.compare_page import compare_page
    from lepton_pipeline.terminal.runs import print_comparison
    from lepton_pipeline.tracking.store import latest_runs, open_store

    try:
        client = open_store(_tracking(env), _project(), "view")
        runs = latest_runs(client, vertical, last)
        comparison = compare_runs(vertical, runs, model_versions(client, vertical))
        print_comparison(comparison)
        page = html or _project() / "data/08_reporting" / vertical / "compare.html"
        shown = _write_page(page, compare_page(comparison), asked=html is not None)
    except Exception as error:
        sys.exit(report_error(error, debug))
    say(f"\n{shown}")


@click.command()
@click.argument("run_id")
@click.option("--anyway", is_flag=True, help="Try though code, environment, data or device are not the same.")
@click.option(
    "--keep", is_flag=True, help="Leave the scratch folder, with its own MLflow store, where it is."
)
@_env
@_debug
def reproduce(run_id: str, anyway: bool, keep: bool, env: str | None, debug: bool) -> None:
    """Repeat a run and compare its metrics and weights.

    RUN_ID may be the beginning of an id. It runs in a scratch folder with a store of its own; data and
    registry of the project stay as they are. Exit codes: 0 everything is equal, 5 it is not, or could not be,
    2 bad usage, 1 anything else.
    """
    from lepton_pipeline.runs.reproduce import reproduce_run
    from lepton_pipeline.terminal.runs import print_checks, print_outcome
    from lepton_pipeline.tracking.store import open_store

    try:
        client = open_store(_tracking(env), _project())
        print_outcome(reproduce_run(client, run_id, _project(), env, print_checks, anyway=anyway, keep=keep))
    except Exception as error:
        sys.exit(report_error(error, debug))


def _tracking(env: str | None) -> Any:
    """Addresses as `mlflow.yml` has them; untyped, because what they are an instance of is imported late."""
    from lepton_pipeline.tracking.runs import read_tracking

    loader = settings.CONFIG_LOADER_CLASS(
        str(_project() / settings.CONF_SOURCE), env=env, **settings.CONFIG_LOADER_ARGS
    )
    return read_tracking(loader["mlflow"])


def _write_page(page: Path, text: str, *, asked: bool) -> str:
    """Write the page, and say where it is; a user who may only read gets the table alone, unless they asked for it."""
    try:
        write_text(page, text)
    except OSError as error:
        if asked or (problem := refused(error)) is None:
            raise
        return f"There is no page: {problem}"
    return f"The same as a page: {page}"


def _project() -> Path:
    return find_kedro_project(Path.cwd()) or Path.cwd()
