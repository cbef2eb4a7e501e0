"""Small trained models of several classes and of a number, that tests of many rooms share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes, load_wine

from lepton_pipeline.evaluation.metrics import evaluate, score_rows
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.model.artefact import Artefact, assemble_artefact
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import Dataset, Evaluation, Features, Ingestion, Leaks, Split, Training
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tasks.find import Target, find_target
from lepton_pipeline.tasks.split import split_rows

EVALUATION = Evaluation(resamples=100)
# Names differ by case alone, and hold what separates names elsewhere.
CLASSES = ["a", "A", 'x: y, "z"']


@dataclass(frozen=True)
class TaskShop:
    """A table and all that is made of it.

    Attributes:
        table: one row per example, with the target.
        split: `part` and `label` of every row.
        scores: of validation and test rows, of the model and its parts.
    """

    table: pd.DataFrame
    dataset: Dataset
    target: Target
    split: pd.DataFrame
    scores: pd.DataFrame
    metrics: Metrics
    artefact: Artefact


@cache
def wine_shop() -> TaskShop:
    """178 wines of three classes, with a category and a missing value in one of nine rows."""
    wine = load_wine(as_frame=True)
    table = wine.data[["alcohol", "ash", "flavanoids", "proline"]].copy()
    table["origin"] = np.where(wine.data["hue"] < 1, "hill", "coast, south")
    table.loc[::9, "ash"] = np.nan
    table["cultivar"] = wine.target.map(dict(enumerate(CLASSES)))
    return task_shop(table, Dataset(target="cultivar", classes=CLASSES), Training(boosting=True, **_QUICK))


@cache
def house_shop() -> TaskShop:
    """442 rows with a number to predict, its logarithm learnt, and intervals of quantiles."""
    rows = load_diabetes(as_frame=True, scaled=False)
    table = rows.data[["age", "bmi", "bp", "s5"]].copy()
    table["sex"] = rows.data["sex"].map({1.0: "f", 2.0: "m"})
    table["progression"] = rows.target
    dataset = Dataset(target="progression", task="regression", transform="log")
    return task_shop(table, dataset, Training(quantiles=True, boosting=True, **_QUICK))


_QUICK = {"model": "mlp", "networks": 1, "members": 1, "width": 16, "epochs": 3, "device": "cpu"}


def task_shop(table: pd.DataFrame, dataset: Dataset, training: Training) -> TaskShop:
    """Train a model of the table."""
    target = find_target(table, dataset, training, EVALUATION)
    split = split_rows(table, target, dataset, Split(test=0.3))
    report = FeatureReport(0, 0.95, "stop", "warn", [], [])
    encoder, encoded = encode_rows(table, split, target, dataset, report, Leaks())
    model, _, held_out = train_model(encoded, split, target, training)
    nothing = pd.DataFrame(index=held_out.index)
    scores = score_rows(model, encoded, split, held_out, nothing, nothing)
    metrics = evaluate(scores, target, EVALUATION)
    artefact = assemble_artefact(encoder, model, metrics, table, split, Features(), Ingestion(), dataset)
    return TaskShop(table, dataset, target, split, scores, metrics, artefact)
