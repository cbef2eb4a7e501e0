"""The summary of a scoring run: its rows, its scores, its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lepton_pipeline.reporting.report.reading import note_facts, reading_facts
from lepton_pipeline.system.markdown import fact_list
from lepton_pipeline.system.readable import four_digits
from lepton_pipeline.terminal.console import print_facts

if TYPE_CHECKING:
    # Avoids importing pandas.
    from lepton_pipeline.features.unseen import Unseen
    from lepton_pipeline.scoring.result import ScoringContract, ScoringRecord

_SHOWN_COLUMNS, _SHOWN_CLASSES = 10, 5


def print_scoring(name: str, results: Mapping[str, Any], seconds: Mapping[str, float], where: str) -> None:
    """Print a scoring's results: `scoring_contract` and `scoring_record`, as far as they exist."""
    record: ScoringRecord | None = results.get("scoring_record")
    done = "nothing scored"
    if record:
        done = (
            f"scored by version {record.model.version}{', ' * bool(record.model.alias)}{record.model.alias}"
        )
    stages = ", ".join(f"{stage} {each:.1f}" for stage, each in seconds.items())
    facts = [*_facts(results), ("seconds", f"{sum(seconds.values()):.1f}: {stages}"), ("see it", where)]
    print_facts(f"{name}: {done}", facts)


def scoring_markdown(results: Mapping[str, Any]) -> str:
    """The results as Markdown, for the note on the run's page in MLflow."""
    return "\n".join(fact_list(_facts(results)))


def _facts(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    if caution := results.get("about", {}).get("caution"):
        facts.append(("caution", caution))
    contract: ScoringContract | None = results.get("scoring_contract")
    record: ScoringRecord | None = results.get("scoring_record")
    reading = None if contract is None else contract.reading
    facts += reading_facts(reading, record or contract)
    if record:
        facts += _predicted(record)
        facts += _beside(record)
    facts += note_facts({} if reading is None else reading.notes)
    if contract:
        facts.extend(("warning", message) for message in contract.warnings)
    if record and (lone := _without_history(record)):
        facts.append(("warning", lone))
    if record and record.remark:
        facts.append(("note", record.remark))
    if contract:
        facts.extend(("warning", message) for message in _unseen(contract.unseen))
    if contract and contract.left_out:
        facts.append(("not checked", f"{'; '.join(contract.left_out)}: nothing to compare with yet"))
    facts.extend((name, path) for name, path in results.get("paths", {}).items())
    return facts


def _predicted(record: ScoringRecord) -> list[tuple[str, str]]:
    """The figures that the record's task has."""
    if record.positives is not None:
        shown = f"{record.positives:,} of {record.scored:,} ({record.share_positive:.1%})"
        shown += f" at or above {record.threshold:.3f}"
        return [("positive", f"{shown}; mean score {record.mean_score:.4f}")]
    if record.decided is not None:
        counts = sorted(record.decided.items(), key=lambda each: -each[1])
        shown = ", ".join(
            f"{name!r} {count:,} ({count / max(record.scored, 1):.1%})"
            for name, count in counts[:_SHOWN_CLASSES]
        )
        others = len(counts) - _SHOWN_CLASSES
        more = f" and {others:,} more classes {sum(count for _, count in counts[_SHOWN_CLASSES:]):,}"
        shown += more if others > 0 else ""
        return [("decided", f"{shown}; mean probability {record.mean_probability:.4f}")]
    figures = {
        "mean": record.mean_prediction,
        "median": record.median_prediction,
        "mean width of intervals": record.mean_width,
    }
    shown = ", ".join(f"{name} {four_digits(value)}" for name, value in figures.items() if value is not None)
    return [("predicted", shown)] if shown else []


def _beside(record: ScoringRecord) -> list[tuple[str, str]]:
    """How a shadow differs, and in which interval of scores most."""
    shadow = record.shadow
    if shadow is None or shadow.mean_difference is None or shadow.largest_difference is None:
        return []
    version = f"version {shadow.version.version}{', ' * bool(shadow.version.alias)}{shadow.version.alias}"
    alike = "" if shadow.correlation is None else f"; correlation {shadow.correlation:.3f}"
    facts = [
        (
            "shadow",
            f"{version}: {shadow.changed:,} of {shadow.rows:,} rows ({shadow.share_changed:.1%}) {shadow.changes}"
            f"{alike}; {shadow.compares} {_signed(shadow.mean_difference)} on average, "
            f"{four_digits(shadow.largest_difference)} apart at most",
        )
    ]
    most = max(shadow.intervals, key=lambda each: (each.changed / each.rows, each.largest_difference))
    if most.changed:
        facts.append(
            (
                "shadow differs",
                f"most between {four_digits(most.low)} and {four_digits(most.high)}: {most.changed:,} of "
                f"{most.rows:,} rows, {_signed(most.mean_difference)} on average",
            )
        )
    return facts


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else ''}{four_digits(value)}"


def _without_history(record: ScoringRecord) -> str:
    windows = {name: rows for name, rows in record.without_history.items() if rows}
    if not windows:
        return ""
    names = [*windows][:_SHOWN_COLUMNS]
    more = f" and {len(windows) - len(names)} more" if len(windows) > len(names) else ""
    return (
        f"{max(windows.values()):,} of {record.scored:,} rows have no earlier row in the input for "
        f"{', '.join(names)}{more}; hand in the rows that these windows look back to, or take the scores of later rows"
    )


def _unseen(found: Mapping[str, Unseen]) -> list[str]:
    """A line for each column with unseen values, the largest shares first."""
    columns = sorted(found.values(), key=lambda each: -each.share)
    lines = [each.message for each in columns[:_SHOWN_COLUMNS]]
    more = len(columns) - len(lines)
    return [*lines, f"values never seen stand in {more} more columns, see contract.json"] if more else lines
