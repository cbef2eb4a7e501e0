"""The state of all verticals on a terminal."""

from __future__ import annotations

from lepton_pipeline.operations.status import cells
from lepton_pipeline.operations.status.collect import Status, VerticalStatus
from lepton_pipeline.terminal.console import Text, console, table

_MODEL = ("vertical", "champion", "data until")
_COLUMNS = (*_MODEL, "last decision (UTC)", "drift", "next run", "failing since (UTC)")


def print_status(status: Status) -> None:
    """Print the table, verticals that need attention first, then what cannot be read."""
    out = console()
    rows = table(*_COLUMNS, leading=1)
    for each in status.verticals:
        rows.add_row(
            _name(each),
            _cell(*cells.champion_text(each, status.at)),
            _cell(*cells.data_text(each)),
            _cell(*cells.job_text(each)),
            _cell(*cells.drift_of(each)),
            _cell(*cells.next_text(each, status.at)),
            _cell(*cells.failing_text(each, status.at)),
        )
    out.print(rows)
    for problem in [status.problem, *(each.problem for each in status.verticals)]:
        if problem:
            out.print(Text(problem, style="red"), soft_wrap=True)


def _name(it: VerticalStatus) -> Text:
    text = Text(it.vertical, style="bold")
    for label in cells.labels(it):
        text.append(f"\n{label}", style="yellow" if label == "no champion" else "red")
    return text


def _cell(head: str, more: str) -> Text:
    return Text(head).append(f"\n{more}" if more else "", style="dim")
