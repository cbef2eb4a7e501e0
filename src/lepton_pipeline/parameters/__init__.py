"""What `conf/base/<vertical>/parameters.yml` may declare, with all defaults; strictly validated."""

from __future__ import annotations

from lepton_pipeline.parameters.base import Declaration, Duration, Fraction
from lepton_pipeline.parameters.evaluation import Bound, ClassCosts, Costs, ErrorCosts, Evaluation, Gate
from lepton_pipeline.parameters.features import Features, Leaks, Split, Window
from lepton_pipeline.parameters.retraining import Alerts, Decay, Mail, Monitoring, Retraining
from lepton_pipeline.parameters.table import (
    About,
    Contract,
    Dataset,
    Expectation,
    Ingestion,
    label_of,
    utc_text,
)
from lepton_pipeline.parameters.training import MODELS, Scoring, Training
from lepton_pipeline.parameters.vertical import Vertical

__all__ = [
    "MODELS",
    "About",
    "Alerts",
    "Bound",
    "ClassCosts",
    "Contract",
    "Costs",
    "Dataset",
    "Decay",
    "Declaration",
    "Duration",
    "ErrorCosts",
    "Evaluation",
    "Expectation",
    "Features",
    "Fraction",
    "Gate",
    "Ingestion",
    "Leaks",
    "Mail",
    "Monitoring",
    "Retraining",
    "Scoring",
    "Split",
    "Training",
    "Vertical",
    "Window",
    "label_of",
    "utc_text",
]  # fmt: skip
