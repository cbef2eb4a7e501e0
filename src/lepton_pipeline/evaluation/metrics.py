"""Score the test rows and measure models on them, with bootstrap intervals."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.labels import OUTSIDE, row_scale
from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.outcomes import acting_and_leaving
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.model.baseline import BOOSTING
from lepton_pipeline.model.predictor import Predictor
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.estimates import Estimate, Evidence, Metrics, Rows
from lepton_pipeline.statistics.metric_table import METRICS, higher_is_better
from lepton_pipeline.statistics.thresholds import best_f1_threshold, least_cost_threshold
from lepton_pipeline.tasks.calibration import Calibration
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.task import Task

logger = logging.getLogger(__name__)
Thresholds = Mapping[str, float | None]
UNCALIBRATED = "uncalibrated"
# What is no baseline: the model, and its torch part where that is not all of it.
OWN = ("model", "network")
# Calibration keeps the order of rows, so it changes only these.
_CALIBRATED = ("log_loss", "brier", "ece")
# Biased upwards, more for the better model: a difference of two has no honest interval.
_WITHOUT_INTERVAL = "ece"


def score_rows(
    model: Predictor,
    encoded: pd.DataFrame,
    split: pd.DataFrame,
    held_out: pd.DataFrame,
    baseline_scores: pd.DataFrame,
    scores_in_use: pd.DataFrame,
) -> pd.DataFrame:
    """Score the test rows; join the out-of-fold scores of validation rows, `held_out`, and all baselines.

    Returns by row `part`, `label`, and columns of scores (see `Task.columns`) of `model`, `uncalibrated` if
    calibration changed something, `network` if the model has boosting, and the baselines, among them as
    `hist_gradient_boosting` the model's own boosting.
    """
    wanted = ["model"]
    if model.calibration != Calibration():
        wanted.append(UNCALIBRATED)
    if model.boosting:
        wanted.append("network")
    own = [name for name in ("part", "label", "weight") if name in split]
    task, rows = model.task, split.loc[split["part"].isin(["validation", "test"]), own]
    tested = split[split["part"] == "test"]
    test = model.scores(encoded.loc[tested.index], row_scale(tested))
    parts = pd.concat([held_out, test]).loc[rows.index]
    found = {
        name: column
        for each in wanted
        for name, column in task.columns(each, task.scores(parts, each)).items()
    }
    ours = pd.DataFrame(found, index=rows.index)
    boosted = task.columns(BOOSTING, task.scores(parts, "boosting")) if model.boosting else {}
    return rows.join(ours).join(baseline_scores).join(scores_in_use).assign(**boosted)


def score_outside(model: Predictor, encoded: pd.DataFrame, split: pd.DataFrame) -> pd.DataFrame:
    """Score the test rows that are of no class, with the columns of `score_rows` that are the model's; often none."""
    rows = split.loc[
        split["part"] == OUTSIDE["test"], [name for name in ("part", "label", "weight") if name in split]
    ]
    scores = model.predict(encoded.loc[rows.index]) if len(rows) else model.task.no_scores
    return rows.join(pd.DataFrame(model.task.columns("model", scores), index=rows.index))


