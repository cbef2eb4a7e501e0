"""How champions are shown on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich import box
from rich.table import Table

from lepton_pipeline.evaluation.interval_words import bracket
from lepton_pipeline.registry.champion import Reign
from lepton_pipeline.registry.diff import SameRows, VersionDiff
from lepton_pipeline.terminal.console import Text, console

_HASH_CHARACTERS, _VALUE_CHARACTERS = 12, 200
_RUN_CHARACTERS = 8
_UNKNOWN = "unknown"


def print_history(vertical: str, reigns: Sequence[Reign]) -> None:
    """Print who was champion of a vertical, the latest first."""
    out = console()
    if not reigns:
        out.print(Text.assemble((vertical, "bold"), ": no champion yet"))
        return
    out.print(Text(vertical, style="bold"))
    table = _table()
    table.add_column("version", justify="right")
    table.add_column("from", no_wrap=True)
    table.add_column("until", no_wrap=True)
    table.add_column("why", overflow="fold")
    for reign in reversed(reigns):
        until = "now" if reign.current else _moment(reign.until)
        style = "bold" if reign.current else None
        table.add_row(str(reign.version), _moment(reign.since), until, _why(reign), style=style)
    out.print(table)


def print_diff(diff: VersionDiff) -> None:
    """Print two versions side by side."""
    out = console()
    a, b = (f"version {version}" for version in diff.versions)
    out.print(Text(f"{diff.name}: {a} and {b}", style="bold"))
    registered = _side_by_side("figures of each on its own test rows", a, b)
    for row in diff.registered:
        registered.add_row(*row)
    out.print(registered)
    if diff.same_rows is not None:
        out.print(_same_rows(diff.same_rows, a, b))
    facts = _side_by_side("", a, b)
    for key, *values in diff.facts:
        shown = [value[:_HASH_CHARACTERS] if key.endswith(("sha256", "commit")) else value for value in values]
        facts.add_row(key, *shown, style=None if values[0] != values[1] else "dim")
    out.print(facts)
    parameters = _side_by_side("parameters that differ", a, b)
    for key, *values in diff.parameters:
        parameters.add_row(Text(key), *(Text(value[:_VALUE_CHARACTERS]) for value in values))
    if diff.parameters:
        out.print(parameters)
    else:
        out.print("parameters: the same")
    if diff.remark:
        out.print(Text(diff.remark, style="yellow"))


def _same_rows(same: SameRows, a: str, b: str) -> Table:
    table = _side_by_side(f"on the same {same.rows:,} rows, new to both", a, b)
    table.add_column("difference [95 % interval]", no_wrap=True)
    for metric, values in same.values.items():
        each = same.differences.get(metric)
        shown = "" if each is None else f"{each.value:+.4f} {bracket(each, '{:+.4f}'.format)}"
        table.add_row(metric, *(f"{value:.4f}" for value in values), shown)
    return table


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))


def _side_by_side(title: str, a: str, b: str) -> Table:
    table = _table()
    table.add_column(title, no_wrap=True)
    for version in (a, b):
        table.add_column(version, overflow="fold")
    return table


def _moment(at: datetime | None) -> str:
    return _UNKNOWN if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}"


def _why(reign: Reign) -> Text:
    move = reign.move
    if move is None:
        return Text("the alias was moved by other means", style="dim")
    run = "" if move.run_id is None else f", run {move.run_id[:_RUN_CHARACTERS]}"
    # As Text: a reason with brackets is no markup.
    return Text(f"{move.how} by {move.user}{run}\n{move.reason}")
