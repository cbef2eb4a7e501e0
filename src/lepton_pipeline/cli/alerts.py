"""`kedro alerts`: test alert channels."""

from __future__ import annotations

import sys

import click

from lepton_pipeline.cli.options import in_project, project_folder, require_vertical
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.system.readable import say


@click.group()
def alerts() -> None:
    """Test alert channels."""


@alerts.command()
@click.argument("vertical")
@in_project
def test(vertical: str, env: str | None) -> None:
    """Send a test alert to every channel of VERTICAL.

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
