"""Removed versions and runs on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from lepton_pipeline.registry.prune import Pruning, Removed, ranges
from lepton_pipeline.registry.prune_plan import Plan
from lepton_pipeline.terminal.console import Text, console, figures, fixed, table

_RUN_CHARACTERS = 8
_DAY = 86400


def print_pruning(plan: Plan, removed: Sequence[Removed], *, dry_run: bool) -> None:
    """Print what went or would go, the oldest first, then what is kept and why."""
    out = console()
    total = sum(each.size for each in removed)
    versions = _counted(sum(len(each.what.versions) for each in removed), "version")
    what = f"{versions} and {_counted(sum(each.what.run_id is not None for each in removed), 'run')}"
    if not plan.remove:
        head = "nothing to remove"
    elif dry_run:
        head = f"{what} would go, {megabytes(total)} MB; nothing was changed"
    else:
        head = f"{what} removed, {megabytes(total)} MB freed"
        if len(removed) < len(plan.remove):
            head += f"; {len(plan.remove) - len(removed)} of {len(plan.remove)} lines are left"
    out.print(Text.assemble((plan.name, "bold"), f": {head}"))
    if removed:
        rows = table(figures("version"), fixed("run"), fixed("ended"), figures("age"), figures("MB"))
        for each in removed:
            one = each.what
            run = "–" if one.run_id is None else one.run_id[:_RUN_CHARACTERS]
            status = one.status.lower() or "–"
            rows.add_row(ranges(one.versions) or "–", run, status, _age(one.at), megabytes(each.size))
        out.print(rows)
    kept = table("kept because", figures("number"), fixed("versions"))
    for reason, numbers in plan.kept.items():
        kept.add_row(reason, str(len(numbers)), ranges(numbers))
    for reason, number in plan.kept_runs.items():
        kept.add_row(f"run without a version: {reason}", str(number), "")
    out.print(kept)


def print_prunings(prunings: Sequence[Pruning]) -> None:
    """Print the latest pruning of a model, if any."""
    if not prunings:
        return
    last, earlier = prunings[-1], len(prunings) - 1
    what = f"versions {last.versions}, " if last.versions else ""
    before = f"; {earlier} earlier" if earlier else ""
    text = (
        f"pruned {last.at.astimezone():%Y-%m-%d %H:%M} by {last.user}: {what}{_counted(last.runs, 'run')}, "
        f"{megabytes(last.freed)} MB (--keep {last.keep}){before}"
    )
    console().print(Text(text, style="dim"))


def megabytes(size: int) -> str:
    """Millions of bytes, with one decimal.

    >>> megabytes(12_340_000)
    '12.3'
    """
    return f"{size / 1e6:,.1f}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _age(at: datetime) -> str:
    return f"{(datetime.now(UTC) - at).total_seconds() / _DAY:,.0f} d"
