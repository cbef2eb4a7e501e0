"""Small trained models of other tasks than binary ones: of three kinds of wine, and of prices of houses."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from sklearn.datasets import load_wine

from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.model.artefact import Artefact, assemble_artefact
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import Dataset, Evaluation, Features, Ingestion, Leaks, Split, Training
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tasks.find import Target, find_target
from lepton_pipeline.tasks.split import split_rows

# Steps so large that a few seconds suffice.
TRAINING = Training(
    networks=1, epochs=30, members=1, width=16, learning_rate=0.02, boosting=False, device="cpu"
)


@dataclass(frozen=True)
class TaskShop:
    """A table, its roles, and a model of it; `noise` is a column without use."""

    table: pd.DataFrame
    dataset: Dataset
    target: Target
    split: pd.DataFrame
    artefact: Artefact


@cache
def wine_shop() -> TaskShop:
    """178 wines of three classes."""
    columns = ["flavanoids", "color_intensity", "alcohol", "target"]
    table = load_wine(as_frame=True).frame[columns].rename(columns={"target": "kind"})
    table["kind"] = table["kind"].map({0: "barolo", 1: "grignolino", 2: "barbera"})
    return _shop(table, Dataset(target="kind", classes="all"))


@cache
def house_shop() -> TaskShop:
    """600 houses: the price follows size and age, not the noise."""
    rng = np.random.default_rng(7)
    table = pd.DataFrame({"size": rng.uniform(30, 200, 600), "age": rng.uniform(0, 100, 600)})
    table["price"] = 2000 * table["size"] - 300 * table["age"] + rng.normal(0, 10_000, 600)
    return _shop(table, Dataset(target="price", task="regression"))


def _shop(table: pd.DataFrame, dataset: Dataset) -> TaskShop:
    table["noise"] = np.random.default_rng(8).normal(size=len(table))
    target = find_target(table, dataset, TRAINING, Evaluation())
    split = split_rows(table, target, dataset, Split(test=0.4))
    report = FeatureReport(0, 0.95, "stop", "warn", [], [])
    encoder, encoded = encode_rows(table, split, dataset, report, Leaks())
    model, _, _ = train_model(encoded, split, target, TRAINING)
    metrics = Metrics(None, {"model": None}, {}, 100, {})
    made = assemble_artefact(encoder, model, metrics, table, split, Features(), Ingestion(), dataset)
    return TaskShop(table, dataset, target, split, made)
