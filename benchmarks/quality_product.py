"""What the benchmark asks of the product: how it declares, divides, encodes and predicts."""

from __future__ import annotations

import pandas as pd
from quality_metrics import Prediction

from lepton_pipeline.features.encode import Encoder, encode_rows
from lepton_pipeline.features.leaks import check_features
from lepton_pipeline.parameters import Training, Vertical
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.tasks.find import Target, find_target
from lepton_pipeline.tasks.split import split_rows

_WAYS: dict[str, dict[str, object]] = {
    "binary": {"positive": 1},
    "multiclass": {"classes": "all"},
    "regression": {"task": "regression"},
}


def declare(target: str, task: str, transform: str | None = None) -> Vertical:
    """Declare a table with a target and no other role."""
    dataset = {"target": target, "transform": transform, **_WAYS[task]}
    # A single column may tell the classes of a small table apart.
    return Vertical.model_validate({"dataset": dataset, "leaks": {"on_leak": "warn"}})


def task_of(declared: Vertical) -> str:
    """The task that a vertical declares."""
    return declared.dataset.task


def target_of(table: pd.DataFrame, declared: Vertical) -> Target:
    """What is to be predicted, as the product's pipeline finds it."""
    return find_target(table, declared.dataset, declared.training, declared.evaluation)


def divide(table: pd.DataFrame, target: Target, declared: Vertical, seed: int) -> pd.DataFrame:
    """`part`, `label` and `fold` of every row, as the product's pipeline divides them by another seed."""
    return split_rows(table, target, declared.dataset, declared.split.model_copy(update={"seed": seed}))


def encode(
    table: pd.DataFrame, split: pd.DataFrame, target: Target, declared: Vertical
) -> tuple[Encoder, pd.DataFrame]:
    """The product's encoder, fitted on the training rows, and all rows as its models take them."""
    found = check_features(table, split, target, declared.dataset, declared.leaks)
    return encode_rows(
        table, split, target, declared.dataset, found, declared.leaks, declared.features, declared.training
    )


def predict(
    encoded: pd.DataFrame, split: pd.DataFrame, target: Target, training: Training
) -> dict[str, Prediction]:
    """Train the product's model; the predictions of the test rows by `model` itself and its `network`."""
    from lepton_pipeline.model.predictor import train_model

    predictor, *_ = train_model(encoded, split, target, training)
    scores, task = predictor.scores(encoded.loc[split.index[split["part"] == "test"]]), predictor.task
    # Only the model itself has an interval.
    found = {"model": task.scores(scores, "model"), "network": task.scores(scores, "network")}
    return {name: _prediction(each, target) for name, each in found.items()}


def predict_baselines(
    encoded: pd.DataFrame, split: pd.DataFrame, target: Target, training: Training
) -> dict[str, Prediction]:
    """Fit the baselines that the product's runs report; the predictions of the test rows by baseline."""
    from lepton_pipeline.model.baseline import score_baselines

    test = split.index[split["part"] == "test"]
    scores = score_baselines(encoded, split, target, training).loc[test]
    task = target.task
    return {name: _prediction(task.scores(scores, name), target) for name in task.models(scores)}


def _prediction(scores: Floats, target: Target) -> Prediction:
    several = scores.ndim > 1 and "low" in target.task.score_names
    return Prediction(*scores.T) if several else Prediction(scores)
