"""A backfill on a terminal, and on its page in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from lepton_pipeline.evaluation.decision import verdict
from lepton_pipeline.evaluation.interval_text import bracket, measured_text
from lepton_pipeline.operations.backfill.realised import BackfillResult
from lepton_pipeline.operations.backfill.walk import ALWAYS, NEVER, POLICY, STRATEGIES, DatedDecision
from lepton_pipeline.reporting.report.formats import metric_inside
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.metric_table import higher_is_better, lead_text, metric_text
from lepton_pipeline.system.markdown import as_markdown, fact_list
from lepton_pipeline.terminal.console import Text, console, facts_grid, figures, fixed, table

_NOTHING = "–"
_COLUMNS = ("date", "due", "why", "result", "alarms", "rows", *STRATEGIES)


def print_dated(dated: DatedDecision, before: bool) -> None:
    """Print one line for a date; `before`: an earlier start had finished it."""
    done = "failed" if {"failed", "contract"} & set(dated.alarms) else "not due"
    if dated.version is not None:
        done = f"due ({', '.join(dated.triggers)}): {_result(dated.version, dated.promoted)}"
    alarms = f"; alarms: {', '.join(dated.alarms)}" if dated.alarms else ""
    console().print(Text(f"{dated.date}  {done}{alarms}{' (finished before)' * before}"), soft_wrap=True)


def print_backfill(found: BackfillResult, files: Mapping[str, str]) -> None:
    """Print the table of dates, its summary, and the result files."""
    out = console()
    out.print()
    title = f", backfill by {found.every}: realised {metric_inside(found.metric)}"
    out.print(Text.assemble((found.vertical, "bold"), title))
    kinds = {"date": fixed, "due": fixed, **dict.fromkeys(("rows", *STRATEGIES), figures)}
    rows = table(*(kinds[name](name) if name in kinds else name for name in _COLUMNS))
    for row in _rows(found):
        rows.add_row(*map(Text, row))
    out.print(rows)
    out.print(facts_grid([*_facts(found), *files.items()]))


def backfill_markdown(found: BackfillResult) -> str:
    """The table and summary as Markdown, for the note on the run's page."""
    rows = [list(map(as_markdown, row)) for row in _rows(found)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (_COLUMNS, ["---"] * len(_COLUMNS), *rows)]
    return "\n".join([*fact_list(_facts(found)), "", *lines])


def _rows(found: BackfillResult) -> list[list[str]]:
    return [
        [
            each.date,
            "yes" if each.due else "no",
            ", ".join(each.triggers),
            _result(each.version, each.promoted),
            ", ".join(each.alarms),
            f"{each.rows:,}",
            # One interval is enough here; the files have all.
            _figure(found.metric, each.realised[POLICY]),
            *(_value(found.metric, each.realised[strategy]) for strategy in (NEVER, ALWAYS)),
        ]
        for each in found.dates
    ]


def _facts(found: BackfillResult) -> list[tuple[str, str]]:
    summary, dates = found.summary, len(found.dates)
    facts = [("trainings", f"{found.trainings} of {dates} dates, {found.promoted} promoted")]
    if summary.mean:
        means = ", ".join(
            f"{strategy} {_figure(found.metric, summary.mean[strategy])}" for strategy in STRATEGIES
        )
        facts.append(("mean", f"{means}, over the {summary.periods} periods in which all were measured"))
        words = {NEVER: "never retrained", ALWAYS: "always retrained"}
        for other, figure in summary.difference.items():
            ahead = partial(lead_text, found.metric, sign="+")
            signed = f"{ahead(figure.value)} {bracket(figure, ahead)}"
            better = "" if higher_is_better(found.metric) else " (above 0: the policy is better)"
            facts.append(("difference", f"{signed} against {words[other]}{better}"))
    facts.extend(("note", note) for note in found.notes)
    return facts


def _result(version: int | None, promoted: bool | None) -> str:
    return "" if version is None else f"version {version} {verdict(promoted)}"


def _figure(metric: str, figure: Estimate | None) -> str:
    return _NOTHING if figure is None else measured_text(metric, figure)


def _value(metric: str, figure: Estimate | None) -> str:
    return _NOTHING if figure is None else metric_text(metric, figure.value)