def evaluate(
    scores: pd.DataFrame,
    target: Target,
    evaluation: Evaluation,
    outcome_costs: pd.DataFrame | None = None,
    units: pd.DataFrame | None = None,
) -> Metrics:
    """Measure every model on the test rows; where the task has a threshold, choose it on the validation rows.

    Thresholds have the least cost on the validation rows if costs are declared, else the best F1. Intervals
    have a level of 95 %; dependent rows are drawn together (see `resampling_units`). Some have a formula (see
    `Task.exact_intervals`), the others are bootstrap intervals (see `Sample`) for the model as trained,
    with varying base rate. Resampling inflates `ece`, so its resamples are shifted back by their bias (Efron
    and Tibshirani 1993, chapter 10); its interval is still the least exact, and rarely reaches 0.

    `scores` has validation and test rows: `part`, `label`, `weight` if rows do not count alike, columns of
    scores for each model, among them `model`, and `uncalibrated`, its scores before calibration.

    Raises:
        DataError: the labels of a part cannot be measured, or a score is out of range.
    """
    task = target.task
    parts = {part: scores[scores["part"] == part] for part in ("validation", "test")}
    validation, test = parts.values()
    for part, rows in parts.items():
        _require_measurable(task, part, rows["label"])
    models = task.models(scores)
    for model in models:
        task.refuse(task.scores(scores, model), scores.index, model)
    calibrated = UNCALIBRATED in models
    if calibrated:
        models.remove(UNCALIBRATED)
    priced = outcome_costs is not None and not outcome_costs.columns.empty
    thresholds: Thresholds = dict.fromkeys(models)
    if task.has_threshold:
        thresholds = _choose_thresholds(task, validation, models, outcome_costs if priced else None)
    before = measure_once(task, test, UNCALIBRATED, thresholds["model"]) if calibrated else {}
    sample = Sample.of(test["label"], units, task, test.get("weight"))
    drawn_from = None if sample.drawn_from is None else int(sample.drawn_from.sum())
    if drawn_from is not None:
        logger.info(
            "resamples are drawn from a sample of %s of %s test rows", f"{drawn_from:,}", f"{len(test):,}"
        )
    return Metrics(
        threshold=thresholds["model"],
        thresholds=thresholds,
        threshold_rule="cost" if priced else "f1",
        rows={part: Rows(len(rows), task.positives(rows["label"])) for part, rows in parts.items()},
        resamples=evaluation.resamples,
        resampled_rows=drawn_from,
        evidence=Evidence(sample.cases, sample.units, sample.kind, task.case),
        uncalibrated={metric: before[metric] for metric in _CALIBRATED if metric in before},
        test=measure_models(test, thresholds, sample, evaluation),
    )


def measure_models(
    rows: pd.DataFrame, thresholds: Thresholds, sample: Sample, evaluation: Evaluation
) -> dict[str, dict[str, Estimate]]:
    """Metrics with intervals by model; `rows` has `label` and columns of scores for each model."""
    task = sample.task
    drawn = resample(rows, thresholds, evaluation, sample) if sample.enough else {}
    found = {}
    for model, threshold in thresholds.items():
        exact = sample.exact(task.scores(rows, model)) if drawn else {}
        found[model] = {
            metric: _figure(metric, value, exact, drawn.get(model, {}), sample)
            for metric, value in measure_once(task, rows, model, threshold).items()
        }
    return found


def measure_metric(
    rows: pd.DataFrame, metric: str, threshold: float | None, sample: Sample, evaluation: Evaluation
) -> Estimate:
    """One metric of the scores `model` of rows; resamples are drawn only if it has no formula."""
    exact = sample.exact(sample.task.scores(rows, "model"))
    if metric in exact:
        return exact[metric]
    return measure_models(rows, {"model": threshold}, sample, evaluation)["model"][metric]


def resample(
    rows: pd.DataFrame, thresholds: Thresholds, evaluation: Evaluation, sample: Sample
) -> dict[str, dict[str, np.ndarray]]:
    """Metrics by model, [resamples] each, on the same bootstrap resamples, for paired comparisons.

    Of many rows a part is drawn from, see `Sample.drawn_from`: what resamples of it differ by from its own metrics is
    added to those of all rows, times the square root of the part (an m out of n bootstrap: Politis, Romano and Wolf,
    "Subsampling", 1999, section 2.3), since intervals narrow with the root of the rows.
    """
    part = sample.drawn_from
    if part is None:
        return _resample(rows, thresholds, evaluation, sample)
    some = sample.where(part)
    few, narrower = rows[part], np.sqrt(some.units / sample.units)
    drawn = _resample(few, thresholds, evaluation, some)
    moved: dict[str, dict[str, np.ndarray]] = {}
    for model, values in drawn.items():
        whole, own = (measure_once(sample.task, each, model, thresholds[model]) for each in (rows, few))
        moved[model] = {
            metric: whole[metric] + (each - own[metric]) * narrower for metric, each in values.items()
        }
    return moved


