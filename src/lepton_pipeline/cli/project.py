"""The commands on a whole project: `kedro adopt`, `kedro alerts`, `kedro ipython` and `kedro status`."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import click
from click import option

from lepton_pipeline.cli.options import in_project, project_folder, require_vertical, tracking
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.system.files import write_text
from lepton_pipeline.system.readable import say


@click.command()
@option("--if-moved", is_flag=True, help="Only if the original folder is gone; say so if it is not.")
@in_project
def adopt(if_moved: bool, env: str | None) -> None:
    """Take over the runs of a copied project.

    Until then they refer to the original's artefacts, which stay unchanged. A moved project needs this only
    before MLflow is used without kedro.
    """
    from lepton_pipeline.system.locks import FileLock
    from lepton_pipeline.tracking.local_store import local_store

    declared = tracking(env)
    store = local_store(declared.tracking_uri, declared.artifact_root, project_folder())
    if store is None:
        if if_moved:
            return
        raise ConfigurationError(
            "mlflow.yml: the store is no SQLite file with artefacts below the project, so a copy of the project shares "
            "it; to have another, change tracking_uri and artifact_root."
        )
    with FileLock(store.database.with_name(f"{store.database.name}.lock")):
        if if_moved:
            store.settle()
            return
        former = store.former()
        if missing := store.missing(former):
            shown = ", ".join(map(str, missing))
            raise ConfigurationError(
                f"{store.artifacts} lacks what runs have stored in {shown}; copy it there, or, to begin without those "
                f"runs, remove {store.database}."
            )
        store.rewrite(former)
    if not former:
        say(f"nothing to do: the runs of {store.database.name} are in {store.artifacts}")
        return
    left = ", ".join(map(str, former))
    say(f"the runs of {store.database.name} are in {store.artifacts} now, no longer in {left}")


@click.group()
def alerts() -> None:
    """Test alert channels."""


@alerts.command()
@click.argument("vertical")
@in_project
def test(vertical: str, env: str | None) -> None:
    """Send a test alert to every channel.

    Exit codes: 0 all delivered, 1 a channel failed, 2 bad configuration or usage.
    """
    from lepton_pipeline.operations.alerts.notify import has_channel, send_test
    from lepton_pipeline.operations.schedule.read import read_own
    from lepton_pipeline.project.declaration import read_vertical

    project = project_folder()
    require_vertical(vertical)
    declared = read_vertical(vertical, read_own(project, env, vertical)).alerts
    if not has_channel(declared):
        raise ConfigurationError(f"{vertical}.alerts: no channel is declared; declare webhook, mail or file.")
    outcomes = send_test(vertical, declared, project)
    for outcome in outcomes:
        say(f"{outcome.channel:8} {outcome.state}" + (f": {outcome.why}" if outcome.why else ""))
    sys.exit(0 if all(outcome.state == "sent" for outcome in outcomes) else 1)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@in_project
def ipython(arguments: tuple[str, ...], env: str | None) -> None:
    """Open IPython with catalog and session.

    As `catalog`, `context`, `pipelines` and `session`; %reload_kedro reloads them. ARGUMENTS are IPython's.
    """
    if find_spec("IPython") is None:
        raise ConfigurationError('IPython is not installed; install it with: pip install ".[ipython]"')
    if env:
        os.environ["KEDRO_ENV"] = env
    sys.stdout.flush()
    command = [sys.executable, "-m", "IPython", "--ext", "kedro.ipython", *arguments]
    os.execv(sys.executable, command)  # noqa: S606  # this interpreter


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
