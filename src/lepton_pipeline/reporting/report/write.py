"""The last stage of a run: report and model card."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.reading import IngestionRecord
from lepton_pipeline.evaluation.costs import Costs
from lepton_pipeline.evaluation.decision import GateDecision
from lepton_pipeline.evaluation.slices import Slices
from lepton_pipeline.features.column_record import Columns
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.parameters import About
from lepton_pipeline.registry.publish import describe_version
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.reporting.report.evidence import Evidence
from lepton_pipeline.reporting.report.render import render_card, render_report
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tracking.lineage import read_run


def write_report(
    about: About,
    ingestion_record: IngestionRecord,
    contract_result: ContractResult,
    feature_report: FeatureReport,
    split: pd.DataFrame,
    scores: pd.DataFrame,
    metrics: Metrics,
    history: pd.DataFrame,
    registration: Registration,
    decision: GateDecision,
    copies: dict[str, Any] | None = None,
    costs: Costs | None = None,
    slices: Slices | None = None,
    explanation: dict[str, Any] | None = None,
    drift: dict[str, Any] | None = None,
    columns: Columns | None = None,
    **tables: Any,
) -> dict[str, bytes]:
    """Write `report.html` and `model_card.md`, and make the card the description of the model version.

    `tables` are results of the contracts of raw tables (`<vertical>.<table>.contract_result`) and records of
    reading them (`<vertical>.<table>.reading`). Equal arguments, of an unchanged run, give equal bytes.
    """
    evidence = Evidence(
        about=about,
        ingestion=ingestion_record,
        contracts=[
            *(each for name, each in tables.items() if name.endswith(".contract_result")),
            contract_result,
        ],
        features=feature_report,
        split=split,
        scores=scores,
        metrics=metrics,
        history=history,
        registration=registration,
        decision=decision,
        # After a resume, that is an earlier run.
        lineage=read_run(registration.run_id),
        copies=copies or {},
        costs=costs,
        slices=slices,
        explanation=explanation or {},
        drift=drift or {},
        columns=columns or Columns(),
        readings={name.split(".")[-2]: each for name, each in tables.items() if name.endswith(".reading")},
    )
    card = render_card(evidence)
    describe_version(registration, card)
    return {"report.html": render_report(evidence).encode(), "model_card.md": card.encode()}
