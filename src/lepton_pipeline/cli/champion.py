"""`kedro champion`: list, replace, compare and verify champions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click import option

from lepton_pipeline.cli.options import base_folder, held_rows, in_project, project_folder, tracking
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.system.readable import say

if TYPE_CHECKING:
    from lepton_pipeline.tracking.runs import Access

_reason = option("--reason", required=True, help="Why the champion changes; kept in the history.")


@click.group()
def champion() -> None:
    """Show, replace, compare and verify champions."""


@champion.command(name="list")
@click.argument("vertical", required=False)
@in_project
def list_champions(vertical: str | None, env: str | None) -> None:
    """List the champions of VERTICAL, or of all, and why they changed."""
    from lepton_pipeline.project.declaration import find_verticals
    from lepton_pipeline.registry.champion import history
    from lepton_pipeline.terminal.champions import print_history

    client = _client(env, vertical, "view")
    names = [vertical] if vertical else find_verticals(base_folder())
    for name in names:
        print_history(name, [] if client is None else history(client, name))


@champion.command()
@click.argument("vertical")
@option(
    "--to", type=int, help="Version of an earlier champion; by default the one that the present replaced."
)
@_reason
@in_project
def rollback(vertical: str, to: int | None, reason: str, env: str | None) -> None:
    """Make an earlier champion of VERTICAL the champion again."""
    from lepton_pipeline.registry.champion import roll_back

    client = _client(env, vertical)
    move = roll_back(client, vertical, reason, to)
    say(f"{vertical}: version {move.version} is champion again, in place of version {move.from_version}")
    _show_pages(client, vertical, move.version)


@champion.command()
@click.argument("vertical")
@click.argument("version", type=int)
@option("--force", is_flag=True, help="Confirm that this bypasses the gate.")
@_reason
@in_project
def promote(vertical: str, version: int, force: bool, reason: str, env: str | None) -> None:
    """Make VERSION the champion of VERTICAL, bypassing the gate."""
    from lepton_pipeline.registry.champion import promote as promote_version

    if not force:
        raise ConfigurationError("--force: not given; it is required, since this bypasses the gate.")
    client = _client(env, vertical)
    move = promote_version(client, vertical, version, reason)
    replaced = "" if move.from_version is None else f", in place of version {move.from_version}"
    say(f"{vertical}: version {move.version} is champion{replaced}")
    _show_pages(client, vertical, move.version)


@champion.command()
@click.argument("vertical")
@click.argument("a")
@click.argument("b")
@in_project
def diff(vertical: str, a: str, b: str, env: str | None) -> None:
    """Compare data, parameters and metrics of two versions.

    A and B are each a number or an alias. Both are scored on the test rows on disk that neither has learnt
    from.
    """
    from lepton_pipeline.registry.diff import compare_versions
    from lepton_pipeline.terminal.champions import print_diff

    client = _client(env, vertical)
    print_diff(compare_versions(client, vertical, a, b, held_rows(vertical, env)))


@champion.command()
@click.argument("vertical", required=False)
@in_project
def verify(vertical: str | None, env: str | None) -> None:
    """Compare the files of every version with what was registered.

    Of VERTICAL, or of all. None of the files is run.
    """
    from lepton_pipeline.registry.versions import all_versions, verify_version

    client = _client(env, vertical, "view")
    if client is None:
        say("no model was registered yet")
        return
    names = [vertical] if vertical else sorted(str(model.name) for model in client.search_registered_models())
    altered = []
    for name in names:
        for version in sorted(int(each.version) for each in all_versions(client, name)):
            whole, found = verify_version(client, name, version)
            say(f"{name}: version {version}: {found}")
            if whole is False:
                altered.append(f"version {version} of {name}")
    if altered:
        shown = ", ".join(altered)
        raise DataError(f"not as registered: {shown}; restore the files from a copy, or train again.")


def _show_pages(client: Any, vertical: str, version: int) -> None:
    """Copy the new champion's report here; the champion has changed even if this fails."""
    from lepton_pipeline.registry.champion import REPORTS, keep_champion_pages
    from lepton_pipeline.system.permissions import refused

    folder, project = REPORTS / vertical / "champion", project_folder()
    try:
        report = keep_champion_pages(client, vertical, version, project)
    except OSError as error:
        if (problem := refused(error)) is None:
            raise
        say(f"{folder} still shows another version: {problem}")
        return
    gone = f"its run has no report any more, so {folder} was removed"
    say(gone if report is None else f"its report: {report.relative_to(project)}")


def _client(env: str | None, vertical: str | None, access: Access = "load") -> Any:
    """A client of the store, which must have a model of `vertical`; else None if it does not exist yet."""
    from lepton_pipeline.registry.champion import require_model
    from lepton_pipeline.tracking.runs import existing_store

    client = existing_store(tracking(env), project_folder(), access)
    if vertical:
        require_model(client, vertical)
    return client
