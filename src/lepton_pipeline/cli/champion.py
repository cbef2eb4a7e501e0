"""`kedro champion`: list, replace, compare and verify champions, and remove old versions."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click
from click import IntRange, option

from lepton_pipeline.cli.errors import end_stopped
from lepton_pipeline.cli.options import base_folder, held_rows, in_project, project_folder, tracking
from lepton_pipeline.errors import BusyError, ConfigurationError, DataError
from lepton_pipeline.system.readable import say
from lepton_pipeline.system.signals import unwinding

if TYPE_CHECKING:
    from lepton_pipeline.registry.prune import Removed
    from lepton_pipeline.registry.prune_plan import Rule
    from lepton_pipeline.tracking.runs import Access

_reason = option("--reason", required=True, help="Why the champion changes; kept in the history.")


@click.group()
def champion() -> None:
    """Show, replace, verify and prune versions."""


@champion.command(name="list")
@click.argument("vertical", required=False)
@in_project
def list_champions(vertical: str | None, env: str | None) -> None:
    """List champions and why they changed."""
    from lepton_pipeline.project.declaration import find_verticals
    from lepton_pipeline.registry.champion import history
    from lepton_pipeline.registry.prune import read_prunings
    from lepton_pipeline.terminal.champions import print_history
    from lepton_pipeline.terminal.pruning import print_prunings

    client = _client(env, vertical, "view")
    names = [vertical] if vertical else find_verticals(base_folder())
    for name in names:
        print_history(name, [] if client is None else history(client, name))
        print_prunings([] if client is None else read_prunings(client, name))


@champion.command()
@click.argument("vertical")
@option(
    "--to", type=int, help="Version of an earlier champion; by default the one that the present replaced."
)
@_reason
@in_project
def rollback(vertical: str, to: int | None, reason: str, env: str | None) -> None:
    """Bring an earlier champion back."""
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
    """Make VERSION the champion, past the gate."""
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
    """Compare two versions of VERTICAL.

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
    """Hold files of versions to their hashes.

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


@champion.command()
@click.argument("vertical")
@option("--keep", type=IntRange(min=1), required=True, help="Number of latest versions to keep.")
@option("--older-than", metavar="DURATION", help="Remove only what is older: 90d, 12w.")
@option("--dry-run", is_flag=True, help="Print what would be removed; nothing is changed.")
@in_project
def prune(vertical: str, keep: int, older_than: str | None, dry_run: bool, env: str | None) -> None:
    """Remove old versions and their files.

    Champions of all times stay, and what an alias, `scoring.version`, a job or an open run refers to. Files are
    gone for good. The same command finishes an interrupted one. Exit codes: 0 done, 2 bad usage or no right to
    remove, 130 and 143 interrupted, 1 anything else, also where another process works on the vertical.
    """
    from lepton_pipeline.project.pins import pinned_versions
    from lepton_pipeline.registry.prune_plan import Rule

    age = _age(older_than)
    client = _client(env, vertical, "load" if dry_run else "write")
    rule = Rule(keep, age, pinned_versions(base_folder().parent, vertical))
    if dry_run:
        _print_plan(client, vertical, rule)
        return
    with unwinding():
        try:
            _prune(client, vertical, rule)
        except (KeyboardInterrupt, SystemExit) as stop:
            end_stopped(stop, f"{vertical}: stopped; the same command removes the rest")


def _print_plan(client: Any, vertical: str, rule: Rule) -> None:
    from lepton_pipeline.registry.prune import measure
    from lepton_pipeline.registry.prune_plan import plan_pruning
    from lepton_pipeline.terminal.pruning import print_pruning

    plan = plan_pruning(client, vertical, rule)
    print_pruning(plan, list(measure(plan)), dry_run=True)


def _prune(client: Any, vertical: str, rule: Rule) -> None:
    """Remove what a plan made under the locks of the vertical names."""
    from lepton_pipeline.parameters.jobs import MONITORING, SCORING, TRAINING, Job
    from lepton_pipeline.registry.prune import prune as remove
    from lepton_pipeline.registry.prune_plan import plan_pruning
    from lepton_pipeline.system.locks import JOB_LOCKS, JobLock
    from lepton_pipeline.terminal.pruning import print_pruning

    with ExitStack() as held:
        for purpose in (TRAINING, SCORING, MONITORING):
            job = Job(vertical, purpose).name
            lock = JobLock(project_folder() / JOB_LOCKS, job, "kedro champion prune")
            if (holder := held.enter_context(lock)) is not None:
                raise BusyError(
                    f"{job}: another process is at work on it ({holder}); nothing was removed. Wait for its end."
                )
        plan = plan_pruning(client, vertical, rule)
        removed: list[Removed] = []
        try:
            # What went before an error is in the list.
            removed.extend(remove(client, plan))
        finally:
            print_pruning(plan, removed, dry_run=False)


def _age(older_than: str | None) -> timedelta | None:
    from lepton_pipeline.parameters.base import DURATION
    from lepton_pipeline.parameters.durations import as_timedelta

    if older_than is None:
        return None
    if not DURATION.fullmatch(older_than):
        raise ConfigurationError(f"--older-than: {older_than!r} is no duration; write 90d, 12h or 2w.")
    try:
        return as_timedelta(older_than).to_pytimedelta()
    except (OverflowError, ValueError) as error:
        raise ConfigurationError(f"--older-than: {older_than!r} reaches too far back.") from error


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
