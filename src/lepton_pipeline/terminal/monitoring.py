"""The summary of a monitoring run: what has changed since the champion's training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lepton_pipeline.data.reading import IngestionRecord
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.monitoring.summary import drift_text, index_text, offers_text, quality_text
from lepton_pipeline.reporting.report.reading import note_facts, reading_facts
from lepton_pipeline.system.markdown import fact_list
from lepton_pipeline.terminal.console import print_facts


def print_monitoring(name: str, results: Mapping[str, Any], seconds: Mapping[str, float], where: str) -> None:
    """Print a monitoring's results: contents of its data sets by name, `readings` by raw table."""
    found: MonitoringResult | None = results.get("monitoring_result")
    done = f"version {found.champion.version} as of {found.as_of}" if found else "nothing compared"
    facts = [*_facts(results), ("seconds", f"{sum(seconds.values()):.1f}"), ("see it", where)]
    print_facts(f"{name}: {done}", facts)


def monitoring_markdown(results: Mapping[str, Any]) -> str:
    """The results as Markdown, for the note on the run's page in MLflow."""
    return "\n".join(fact_list(_facts(results)))


def _facts(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    if caution := results.get("about", {}).get("caution"):
        facts.append(("caution", caution))
    facts += _reading(results)
    found: MonitoringResult | None = results.get("monitoring_result")
    if found:
        labelled = f"{found.rows_mature_new:,} of them with a known label"
        facts.append(("new rows", f"{found.rows_new:,}, {labelled}"))
        facts.append(("drift", drift_text(found)))
        facts.append(("quality", quality_text(found)))
        if found.index is not None:
            facts.append(("index", index_text(found.index)))
        if found.offers is not None:
            facts.append(("offers", offers_text(found.offers)))
        facts.extend(("note", note) for note in found.notes)
    facts.extend((name, path) for name, path in results.get("paths", {}).items())
    return facts


def _reading(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    for table, read in results.get("readings", {}).items():
        facts += reading_facts(read, None, table) + note_facts(read.notes, table)
    record: IngestionRecord | None = results.get("monitoring.ingestion_record")
    reading = None if record is None else record.reading
    facts += reading_facts(reading, results.get("monitoring.contract_result"))
    return facts + note_facts({} if reading is None else reading.notes)
