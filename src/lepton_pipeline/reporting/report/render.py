"""From what a run has found out to the files that people read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lepton_pipeline.evaluation.copies_words import said_copies
from lepton_pipeline.reporting.report import words
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
from lepton_pipeline.system.markdown import as_markdown

if TYPE_CHECKING:
    from jinja2 import Environment

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
    environment = _environment(autoescape=True)
    return environment.get_template("report.html").render(
        name=evidence.name,
        title=evidence.title,
        started=evidence.lineage["started"],
        about=evidence.about,
        sections=sections,
        style=_style(environment),
    )


def render_card(evidence: Evidence) -> str:
    """Write the card of the model version as Markdown (Mitchell et al. 2019, "Model Cards for Model Reporting")."""
    gaps = flagged_gaps(evidence)
    drifted = [each["column"] for each in evidence.drift.get("columns", []) if each["flagged"]]
    text = (
        _environment(autoescape=False)
        .get_template("model_card.md")
        .render(
            title=evidence.title,
            about=evidence.about,
            verdict=describe_verdict(evidence),
            data=describe_data(evidence),
            columns=describe_columns(evidence),
            quality=compare_models(evidence),
            shared=[said for _, said in said_copies(evidence.copies)] if evidence.copies else [],
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
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _environment(autoescape: bool) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Whatever a template prints is a value, and may be a user's text: escaped here, it cannot be forgotten there.
    environment = Environment(
        loader=PackageLoader("lepton_pipeline.reporting.report"),
        autoescape=autoescape,  # noqa: S701  # Markdown has an escape of its own
        finalize=None if autoescape else as_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        name: getattr(words, name)
        for name in (
            "amount",
            "amounts",
            "count",
            "decimals",
            "gap",
            "interval",
            "metric",
            "metric_name",
            "model_name",
            "moment",
        )
    }
    environment.filters |= {name: getattr(words, name) for name in ("p_value", "percent", "plain", "policy_name")}
    environment.filters |= {
        name: getattr(words, name) for name in ("declared", "lower_first", "metric_says", "sentence")
    }
    return environment


def _style(environment: Environment) -> Any:
    from markupsafe import Markup

    source, _, _ = environment.loader.get_source(environment, "style.css")  # type: ignore[union-attr]
    # A style sheet of this package, not a value; escaped, its quotes would be wrong.
    return Markup(source.strip())  # noqa: S704