def _resample(
    rows: pd.DataFrame, thresholds: Thresholds, evaluation: Evaluation, sample: Sample
) -> dict[str, dict[str, np.ndarray]]:
    task, labels = sample.task, rows["label"].to_numpy()
    prepared = {
        model: task.prepare(labels, task.scores(rows, model), threshold)
        for model, threshold in thresholds.items()
    }
    chunks = [
        {model: each.measure(weights) for model, each in prepared.items()}
        for weights in sample.weights(evaluation)
    ]
    return {
        name: {metric: np.concatenate([chunk[name][metric] for chunk in chunks]) for metric in values}
        for name, values in chunks[0].items()
    }


def measure_once(task: Task, rows: pd.DataFrame, model: str, threshold: float | None) -> dict[str, float]:
    """Measure one model, columns of scores of `rows`, without resampling; see `Task.prepare`."""
    prepared = task.prepare(rows["label"].to_numpy(), task.scores(rows, model), threshold)
    weights = rows["weight"].to_numpy(np.float64)[None] if "weight" in rows else np.ones((1, len(rows)))
    values = prepared.measure(weights)
    return {metric: float(value[0]) for metric, value in values.items()}


def paired_differences(
    rows: pd.DataFrame,
    one: str,
    other: str,
    thresholds: Thresholds,
    evaluation: Evaluation,
    sample: Sample,
) -> dict[str, Estimate]:
    """Metrics of `one` less those of `other` (without `ece`), on the same rows and resamples.

    Where lower is better, they are those of `other` less those of `one`: above 0, `one` is ahead. Rows hard
    for one model are mostly hard for the other; on common resamples that cancels, and the 95 %
    bootstrap interval (see `Sample`) is much narrower than those of the two models suggest. `rows` has
    `label` and the scores of `one` and `other`.
    """
    cuts = {model: thresholds[model] for model in (one, other)}
    first, second = (measure_once(sample.task, rows, model, cuts[model]) for model in cuts)
    gains = {
        metric: _ahead(metric, value, second[metric])
        for metric, value in first.items()
        if metric in second and metric != _WITHOUT_INTERVAL
    }
    if not sample.enough:
        return {metric: Estimate(gain) for metric, gain in gains.items()}
    drawn = resample(rows, cuts, evaluation, sample)
    return {
        metric: sample.figure(gain, _ahead(metric, drawn[one][metric], drawn[other][metric]), least=-inf)
        for metric, gain in gains.items()
    }


def _ahead(metric: str, one: Any, other: Any) -> Any:
    return one - other if higher_is_better(metric) else other - one


def _figure(
    metric: str,
    value: float,
    exact: Mapping[str, Estimate],
    drawn: Mapping[str, np.ndarray],
    sample: Sample,
) -> Estimate:
    if not drawn:
        return Estimate(value)
    if metric in exact:
        return replace(exact[metric], value=value)
    bias = drawn[metric].mean() - value if metric == "ece" else 0.0
    least, most = METRICS[metric].least, METRICS[metric].most
    return sample.figure(
        value, drawn[metric] - bias, -inf if least is None else least, inf if most is None else most
    )


def _choose_thresholds(
    task: Task, rows: pd.DataFrame, models: list[str], costs: pd.DataFrame | None
) -> Thresholds:
    labels = rows["label"].to_numpy()
    counts = rows["weight"].to_numpy() if "weight" in rows else np.ones(len(rows))
    if costs is None:
        return {model: best_f1_threshold(labels, task.scores(rows, model), counts) for model in models}
    acting, leaving = acting_and_leaving(rows["label"], costs)
    extra = (acting - leaving) * counts
    return {model: least_cost_threshold(extra, task.scores(rows, model)) for model in models}


def _require_measurable(task: Task, part: str, labels: pd.Series) -> None:
    if lacking := task.lacks(labels, learnt=False):
        raise DataError(
            f"part {part!r} has {task.counted(labels)}, but measuring needs {lacking}. Enlarge split.{part} or bring "
            "more rows of what is missing."
        )
