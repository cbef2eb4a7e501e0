"""One registered model, small and real, that tests make versions of."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.copies import find_copies
from lepton_pipeline.evaluation.copies import measure_copies
from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.model.artefact import assemble_artefact
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.operations.monitoring.reference import describe_reference
from lepton_pipeline.parameters import (
    About,
    Dataset,
    Evaluation,
    Features,
    Ingestion,
    Leaks,
    Split,
    Training,
)
from lepton_pipeline.registry.publish import register_model
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.split import split_rows
from lepton_pipeline.tracking.runs import RunLog, Tracking

ROWS = 500
TARGET = Target(Binary())
EVALUATION = Evaluation(resamples=200)


@dataclass
class Shop:
    """A table, a trained model and a store that holds it as version 1 of `base`.

    Attributes:
        folder: of the store.
        log: of the store.
        table: 500 rows.
        dataset: their columns.
        split: `part` and `label` of every row.
        scores: of the model, with a baseline beside it.
        base: what `register_model` returned.
    """

    folder: Path
    log: RunLog
    table: pd.DataFrame
    dataset: Dataset
    split: pd.DataFrame
    scores: pd.DataFrame
    base: Registration

    @property
    def client(self) -> Any:
        return self.log.client

    def version(self, name: str, like_base: bool = True) -> Registration:
        """A further version of the model `name`, with the files and the run of the base."""
        if not self.client.search_registered_models(f"name = '{name}'"):
            self.client.create_registered_model(name)
        tags = self.client.get_model_version(self.base.name, "1").tags
        tags = {key: value for key, value in tags.items() if not key.startswith(("gate.", "champion."))}
        made = self.client.create_model_version(
            name, self.base.model_uri, self.base.run_id, tags=tags if like_base else {}
        )
        return replace(self.base, name=name, version=int(made.version))

    def run(self) -> str:
        return self.log.open("shop", "a run", {})

    def scored(self, noise: float) -> pd.DataFrame:
        """Scores of a challenger that knows the labels but for the noise."""
        rng = np.random.default_rng(7)
        logits = 4 * self.scores["label"] - 2 + noise * rng.standard_normal(len(self.scores))
        return self.scores.assign(model=1 / (1 + np.exp(-logits)))


def make_shop(store: Path, folder: Path, model_name: str = "linear") -> Shop:
    """Train and register the model; `store` is an empty one."""
    shutil.copy(store, folder / "mlflow.db")
    log = RunLog(Tracking(tracking_uri="sqlite:///mlflow.db", artifact_root="mlruns"), folder)
    rng = np.random.default_rng(7)
    table = pd.DataFrame(
        {"id": range(ROWS), "age": rng.normal(40, 10, ROWS), "city": rng.choice(["Oslo", "Rome"], ROWS)}
    )
    table["bought"] = np.where(table["age"] + 15 * rng.standard_normal(ROWS) > 40, "yes", "no")
    table["day"] = pd.date_range("2026-01-01", periods=ROWS)
    dataset = Dataset(target="bought", positive="yes", id="id", time="day")
    split = split_rows(table, TARGET, dataset, Split(strategy="time"))
    encoder, encoded = encode_rows(
        table, split, TARGET, dataset, FeatureReport(0, 0.95, "stop", "warn", [], []), Leaks()
    )
    model, _, _ = train_model(encoded, split, TARGET, Training(model=model_name, epochs=3, device="cpu"))
    rows = split.loc[split["part"].isin(["validation", "test"]), ["part", "label"]]
    scores = rows.assign(model=model.scores(encoded.loc[rows.index])["model"])
    scores["hist_gradient_boosting"] = scores["model"]
    metrics = evaluate(scores, TARGET, EVALUATION)
    run = log.open("base", "a run", {"data.sha256": "ab" * 32})
    with warnings.catch_warnings():
        # MLflow's own, on import and when it looks at our model's type hints.
        warnings.simplefilter("ignore")
        artefact = assemble_artefact(encoder, model, metrics, table, split, Features(), Ingestion(), dataset)
        reference = describe_reference(table, split, scores, TARGET, encoder, dataset)
        marks, found = find_copies(table, split, TARGET, dataset, Features(), Split(strategy="time"))
        copies = measure_copies(marks, found, scores, TARGET, metrics, EVALUATION)
        base = register_model(
            artefact, metrics, table, split, dataset, About(), reference, copies, Split(), run
        )
    return Shop(folder, log, table, dataset, split, scores, base)
