"""Score the test rows and measure models on them, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.outcomes import acting_and_leaving, best_f1_threshold, least_cost_threshold
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.model.baseline import BOOSTING
from lepton_pipeline.model.calibration import Calibration
from lepton_pipeline.model.classifier import Classifier
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.estimates import Estimate, Evidence, Metrics, Rows
from lepton_pipeline.statistics.measures import RankedRows, measure, rank

Thresholds = dict[str, float]
UNCALIBRATED = "uncalibrated"
# What is no baseline: the model, and its torch part where that is not all of it.
OWN = ("model", "network")
# Calibration keeps the order of rows, so it changes only these.
_CALIBRATED = ("log_loss", "brier", "ece")
# Biased upwards, more for the better model: a difference of two has no honest interval.
_WITHOUT_INTERVAL = "ece"


def score_rows(
    model: Classifier,
    encoded: pd.DataFrame,
    split: pd.DataFrame,
    held_out: pd.DataFrame,
    baseline_scores: pd.DataFrame,
    scores_in_use: pd.DataFrame,
) -> pd.DataFrame:
    """Score the test rows; join the out-of-fold scores of validation rows, `held_out`, and all baselines.

    Returns by row `part`, `label`, `model`, `uncalibrated` if calibration changed something, `network` if the
    model has boosting, and the baselines, among them as `hist_gradient_boosting` the model's own boosting.
    """
    wanted = ["model"]
    if model.calibration != Calibration():
        wanted.append(UNCALIBRATED)
    if model.boosting is not None:
        wanted.append("network")
    rows = split.loc[split["part"].isin(["validation", "test"]), ["part", "label"]]
    test = model.scores(encoded.loc[rows.index[rows["part"] == "test"]])
    parts = pd.concat([held_out, test])
    scores = rows.join(parts[wanted]).join(baseline_scores).join(scores_in_use)
    return scores if model.boosting is None else scores.assign(**{BOOSTING: parts["boosting"]})


def evaluate(
    scores: pd.DataFrame,
    evaluation: Evaluation,
    outcome_costs: pd.DataFrame | None = None,
    units: pd.DataFrame | None = None,
) -> Metrics:
    """Choose every model's threshold on the validation rows and measure it on the test rows.

    Thresholds have the least cost on the validation rows if costs are declared, else the best F1. Intervals
    have a level of 95 %; dependent rows are drawn together (see `resampling_units`). That of `auc` is after
    DeLong (see `auc_interval`), the others are bootstrap intervals (see `Sample`) for the model as trained,
    with varying base rate. Resampling inflates `ece`, so its resamples are shifted back by their bias (Efron
    and Tibshirani 1993, chapter 10); its interval is still the least exact, and rarely reaches 0.

    `scores` has validation and test rows: `part`, `label` (0 or 1), a probability column for each model,
    among them `model`, and `uncalibrated`, the probability before calibration.

    Raises:
        DataError: a part lacks a class, or scores are no probabilities.
    """
    parts = {part: scores[scores["part"] == part] for part in ("validation", "test")}
    validation, test = parts.values()
    counts = {part: _count_classes(part, rows) for part, rows in parts.items()}
    models = [column for column in scores.columns if column not in ("part", "label")]
    _refuse_non_probabilities(scores, models)
    calibrated = UNCALIBRATED in models
    if calibrated:
        models.remove(UNCALIBRATED)
    priced = outcome_costs is not None and not outcome_costs.columns.empty
    thresholds = _choose_thresholds(validation, models, outcome_costs if priced else None)
    before = measure_once(test, UNCALIBRATED, thresholds["model"]) if calibrated else {}
    sample = Sample.of(test["label"], units)
    return Metrics(
        threshold=thresholds["model"],
        thresholds=thresholds,
        threshold_rule="cost" if priced else "f1",
        rows=counts,
        resamples=evaluation.resamples,
        evidence=Evidence(sample.cases, sample.units, sample.kind),
        uncalibrated={metric: before[metric] for metric in _CALIBRATED if before},
        test=measure_models(test, thresholds, sample, evaluation),
    )


def measure_models(
    rows: pd.DataFrame, thresholds: Thresholds, sample: Sample, evaluation: Evaluation
) -> dict[str, dict[str, Estimate]]:
    """Metrics with intervals by model; `rows` has `label` and a probability column for each model."""
    drawn = resample(rows, thresholds, evaluation, sample) if sample.enough else {}
    return {
        model: {
            metric: _figure(metric, value, rows[model].to_numpy(), drawn.get(model, {}), sample)
            for metric, value in measure_once(rows, model, threshold).items()
        }
        for model, threshold in thresholds.items()
    }


def resample(
    rows: pd.DataFrame, thresholds: Thresholds, evaluation: Evaluation, sample: Sample
) -> dict[str, dict[str, np.ndarray]]:
    """Metrics by model, [resamples] each, on the same bootstrap resamples, for paired comparisons."""
    ranked = {model: (rank_rows(rows, model), threshold) for model, threshold in thresholds.items()}
    chunks = [
        {model: measure(*each, weights) for model, each in ranked.items()}
        for weights in sample.weights(evaluation)
    ]
    return {
        name: {metric: np.concatenate([chunk[name][metric] for chunk in chunks]) for metric in values}
        for name, values in chunks[0].items()
    }


def measure_once(rows: pd.DataFrame, model: str, threshold: float) -> dict[str, float]:
    """Measure one model, a probability column of `rows`, without resampling; see `measure`."""
    values = measure(rank_rows(rows, model), threshold, np.ones((1, len(rows))))
    return {metric: float(value[0]) for metric, value in values.items()}


def rank_rows(rows: pd.DataFrame, model: str) -> RankedRows:
    """Rank the rows of one model; `rows` needs `label` and the column `model`."""
    return rank(rows[model].to_numpy(dtype=np.float64), rows["label"].to_numpy(dtype=np.float64))


def paired_differences(
    rows: pd.DataFrame,
    one: str,
    other: str,
    thresholds: Mapping[str, float],
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> dict[str, Estimate]:
    """Metrics of `one` less those of `other` (see `measure`, without `ece`), on the same rows and resamples.

    Rows hard for one model are mostly hard for the other; on common resamples that cancels, and the 95 %
    bootstrap interval (see `Sample`) is much narrower than those of the two models suggest. `rows` has
    `label`, with both classes, and the probability columns `one` and `other`.
    """
    cuts = {model: thresholds[model] for model in (one, other)}
    first, second = (measure_once(rows, model, cuts[model]) for model in cuts)
    gains = {metric: value - second[metric] for metric, value in first.items() if metric != _WITHOUT_INTERVAL}
    sample = Sample.of(rows["label"], units)
    if not sample.enough:
        return {metric: Estimate(gain) for metric, gain in gains.items()}
    drawn = resample(rows, cuts, evaluation, sample)
    return {
        metric: sample.figure(gain, drawn[one][metric] - drawn[other][metric], least=-inf)
        for metric, gain in gains.items()
    }


def _figure(
    metric: str, value: float, probabilities: np.ndarray, drawn: dict[str, np.ndarray], sample: Sample
) -> Estimate:
    if not drawn:
        return Estimate(value)
    if metric == "auc":
        return replace(sample.auc(probabilities), value=value)
    bias = drawn[metric].mean() - value if metric == "ece" else 0.0
    return sample.figure(value, drawn[metric] - bias, most=inf if metric == "log_loss" else 1.0)


def _choose_thresholds(rows: pd.DataFrame, models: list[str], costs: pd.DataFrame | None) -> Thresholds:
    labels = rows["label"].to_numpy()
    if costs is None:
        return {model: best_f1_threshold(labels, rows[model].to_numpy()) for model in models}
    acting, leaving = acting_and_leaving(rows["label"], costs)
    return {model: least_cost_threshold(acting - leaving, rows[model].to_numpy()) for model in models}


def _count_classes(part: str, rows: pd.DataFrame) -> Rows:
    positives = int(rows["label"].sum())
    if not 0 < positives < len(rows):
        raise DataError(
            f"the {part} rows hold {positives} positives and {len(rows) - positives} negatives; measuring needs both "
            f"classes. Enlarge split.{part} or bring more rows of the missing class."
        )
    return Rows(len(rows), positives)


def _refuse_non_probabilities(scores: pd.DataFrame, models: list[str]) -> None:
    for model in models:
        wrong = scores.loc[~scores[model].between(0, 1), model]
        if len(wrong):
            raise DataError(
                f"{model} scored {len(wrong)} of {len(scores)} rows outside [0, 1], first {wrong.iloc[0]} in row "
                f"{wrong.index[0]}; a model must return probabilities. Look for missing or huge values in its inputs, "
                "or lower training.learning_rate."
            )
