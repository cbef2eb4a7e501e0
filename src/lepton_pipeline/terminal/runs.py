"""Comparisons and reproductions of runs on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lepton_pipeline.errors import NotReproducedError
from lepton_pipeline.reporting.report.formats import exact, interval, metric_inside
from lepton_pipeline.runs import compare
from lepton_pipeline.runs.checks import Check
from lepton_pipeline.runs.reproduce import Reproduction
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.metric_table import METRICS, lead_text
from lepton_pipeline.system.readable import clipped
from lepton_pipeline.terminal.console import Column, Table, Text, console, facts_grid, fixed, table

_VALUE_CHARACTERS = 40
_ERROR_CHARACTERS = 300
_NO_LIMIT = 10_000
# Shown although they are equal.
_SHOWN = {f"test.{metric}" for metric in METRICS}
_STYLES = {"promoted": "green", "refused": "red", "FAILED": "red", "KILLED": "red"}


def print_comparison(comparison: compare.Comparison) -> None:
    """Print runs with figures, the best first, then those without."""
    out = console()
    out.print()
    count = sum(len(group.runs) for group in comparison.groups)
    best = f"best first by {metric_inside(comparison.metric)}"
    out.print(Text(f"{comparison.vertical}: {_count(count)} with test figures, {best}", style="bold"))
    if count == 1:
        out.print(Text("There is nothing to compare it with yet.", style="dim"))
    for position, group in enumerate(comparison.groups):
        out.print()
        if len(comparison.groups) > 1:
            which = "other test rows, not comparable with those above" if position else "the latest test rows"
            out.print(Text(f"{_count(len(group.runs))} on {which}", style="bold"))
        out.print(Text("; ".join(filter(None, [_rows(group), group.remark])), style="dim"), soft_wrap=False)
        rows = _figures(group, comparison)
        if out.measure(rows, options=out.options.update(width=_NO_LIMIT)).maximum > out.width:
            # Half an interval says nothing, so its ends get a line each.
            rows = _figures(group, comparison, dash="–\n")
        out.print(rows)
        if any(run.tied for run in group.runs):
            out.print(Text(compare.TIE, style="dim"), soft_wrap=False)
        out.print(_origins(group))
    if comparison.others:
        out.print(Text(f"{_count(len(comparison.others))} without figures", style="bold"))
        out.print(_others(comparison.others))


def _count(number: int) -> str:
    return f"{number or 'no'} {'run' if number == 1 else 'runs'}"


def _rows(group: compare.ComparableRuns) -> str:
    rows = f"{int(group.rows):,} rows, " if group.rows.isdigit() else ""
    split = ", ".join(f"{key} {value}" for key, value in group.split.items())
    return f"{rows}data {group.data[:12] or 'not known'}{'; split ' if split else ''}{split}"


def _figures(group: compare.ComparableRuns, comparison: compare.Comparison, dash: str = "–") -> Table:
    decisive, metrics = comparison.metric, comparison.metrics
    names = [metric_inside(metric).replace(" ", "\n") for metric in metrics]
    rows = table(fixed("run"), *names, f"boosting's\n{metric_inside(decisive)}", expand=True)
    paired = any(run.behind is not None for run in group.runs)
    if paired:
        rows.add_column("behind\nthe best")
    for run in group.runs:
        cells = [_figure(metric, run.figures.get(metric), dash) for metric in metrics]
        behind = [_behind(decisive, run.behind, dash)] if paired else []
        name = _named(run).append("\ntie" if run.tied else "", style="yellow")
        rows.add_row(name, *cells, _figure(decisive, run.baseline, dash), *behind)
    return rows


def _behind(metric: str, figure: Estimate | None, dash: str) -> Text:
    if figure is None:
        return Text("–")
    low, high = (lead_text(metric, end) for end in figure.ends)
    return Text(lead_text(metric, figure.value)).append(f"\n{low}{dash}{high}", style="dim")


def _origins(group: compare.ComparableRuns) -> Table:
    wide = (Column(name, ratio=3) for name in ("gate", "what differs"))
    rows = table(fixed("run"), *wide, *map(fixed, ("seed", "commit", "started", "took")), expand=True)
    for run in group.runs:
        gate = Text(run.decision or "not reached", style=_STYLES.get(run.decision, "dim"))
        gate.append(f"\n{run.reason}" if run.reason else "", style="dim")
        differs = "\n".join(
            f"{name} {clipped(value, _VALUE_CHARACTERS)}" for name, value in run.parameters.items()
        )
        took = Text(compare.duration_text(run.seconds)).append(
            "\nresumed" if run.resumed else "", style="dim"
        )
        started = f"{run.started.astimezone():%m-%d %H:%M}"
        # As Text: a value such as [bold] is no markup.
        rows.add_row(_named(run), gate, Text(differs or "–"), run.seed, run.commit or "–", started, took)
    return rows


def _others(runs: list[compare.ComparedRun]) -> Table:
    why = Column("why", ratio=1, overflow="fold")
    rows = table(*map(fixed, ("run", "status", "started")), why, expand=True)
    for run in runs:
        reason = run.error or ("under way" if run.status == "RUNNING" else "ended before the test")
        started = f"{run.started.astimezone():%m-%d %H:%M}"
        status = Text(run.status.lower(), style=_STYLES.get(run.status, ""))
        rows.add_row(_named(run), status, started, Text(reason[:_ERROR_CHARACTERS]))
    return rows


def _named(run: compare.ComparedRun) -> Text:
    name = compare.version_text(run).replace("version ", "v") if run.version else run.run_id[:8]
    return Text(name).append(f"\n{run.run_id[:8]}" if run.version else "", style="dim")


def _figure(metric: str, figure: Estimate | None, dash: str) -> Text:
    if figure is None:
        return Text("–")
    ends = interval(metric, figure).replace(" to ", dash)
    return Text(exact(metric, figure.value, figure)).append(f"\n{ends}", style="dim")


def print_checks(run_id: str, checks: Sequence[Check]) -> None:
    """Print what a run depends on, and whether it is unchanged."""
    out = console()
    out.print()
    out.print(Text(f"run {run_id}", style="bold"))
    facts: list[tuple[str | Text, ...]] = []
    for check in checks:
        differs = Text("differs", style="red" if check.decisive else "yellow")
        facts.append((check.name, Text("same", style="green") if check.same else differs, check.text))
        if check.remedy and not check.same:
            facts.append(("", "", Text(f"→ {check.remedy}", style="dim")))
    out.print(facts_grid(facts))
    out.print()


def print_outcome(outcome: Reproduction) -> None:
    """Print differing values and a summary; raises NotReproducedError if any differs or no value was compared."""
    out = console()
    rows = table(*map(fixed, ("", "then", "now", "")))
    rest: Counter[str] = Counter()
    for value in outcome.values:
        if value.equal and value.name not in _SHOWN and not value.name.endswith(".sha256"):
            rest[value.name.partition(".")[0]] += 1
            continue
        verdict = Text("equal", style="green") if value.equal else Text("differs", style="red")
        rows.add_row(value.name, _exact(value.then), _exact(value.now), verdict)
    out.print(rows)
    if rest:
        shown = ", ".join(f"{count} of {part}.*" if count > 1 else part for part, count in rest.items())
        out.print(Text(f"equal, too: {shown}"))
    if outcome.folder is not None:
        out.print(Text(f"the scratch folder is {outcome.folder}"), soft_wrap=True)
    differing = [value.name for value in outcome.values if not value.equal]
    if differing or not outcome.values:
        values = f"{len(differing)} of {len(outcome.values)} values differ"
        what = values if differing else "it has no value to compare"
        raise NotReproducedError(f"run {outcome.run_id} is not reproduced: {what}, see above.")
    values = f"{len(outcome.values)} values are equal, to the last bit"
    out.print(Text(f"run {outcome.run_id} is reproduced: {values}"))


def _exact(value: float | str | None) -> str:
    if value is None:
        return "–"
    return value[:16] if isinstance(value, str) else repr(value)
