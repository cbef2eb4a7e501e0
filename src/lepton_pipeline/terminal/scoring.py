"""The last thing a scoring prints: what went in, what came out, where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lepton_pipeline.reporting.report.reading import note_facts, reading_facts
from lepton_pipeline.system.markdown import fact_list
from lepton_pipeline.terminal.console import Text, console, facts_grid

_SHOWN_COLUMNS = 10


def print_scoring(name: str, results: Mapping[str, Any], seconds: Mapping[str, float], where: str) -> None:
    """Print the results of one scoring.

    Args:
        name: of the pipeline.
        results: `about`, and contents of `scoring_contract` and `scoring_record`, as far as they exist.
        seconds: by stage.
        where: how to see the run in the MLflow UI.
    """
    out = console()
    out.print()
    record = results.get("scoring_record")
    done = f"scored by version {_version(record)}" if record else "nothing scored"
    out.print(Text(f"{name}: {done}", style="bold"))
    stages = ", ".join(f"{stage} {each:.1f}" for stage, each in seconds.items())
    facts = [*_facts(results), ("seconds", f"{sum(seconds.values()):.1f}: {stages}"), ("see it", where)]
    out.print(facts_grid(facts))


def scoring_markdown(results: Mapping[str, Any]) -> str:
    """The same results as Markdown, for the head of the run's page in MLflow."""
    return "\n".join(fact_list(_facts(results)))


def _version(record: Mapping[str, Any]) -> str:
    model = record["model"]
    return f"{model['version']}, {model['alias']}" if model["alias"] else str(model["version"])


def _facts(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    if caution := results.get("about", {}).get("caution"):
        facts.append(("caution", caution))
    contract = results.get("scoring_contract", {"warnings": [], "left_out": []})
    record = results.get("scoring_record")
    counted = record or (contract if "rows" in contract else None)
    facts += reading_facts(contract.get("reading"), counted)
    if record:
        shown = f"{record['positives']:,} of {record['scored']:,} ({record['share_positive']:.1%})"
        facts.append(("positive", f"{shown} at or above {record['threshold']:.3f}; mean {record['mean_score']:.4f}"))
    facts += note_facts(contract.get("reading", {}).get("notes", {}))
    facts.extend(("warning", message) for message in contract["warnings"])
    if record and (lone := _without_history(record)):
        facts.append(("warning", lone))
    facts.extend(("warning", message) for message in _unseen(contract.get("unseen", {})))
    if contract["left_out"]:
        facts.append(("not checked", f"{'; '.join(contract['left_out'])}: nothing to check it by yet"))
    facts.extend((name, path) for name, path in results.get("paths", {}).items())
    return facts


def _without_history(record: Mapping[str, Any]) -> str:
    """Say that windows have nothing to look back to, if they do not; a record of before does not count that."""
    windows = {name: rows for name, rows in record.get("without_history", {}).items() if rows}
    if not windows:
        return ""
    names = [*windows][:_SHOWN_COLUMNS]
    more = f" and {len(windows) - len(names)} more" if len(windows) > len(names) else ""
    return (
        f"{max(windows.values()):,} of {record['scored']:,} rows have no earlier row in the input for "
        f"{', '.join(names)}{more}; hand in the rows that these windows look back to, or take the scores of later rows"
    )


def _unseen(found: Mapping[str, Any]) -> list[str]:
    """A line for each column with values never seen, those with the largest shares first."""
    columns = sorted(found.values(), key=lambda each: -each["share"])
    lines = [each["message"] for each in columns[:_SHOWN_COLUMNS]]
    more = len(columns) - len(lines)
    return [*lines, f"values never seen stand in {more} more columns, see contract.json"] if more else lines
