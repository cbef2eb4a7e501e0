"""From what a run has found out to the files that people read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lepton_pipeline.evaluation.copies_text import describe_copies
from lepton_pipeline.reporting.pages.frame import render
from lepton_pipeline.reporting.report.evidence import Evidence
from lepton_pipeline.reporting.report.findings import (
    describe_costs,
    describe_drift,
    describe_explanation,
    describe_slices,
    flagged_gaps,
)
from lepton_pipeline.reporting.report.sections import (
    compare_models,
    describe_columns,
    describe_data,
    describe_lineage,
    describe_quality,
    describe_training,
    describe_verdict,
)

# In the order in which a reader asks: id, which is also the name of the template, title, and what it says.
_SECTIONS: tuple[tuple[str, str, Callable[[Evidence], dict[str, Any]]], ...] = (
    ("verdict", "Verdict", describe_verdict),
    ("data", "Data", describe_data),
    ("columns", "Columns", describe_columns),
    ("quality", "Quality", describe_quality),
    ("costs", "Decisions and costs", describe_costs),
    ("slices", "Groups of cases", describe_slices),
    ("explanation", "What the model looks at", describe_explanation),
    ("drift", "Test against training rows", describe_drift),
    ("training", "Training", describe_training),
    ("lineage", "Where it comes from", describe_lineage),
)
_CARD_GAPS, _CARD_COLUMNS = 8, 5


def render_report(evidence: Evidence) -> str:
    """Write the report of a run as one HTML page that needs nothing beside it; equal evidence gives equal text."""
    sections = [
        {"id": key, "title": title, "content": {"absent": "", **describe(evidence)}}
        for key, title, describe in _SECTIONS
    ]
    return render(
        "report.html",
        name=evidence.name,
        title=evidence.title,
        started=evidence.lineage["started"],
        about=evidence.about,
        sections=sections,
    )


def render_card(evidence: Evidence) -> str:
    """Write the card of the model version as Markdown (Mitchell et al. 2019, "Model Cards for Model Reporting")."""
    gaps = flagged_gaps(evidence)
    drifted = [each["column"] for each in evidence.drift.get("columns", []) if each["flagged"]]
    text = render(
        "model_card.md",
        title=evidence.title,
        about=evidence.about,
        verdict=describe_verdict(evidence),
        data=describe_data(evidence),
        columns=describe_columns(evidence),
        quality=compare_models(evidence),
        shared=[said for _, said in describe_copies(evidence.copies)] if evidence.copies else [],
        savings=list(evidence.costs.saving.items()) if evidence.costs else [],
        unit=evidence.costs.unit if evidence.costs else "",
        measured_slices=list(dict.fromkeys(each.column for each in evidence.slices.slices))
        if evidence.slices
        else [],
        gaps=gaps[:_CARD_GAPS],
        more_gaps=len(gaps) - len(gaps[:_CARD_GAPS]),
        drifted=drifted[:_CARD_COLUMNS],
        more_drifted=len(drifted) - len(drifted[:_CARD_COLUMNS]),
        lineage=describe_lineage(evidence),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
