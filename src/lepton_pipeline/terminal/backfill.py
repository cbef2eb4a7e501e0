"""How a backfill is shown on a terminal, and on its page in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.padding import Padding
from rich.table import Table

from lepton_pipeline.evaluation.decision import verdict
from lepton_pipeline.evaluation.interval_words import bracket
from lepton_pipeline.operations.backfill.realised import ALWAYS, NEVER, POLICY, STRATEGIES
from lepton_pipeline.operations.backfill.walk import Look
from lepton_pipeline.reporting.report.words import metric_inside
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.system.markdown import as_markdown, fact_list
from lepton_pipeline.system.records import from_plain
from lepton_pipeline.terminal.console import Text, console

_WIDTH_OF_A_LOG = 130
_NOTHING = "–"
_COLUMNS = ("date", "due", "why", "result", "alarms", "rows", *STRATEGIES)


def print_look(look: Look, before: bool) -> None:
    """Print one line for a date; `before`: it was finished by an earlier start."""
    done = _decided(look.due, look.triggers, look.version, look.promoted, look.alarms)
    alarms = f"; alarms: {', '.join(look.alarms)}" if look.alarms else ""
    console(_WIDTH_OF_A_LOG).print(Text(f"{look.date}  {done}{alarms}{' (finished before)' * before}"), soft_wrap=True)


def print_backfill(found: Mapping[str, Any], files: Mapping[str, str]) -> None:
    """Print the table of the dates and what it comes to.

    Args:
        found: what `describe` gives.
        files: where the results lie, by what they are.
    """
    out = console(_WIDTH_OF_A_LOG)
    metric = metric_inside(found["metric"])
    out.print()
    out.print(Text.assemble((found["vertical"], "bold"), f", backfill by {found['every']}: realised {metric}"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for column in _COLUMNS:
        figure = column in STRATEGIES or column == "rows"
        table.add_column(column, justify="right" if figure else "left", no_wrap=figure or column in ("date", "due"))
    for row in _rows(found):
        table.add_row(*map(Text, row))
    out.print(table)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for fact, text in (*_facts(found), *files.items()):
        facts.add_row(fact, Text(text))
    out.print(Padding(facts, (0, 1), expand=False))


def backfill_markdown(found: Mapping[str, Any]) -> str:
    """The same as Markdown, for the head of the run's page."""
    rows = [list(map(as_markdown, row)) for row in _rows(found)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (_COLUMNS, ["---"] * len(_COLUMNS), *rows)]
    return "\n".join([*fact_list(_facts(found)), "", *lines])


def _rows(found: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            each["date"],
            "yes" if each["due"] else "no",
            ", ".join(each["triggers"]),
            _result(each["version"], each["promoted"]),
            ", ".join(each["alarms"]),
            f"{each['rows']:,}",
            # The whole is in the files; here one interval tells how much to make of the differences.
            _figure(each["realised"][POLICY]),
            *(_figure(each["realised"][strategy]).partition(" ")[0] for strategy in (NEVER, ALWAYS)),
        ]
        for each in found["dates"]
    ]


def _facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    summary = found["summary"]
    facts = [("trainings", f"{found['trainings']} of {len(found['dates'])} dates, {found['promoted']} promoted")]
    if summary["mean"]:
        means = ", ".join(f"{strategy} {_figure(summary['mean'][strategy])}" for strategy in STRATEGIES)
        facts.append(("mean", f"{means}, over the {summary['periods']} periods in which all were measured"))
        words = {NEVER: "never retrained", ALWAYS: "always retrained"}
        for other, figure in summary["difference"].items():
            signed = f"{figure['value']:+.4f} {bracket(from_plain(Estimate, figure), '{:+.4f}'.format)}"
            facts.append(("difference", f"{signed} against {words[other]}"))
    facts.extend(("note", note) for note in found["notes"])
    return facts


def _decided(
    due: bool, triggers: tuple[str, ...], version: int | None, promoted: bool | None, alarms: tuple[str, ...]
) -> str:
    if version is not None:
        return f"due ({', '.join(triggers)}): {_result(version, promoted)}"
    if {"failed", "contract"} & set(alarms):
        return "failed"
    return "not due"


def _result(version: int | None, promoted: bool | None) -> str:
    return "" if version is None else f"version {version} {verdict(promoted)}"


def _figure(figure: Mapping[str, Any] | None) -> str:
    return _NOTHING if figure is None else f"{figure['value']:.4f} {bracket(from_plain(Estimate, figure))}"
