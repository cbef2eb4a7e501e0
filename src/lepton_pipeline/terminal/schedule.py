"""The schedules as a table: what comes next, and how the last job ended."""

from __future__ import annotations

from rich.table import Table

from lepton_pipeline.operations.schedule.overview import Line
from lepton_pipeline.terminal.console import Text, console


def print_overview(lines: list[Line]) -> None:
    """Print the table, and below it what is wrong."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Vertical", "Schedule", "Next", "Last", "Attempts"):
        table.add_column(name)
    for line in lines:
        schedule = "wrong, see below" if line.problem else line.schedule or "none"
        cells = (line.vertical, schedule, "\n".join(line.next_times), line.last, line.attempts)
        table.add_row(*map(Text, cells))
    out = console(None)
    out.print(table)
    for line in lines:
        if line.problem:
            out.print(Text(f"\n{line.problem}"))
