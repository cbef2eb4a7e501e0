"""The probabilities that evaluation looks at, model beside baselines."""

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
    """Score the test rows, and put the validation rows beside them as they were scored before they were learnt from.

    Args:
        model: trained on the training and validation rows.
        encoded: features of all rows.
        split: `part` and `label` of all rows, indexed as `encoded`.
        held_out: scores of the validation rows, in the columns of `Classifier.scores`, by parts of the model
            that have not learnt from them.
        baseline_scores: one probability column per baseline, indexed by the validation and test rows.

    Returns:
        One row per validation or test row: `part`, `label`, `model`, `uncalibrated` where calibration changed
        something, `network` where the model is more than its networks, the columns of `baseline_scores`, and
        as `hist_gradient_boosting` the boosting inside of the model, where it has some.
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
