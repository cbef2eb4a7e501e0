"""`kedro compare` and `kedro reproduce`."""

from __future__ import annotations

from pathlib import Path

import click
from click import IntRange, option

from lepton_pipeline.cli.options import in_project, project_folder, tracking
from lepton_pipeline.system.files import write_text
from lepton_pipeline.system.permissions import refused
from lepton_pipeline.system.readable import say


@click.command()
@click.argument("vertical")
@option("--last", type=IntRange(min=1), default=20, show_default=True, help="Number of latest runs.")
@option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the page is written; data/08_reporting/VERTICAL/compare.html if not given.",
)
@in_project
def compare(vertical: str, last: int, html: Path | None, env: str | None) -> None:
    """Compare the latest runs of VERTICAL.

    On the terminal, and as an HTML page.
    """
    from lepton_pipeline.registry.versions import model_versions
    from lepton_pipeline.runs.compare import compare_page, compare_runs, read_stored
    from lepton_pipeline.terminal.runs import print_comparison
    from lepton_pipeline.tracking.store import latest_runs, open_store

    client = open_store(tracking(env), project_folder())
    runs = latest_runs(client, vertical, last)
    comparison = compare_runs(vertical, runs, model_versions(client, vertical), read_stored(client, runs))
    print_comparison(comparison)
    page = html or project_folder() / "data/08_reporting" / vertical / "compare.html"
    shown = _write_page(page, compare_page(comparison), asked=html is not None)
    say(f"\n{shown}")


@click.command()
@click.argument("run_id")
@option("--anyway", is_flag=True, help="Try though code, environment, data or device are not the same.")
@option("--keep", is_flag=True, help="Leave the scratch folder, with its own MLflow store, where it is.")
@in_project
def reproduce(run_id: str, anyway: bool, keep: bool, env: str | None) -> None:
    """Repeat a run and compare the results.

    RUN_ID may be the beginning of an id. It runs in a scratch folder with its own store; data and registry of
    the project stay unchanged. Exit codes: 0 everything is equal, 5 not equal or not comparable, 2 bad usage,
    1 anything else.
    """
    from lepton_pipeline.runs.reproduce import reproduce_run
    from lepton_pipeline.terminal.runs import print_checks, print_outcome
    from lepton_pipeline.tracking.store import open_store

    project = project_folder()
    client = open_store(tracking(env), project)
    print_outcome(reproduce_run(client, run_id, project, env, print_checks, anyway=anyway, keep=keep))


def _write_page(page: Path, text: str, *, asked: bool) -> str:
    """Write the page and return where it is; without permission, only a page asked for is an error."""
    try:
        write_text(page, text)
    except OSError as error:
        if asked or (problem := refused(error)) is None:
            raise
        return f"There is no page: {problem}"
    return f"The same as a page: {page}"
