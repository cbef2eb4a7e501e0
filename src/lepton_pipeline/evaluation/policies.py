"""Cost of decisions in tasks that decide without a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.measures import weigh

CASES = 1000
Estimates = dict[str, Estimate]


def price_policies(test: pd.DataFrame, sample: Sample, evaluation: Evaluation) -> tuple[Estimates, Estimates]:
    """Cost of 1,000 cases by policy (see `Task.policies`), and what the model saves against each other one.

    Policies are compared resample by resample, so that common chance cancels. Both are empty without declared
    costs; `test` has `label` and the scores of `model`.
    """
    task = sample.task
    costs = task.policies(test["label"].to_numpy(), task.scores(test, "model"))
    if not costs:
        return {}, {}
    others = {name: each - costs["model"] for name, each in costs.items() if name != "model"}
    both = _estimate(
        {**costs, **{f"{name} saved": each for name, each in others.items()}}, sample, evaluation
    )
    return {name: both[name] for name in costs}, {name: both[f"{name} saved"] for name in others}


def _estimate(rows: Mapping[str, Floats], sample: Sample, evaluation: Evaluation) -> Estimates:
    def mean(weights: np.ndarray) -> np.ndarray:
        total = weights.sum(axis=1)
        return np.stack([CASES * weigh(weights, each) / total for each in rows.values()], axis=1)

    once = mean(sample.once)
    drawn = np.concatenate([once[:0], *(map(mean, sample.weights(evaluation)) if sample.enough else ())])
    return {
        name: sample.figure(float(once[0, place]), drawn[:, place], least=-inf)
        for place, name in enumerate(rows)
    }
