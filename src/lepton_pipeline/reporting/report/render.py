"""Render the report and the model card."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lepton_pipeline.evaluation.copies_text import describe_copies
from lepton_pipeline.reporting.pages.frame import render
from lepton_pipeline.reporting.report import findings, sections
from lepton_pipeline.reporting.report.evidence import Evidence

# Id (also the template's name), title and contents.
_SECTIONS: tuple[tuple[str, str, Callable[[Evidence], dict[str, Any]]], ...] = (
    ("verdict", "Verdict", sections.describe_verdict),
    ("data", "Data", sections.describe_data),
    ("columns", "Columns", sections.describe_columns),
    ("quality", "Quality", sections.describe_quality),
    ("costs", "Decisions and costs", findings.describe_costs),
    ("slices", "Slices", findings.describe_slices),
    ("explanation", "Explanation", findings.describe_explanation),
    ("drift", "Test against training rows", findings.describe_drift),
    ("training", "Training", sections.describe_training),
    ("lineage", "Lineage", sections.describe_lineage),
)
_CARD_GAPS, _CARD_COLUMNS = 8, 5


def render_report(evidence: Evidence) -> str:
    """Render a run's report as one self-contained HTML page; equal evidence gives equal text."""
    contents = [
        {"id": key, "title": title, "content": {"absent": "", **describe(evidence)}}
        for key, title, describe in _SECTIONS
    ]
    started, about = evidence.lineage.started, evidence.about
    name, title = evidence.name, evidence.title
    return render("report.html", name=name, title=title, started=started, about=about, sections=contents)


def render_card(evidence: Evidence) -> str:
    """Render the model card as Markdown (Mitchell et al. 2019, "Model Cards for Model Reporting")."""
    gaps = findings.flagged_gaps(evidence)
    measured = evidence.slices.slices if evidence.slices else ()
    drifted = [each["column"] for each in evidence.drift.get("columns", []) if each["flagged"]]
    text = render(
        "model_card.md",
        title=evidence.title,
        about=evidence.about,
        verdict=sections.describe_verdict(evidence),
        data=sections.describe_data(evidence),
        columns=sections.describe_columns(evidence),
        quality=sections.compare_models(evidence),
        shared=[said for _, said in describe_copies(evidence.copies)] if evidence.copies else [],
        savings=list(evidence.costs.saving.items()) if evidence.costs else [],
        unit=evidence.costs.unit if evidence.costs else "",
        measured_slices=list(dict.fromkeys(each.column for each in measured)),
        gaps=gaps[:_CARD_GAPS],
        more_gaps=len(gaps) - len(gaps[:_CARD_GAPS]),
        drifted=drifted[:_CARD_COLUMNS],
        more_drifted=len(drifted) - len(drifted[:_CARD_COLUMNS]),
        lineage=sections.describe_lineage(evidence),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
