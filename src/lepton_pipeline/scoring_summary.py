"""The last thing a scoring prints: what went in, what came out, where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lepton_pipeline.terminal import console


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
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for fact, text in _facts(results):
        facts.add_row(fact, Text(text))
    stages = ", ".join(f"{stage} {each:.1f}" for stage, each in seconds.items())
    facts.add_row("seconds", f"{sum(seconds.values()):.1f}: {stages}")
    facts.add_row("see it", where)
    out.print(Padding(facts, (0, 1), expand=False))


def scoring_markdown(results: Mapping[str, Any]) -> str:
    """The same results as Markdown, for the head of the run's page in MLflow."""
    return "\n".join(f"- **{name}**: {text}" for name, text in _facts(results))


def _version(record: Mapping[str, Any]) -> str:
    model = record["model"]
    return f"{model['version']}, {model['alias']}" if model["alias"] else str(model["version"])


def _facts(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    if caution := results.get("about", {}).get("caution"):
        facts.append(("caution", caution))
    contract = results.get("scoring_contract", {"warnings": [], "left_out": []})
    if record := results.get("scoring_record"):
        facts.append(("rows", f"{record['rows']:,} in, {record['quarantined']:,} quarantined"))
        shown = f"{record['positives']:,} of {record['scored']:,} ({record['share_positive']:.1%})"
        facts.append(("positive", f"{shown} at or above {record['threshold']:.3f}; mean {record['mean_score']:.4f}"))
    elif "rows" in contract:
        facts.append(("rows", f"{contract['rows']:,} in, {contract['quarantined']:,} quarantined"))
    facts.extend(("warning", message) for message in contract["warnings"])
    if contract["left_out"]:
        facts.append(("not checked", f"{'; '.join(contract['left_out'])}: nothing to check it by yet"))
    facts.extend((name, path) for name, path in results.get("paths", {}).items())
    return facts
