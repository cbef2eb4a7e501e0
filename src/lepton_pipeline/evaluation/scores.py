"""The probabilities that evaluation looks at, model beside baselines."""

from __future__ import annotations

import pandas as pd

from lepton_pipeline.model.estimator import TorchClassifier


def score_rows(
    model: TorchClassifier, encoded: pd.DataFrame, split: pd.DataFrame, baseline_scores: pd.DataFrame
) -> pd.DataFrame:
    """Score the validation and test rows.

    Args:
        model: trained on the training rows.
        encoded: features of all rows.
        split: `part` and `label` of all rows, indexed as `encoded`.
        baseline_scores: one probability column per baseline, indexed by the validation and test rows.

    Returns:
        `part`, `label`, `model` and the columns of `baseline_scores`, one row per validation or test row.
    """
    held_out = split[split["part"].isin(["validation", "test"])]
    probability = model.predict_proba(encoded.loc[held_out.index])[:, 1]
    return held_out.assign(model=probability).join(baseline_scores)
