"""Probabilities of the model and its baselines for evaluation."""

from __future__ import annotations

import pandas as pd

from lepton_pipeline.model.baseline import BOOSTING
from lepton_pipeline.model.calibration import Calibration
from lepton_pipeline.model.classifier import Classifier


def score_rows(
    model: Classifier,
    encoded: pd.DataFrame,
    split: pd.DataFrame,
    held_out: pd.DataFrame,
    baseline_scores: pd.DataFrame,
) -> pd.DataFrame:
    """Score the test rows; join the out-of-fold scores of validation rows, `held_out`, and the baselines.

    Returns by row `part`, `label`, `model`, `uncalibrated` if calibration changed something, `network` if the
    model has boosting, and the baselines, among them as `hist_gradient_boosting` the model's own boosting.
    """
    wanted = ["model"]
    if model.calibration != Calibration():
        wanted.append("uncalibrated")
    if model.boosting is not None:
        wanted.append("network")
    rows = split.loc[split["part"].isin(["validation", "test"]), ["part", "label"]]
    test = model.scores(encoded.loc[rows.index[rows["part"] == "test"]])
    parts = pd.concat([held_out, test])
    scores = rows.join(parts[wanted]).join(baseline_scores)
    return scores if model.boosting is None else scores.assign(**{BOOSTING: parts["boosting"]})
