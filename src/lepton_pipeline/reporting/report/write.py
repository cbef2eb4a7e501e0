"""The last stage of a run: report and model card."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lepton_pipeline.evaluation.interval_text import quality_warnings
from lepton_pipeline.evaluation.measured_copies import describe_copies
from lepton_pipeline.evaluation.slices import flagged_gaps
from lepton_pipeline.parameters import About
from lepton_pipeline.registry.publish import describe_version
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.reporting.pages.frame import render
from lepton_pipeline.reporting.report import classes, forecasts, ranking, robustness, sections
from lepton_pipeline.reporting.report.evidence import Context, Evidence
from lepton_pipeline.reporting.report.views import view_of
from lepton_pipeline.tracking.lineage import read_run

# Id (also the template's name), title and contents.
_SECTIONS: tuple[tuple[str, str, Callable[[Evidence], Context]], ...] = (
    ("verdict", "Verdict", sections.describe_verdict),
    ("data", "Data", sections.describe_data),
    ("columns", "Columns", sections.describe_columns),
    ("model", "The model", sections.describe_model),
    ("quality", "Quality", sections.describe_quality),
    ("forecasts", "Forecasts and orders", forecasts.describe_forecasts),
    ("ranking", "Offers", ranking.describe_ranking),
    ("costs", "Decisions and costs", sections.describe_costs),
    ("scope", "In scope, or not", classes.describe_scope),
    ("slices", "Slices", sections.describe_slices),
    ("explanation", "Explanation", sections.describe_explanation),
    ("robustness", "Robustness", robustness.describe_robustness),
    ("texts", "Text", sections.describe_texts),
    ("drift", "Test against training rows", sections.describe_drift),
    ("doubts", "Doubtful labels", sections.describe_doubts),
    ("lineage", "Lineage", sections.describe_lineage),
)
_CARD_GAPS, _CARD_COLUMNS = 3, 5


def write_report(about: About, registration: Registration, **results: Any) -> dict[str, bytes]:
    """Write `report.html` and `model_card.md`, and make the card the description of the model version.

    `results` are fields of `Evidence`, results of the contracts of all tables (`contract_result`, and
    `<vertical>.<table>.contract_result` of raw ones) and records of reading raw tables
    (`<vertical>.<table>.reading`). Equal arguments, of an unchanged run, give equal bytes.
    """
    own = {name: each for name, each in results.items() if "." not in name}
    contracts = [each for name, each in results.items() if name.endswith(".contract_result")]
    evidence = Evidence(
        about=about,
        registration=registration,
        contracts=[*contracts, own.pop("contract_result")],
        # After a resume, that is an earlier run.
        lineage=read_run(registration.run_id),
        readings={name.split(".")[-2]: each for name, each in results.items() if name.endswith(".reading")},
        **own,
    )
    card = render_card(evidence)
    describe_version(registration, card)
    return {"report.html": render_report(evidence).encode(), "model_card.md": card.encode()}


def render_report(evidence: Evidence) -> str:
    """Render a run's report as one self-contained HTML page; equal evidence gives equal text."""
    costs, doubts = evidence.costs, evidence.doubts
    kept = {
        "costs": evidence.task.has_threshold or (costs and costs.declared),
        "texts": evidence.texts.columns,
        "forecasts": evidence.forecasts.series,
        "scope": evidence.scope.outside,
        "ranking": evidence.ranking,
        "robustness": evidence.robustness.metric,
        "doubts": doubts and (doubts.doubtful or doubts.least_certain),
    }
    contents = [
        {"id": key, "title": title, "content": {"absent": "", **describe(evidence)}}
        for key, title, describe in _SECTIONS
        if kept.get(key, True)
    ]
    return render("report.html", evidence=evidence, about=evidence.about, sections=contents)


def render_card(evidence: Evidence) -> str:
    """Render the model card as Markdown (Mitchell et al. 2019, "Model Cards for Model Reporting")."""
    text = render(
        "model_card.md",
        evidence=evidence,
        about=evidence.about,
        verdict=sections.describe_verdict(evidence),
        data=sections.describe_data(evidence),
        columns=sections.describe_columns(evidence),
        warnings=quality_warnings(evidence.metrics),
        sample=view_of(evidence.task).describe_sample(evidence),
        summary=view_of(evidence.task).summarise(evidence),
        support=view_of(evidence.task).words.support,
        shared=[said for _, said in describe_copies(evidence.copies)] if evidence.copies else [],
        gaps=flagged_gaps(evidence.slices.slices if evidence.slices else ()),
        most_gaps=_CARD_GAPS,
        most_columns=_CARD_COLUMNS,
        lineage=sections.describe_lineage(evidence),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
