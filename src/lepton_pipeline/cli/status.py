"""`kedro status`: state of all verticals."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from click import option

from lepton_pipeline.cli.options import in_project, project_folder, tracking
from lepton_pipeline.system.files import write_text
from lepton_pipeline.system.readable import say


@click.command()
@option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the same as a page, too.")
@in_project
def status(html: Path | None, env: str | None) -> None:
    """Show the state of every vertical.

    Champion, data, last decision, drift, next run, failures; verticals that need attention first. Nothing is
    run. Exit code 2 if runs and models cannot be read; the rest is still shown.
    """
    from lepton_pipeline.operations.schedule.read import read_policies
    from lepton_pipeline.operations.status.collect import collect, render_page
    from lepton_pipeline.terminal.status import print_status

    project = project_folder()
    found = collect(project, read_policies(project, env), tracking(env), datetime.now(UTC))
    print_status(found)
    if html is not None:
        write_text(html, render_page(found, html.parent))
        say(f"The same as a page: {html}")
    if found.problem:
        sys.exit(2)
