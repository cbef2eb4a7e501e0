"""The state of all verticals, and their schedules, on a terminal."""

from __future__ import annotations

from lepton_pipeline.operations.monitoring.summary import trend_text
from lepton_pipeline.operations.schedule.state import Line
from lepton_pipeline.operations.status.collect import FINDINGS, Status, VerticalStatus, cells_of
from lepton_pipeline.terminal.console import Text, console, table

_COLUMNS = ("vertical", "quality", "champion", "data until", "last decision (UTC)", "drift", "next run")


def print_status(status: Status) -> None:
    """Print verticals that need attention, those that do not, those never trained, then what cannot be read."""
    out = console()
    out.print(Text(f"{status.headline[0].upper()}{status.headline[1:]}.", style="bold"))
    *groups, idle = status.groups
    for group in groups:
        if group:
            rows = table(*_COLUMNS, leading=1)
            for each in group:
                cells = cells_of(each, status.at)
                if each.monitoring is not None:
                    head, more = cells["quality"]
                    cells["quality"] = f"{head} {trend_text(each.monitoring)}".rstrip(), more
                texts = (
                    Text(head).append(f"\n{more}" if more else "", style="dim")
                    for head, more in cells.values()
                )
                rows.add_row(_name(each), *texts)
            out.print(rows)
    if idle:
        names = ", ".join(each.vertical for each in idle)
        out.print(Text(f"Never trained: {names}. Train one: kedro run --pipelines {idle[0].vertical}"))
    for problem in [status.problem, *(each.problem for each in status.verticals)]:
        if problem:
            out.print(Text(problem, style="red"), soft_wrap=True)


def _name(it: VerticalStatus) -> Text:
    text = Text(it.vertical, style="bold")
    for finding in it.findings:
        text.append(f"\n{FINDINGS[finding][0]}", style="yellow" if finding == "no champion" else "red")
    return text


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
