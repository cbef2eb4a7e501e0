"""What `conf/base/<vertical>/parameters.yml` may declare, with all defaults; strictly validated."""

from __future__ import annotations

from lepton_pipeline.parameters.base import Declaration, Duration, Fraction, code_text
from lepton_pipeline.parameters.evaluation import (
    AlertBudget,
    Bound,
    ClassCosts,
    Costs,
    ErrorCosts,
    Evaluation,
    Gate,
)
from lepton_pipeline.parameters.features import Features, Leaks, Split, Text, Window
from lepton_pipeline.parameters.forecast import Forecast
from lepton_pipeline.parameters.mask import Mask
from lepton_pipeline.parameters.retraining import Alerts, Decay, Index, Mail, Monitoring, Retraining
from lepton_pipeline.parameters.robustness import Robustness
from lepton_pipeline.parameters.served import ServedLog
from lepton_pipeline.parameters.table import (
    About,
    Contract,
    Dataset,
    Expectation,
    Ingestion,
    label_of,
    utc_text,
)
from lepton_pipeline.parameters.training import MODELS, Ranks, Scoring, Training
from lepton_pipeline.parameters.vertical import Vertical

__all__ = [
    "MODELS",
    "About",
    "AlertBudget",
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
    "Forecast",
    "Fraction",
    "Gate",
    "Index",
    "Ingestion",
    "Leaks",
    "Mail",
    "Mask",
    "Monitoring",
    "Ranks",
    "Retraining",
    "Robustness",
    "Scoring",
    "ServedLog",
    "Split",
    "Text",
    "Training",
    "Vertical",
    "Window",
    "code_text",
    "label_of",
    "utc_text",
]  # fmt: skip
