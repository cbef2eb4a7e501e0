"""Champions and comparisons of versions on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from lepton_pipeline.evaluation.interval_text import bracket
from lepton_pipeline.registry.champion import Reign
from lepton_pipeline.registry.diff import SameRows, VersionDiff
from lepton_pipeline.statistics.metric_table import lead_text, metric_text
from lepton_pipeline.terminal.console import Table, Text, console, figures, fixed, table

_HASH_CHARACTERS, _VALUE_CHARACTERS = 12, 200
_RUN_CHARACTERS = 8


def print_history(vertical: str, reigns: Sequence[Reign]) -> None:
    """Print the champions of a vertical, the latest first."""
    out = console()
    if not reigns:
        out.print(Text.assemble((vertical, "bold"), ": no champion yet"))
        return
    out.print(Text(vertical, style="bold"))
    rows = table(figures("version"), fixed("from"), fixed("until"), "why")
    for reign in reversed(reigns):
        until = "now" if reign.current else _moment(reign.until)
        style = "bold" if reign.current else None
        rows.add_row(str(reign.version), _moment(reign.since), until, _why(reign), style=style)
    out.print(rows)


def print_diff(diff: VersionDiff) -> None:
    """Print two versions side by side."""
    out = console()
    a, b = (f"version {version}" for version in diff.versions)
    out.print(Text(f"{diff.name}: {a} and {b}", style="bold"))
    registered = table(fixed("figures of each on its own test rows"), a, b)
    for row in diff.registered:
        registered.add_row(*row)
    out.print(registered)
    if diff.same_rows is not None:
        out.print(_same_rows(diff.same_rows, a, b))
    facts = table(fixed(""), a, b)
    for key, *values in diff.facts:
        most = _HASH_CHARACTERS if key.endswith(("sha256", "commit")) else None
        shown = [value[:most] for value in values]
        facts.add_row(key, *shown, style=None if values[0] != values[1] else "dim")
    out.print(facts)
    parameters = table(fixed("parameters that differ"), a, b)
    for key, *values in diff.parameters:
        parameters.add_row(Text(key), *(Text(value[:_VALUE_CHARACTERS]) for value in values))
    out.print(parameters if diff.parameters else "parameters: the same")
    if diff.remark:
        out.print(Text(diff.remark, style="yellow"))


def _same_rows(same: SameRows, a: str, b: str) -> Table:
    rows = table(fixed(f"on the same {same.rows:,} rows, new to both"), a, b)
    rows.add_column("difference [95 % interval]", no_wrap=True)
    for metric, values in same.values.items():
        signed = partial(lead_text, metric, sign="+")
        each = same.differences.get(metric)
        shown = "" if each is None else f"{signed(each.value)} {bracket(each, signed)}"
        rows.add_row(metric, *map(partial(metric_text, metric), values), shown)
    return rows


def _moment(at: datetime | None) -> str:
    return "unknown" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}"


def _why(reign: Reign) -> Text:
    move = reign.move
    if move is None:
        return Text("the alias was moved by other means", style="dim")
    run = "" if move.run_id is None else f", run {move.run_id[:_RUN_CHARACTERS]}"
    return Text(f"{move.how} by {move.user}{run}\n{move.reason}")
