"""Results of a run for its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.reading import IngestionRecord, Reading
from lepton_pipeline.evaluation.costs import Costs
from lepton_pipeline.evaluation.decision import GateDecision
from lepton_pipeline.evaluation.slices import Slices
from lepton_pipeline.features.column_record import Columns
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.parameters import About
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tracking.lineage import Lineage


@dataclass(frozen=True)
class Evidence:
    """Results of one run as its stages return them; empty ones are left out of the report.

    `contracts` holds those of raw tables first, that of the table last; `split` and `scores` have a row for
    each example; `history` has the losses by network and epoch.
    """

    about: About
    ingestion: IngestionRecord
    contracts: list[ContractResult]
    features: FeatureReport
    split: pd.DataFrame
    scores: pd.DataFrame
    metrics: Metrics
    history: pd.DataFrame
    registration: Registration
    decision: GateDecision
    lineage: Lineage
    copies: dict[str, Any] = field(default_factory=dict)
    costs: Costs | None = None
    slices: Slices | None = None
    explanation: dict[str, Any] = field(default_factory=dict)
    drift: dict[str, Any] = field(default_factory=dict)
    columns: Columns = field(default_factory=Columns)
    readings: dict[str, Reading] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The vertical."""
        return self.registration.name

    @property
    def title(self) -> str:
        """Name of the model version."""
        return f"{self.name}, version {self.registration.version}"
