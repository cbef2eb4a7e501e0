"""Results of a run for its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.reading import IngestionRecord, Reading
from lepton_pipeline.evaluation.alert_budget import AlertFigures
from lepton_pipeline.evaluation.costs import Costs
from lepton_pipeline.evaluation.decision import GateDecision
from lepton_pipeline.evaluation.distributions import Distributions
from lepton_pipeline.evaluation.doubts import Doubts
from lepton_pipeline.evaluation.drift import Drift
from lepton_pipeline.evaluation.explanation import Explanation
from lepton_pipeline.evaluation.forecasts import Forecasts
from lepton_pipeline.evaluation.measured_copies import MeasuredCopies
from lepton_pipeline.evaluation.orders import Orders
from lepton_pipeline.evaluation.ranking import Ranking
from lepton_pipeline.evaluation.robustness import MeasuredRobustness
from lepton_pipeline.evaluation.scope import Scope
from lepton_pipeline.evaluation.slices import Slices
from lepton_pipeline.evaluation.texts import Texts
from lepton_pipeline.features.column_record import Columns
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.parameters import About
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.task import Task
from lepton_pipeline.tracking.lineage import Lineage

Context = dict[str, Any]  # what the template of a section reads
PARTS = {"train": "Training", "validation": "Validation", "test": "Test", "gap": "Gap between the parts"}


@dataclass(frozen=True)
class Evidence:
    """Results of one run as its stages return them; empty ones are left out of the report."""

    about: About
    ingestion_record: IngestionRecord
    contracts: list[ContractResult]  # of raw tables first, that of the table last
    feature_report: FeatureReport
    target: Target
    split: pd.DataFrame  # a row for each example, as in `scores`
    scores: pd.DataFrame
    metrics: Metrics
    history: pd.DataFrame  # losses by network and epoch
    registration: Registration
    decision: GateDecision
    lineage: Lineage
    copies: MeasuredCopies | None = None
    costs: Costs | None = None
    slices: Slices | None = None
    explanation: Explanation | None = None
    drift: Drift | None = None
    doubts: Doubts | None = None
    ranking: Ranking | None = None  # only where pairs are ranked
    scope: Scope = field(default_factory=Scope)
    forecasts: Forecasts = field(default_factory=Forecasts)
    orders: Orders = field(default_factory=Orders)
    texts: Texts = field(default_factory=Texts)
    columns: Columns = field(default_factory=Columns)
    distributions: Distributions = field(default_factory=Distributions)
    alert_figures: AlertFigures = field(default_factory=AlertFigures)
    robustness: MeasuredRobustness = field(default_factory=MeasuredRobustness)
    readings: dict[str, Reading] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        """What the model predicts."""
        return self.target.task

    @property
    def test(self) -> pd.DataFrame:
        """The scored test rows."""
        return self.scores[self.scores["part"] == "test"]

    def labels(self) -> dict[str, pd.Series]:
        """Labels of each part that has rows, by its title."""
        parts = {title: self.split.loc[self.split["part"] == part, "label"] for part, title in PARTS.items()}
        return {title: labels for title, labels in parts.items() if len(labels)}
