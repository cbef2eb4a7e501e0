"""What a run has found out, as its report needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.reading import IngestionRecord, Reading
from lepton_pipeline.evaluation.costs import Costs
from lepton_pipeline.evaluation.decision import GateDecision
from lepton_pipeline.evaluation.slices import Slices
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.parameters import About
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.statistics.estimates import Metrics


@dataclass(frozen=True)
class Evidence:
    """Results of one run, each as its stage returns it; an empty one is left out of the report.

    Attributes:
        about: what people must know who see a result.
        ingestion: what the table was read from.
        contracts: results of the contracts, those of raw tables first, that of the table last.
        features: what `check_features` found.
        split: `part` and `label` of every row.
        scores: `part`, `label` and the probabilities of the models.
        metrics: what `evaluate` measured.
        copies: test rows that equal rows learnt from or share an entity with them, and the AUC without them.
        costs: policies, what-if table, cost curve and capacity.
        slices: metrics and gaps by slice.
        explanation: importance, effects and examples.
        drift: test rows against training rows.
        columns: what became of every column, see `features.columns`.
        readings: records of reading the raw tables, by table.
        history: losses by network and epoch.
        registration: the model version.
        decision: the gate's.
        lineage: where the run comes from, see `registry.lineage.read_run`.
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
    lineage: dict[str, Any]
    copies: dict[str, Any] = field(default_factory=dict)
    costs: Costs | None = None
    slices: Slices | None = None
    explanation: dict[str, Any] = field(default_factory=dict)
    drift: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The vertical."""
        return self.registration.name

    @property
    def title(self) -> str:
        """Names the model version."""
        return f"{self.name}, version {self.registration.version}"
