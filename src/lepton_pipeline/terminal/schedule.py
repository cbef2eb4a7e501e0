"""The table of schedules: next start and outcome of the last job."""

from __future__ import annotations

from lepton_pipeline.operations.schedule.overview import Line
from lepton_pipeline.terminal.console import Text, console, table


def print_overview(lines: list[Line]) -> None:
    """Print the table, then the problems."""
    rows = table("vertical", "schedule", "next", "last", "attempts")
    for line in lines:
        schedule = "wrong, see below" if line.problem else line.schedule or "none"
        cells = (line.vertical, schedule, "\n".join(line.next_times), line.last, line.attempts)
        rows.add_row(*map(Text, cells))
    out = console()
    out.print(rows)
    for line in lines:
        if line.problem:
            out.print(Text(f"\n{line.problem}"))
