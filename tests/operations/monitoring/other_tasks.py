"""Champions that tell three classes apart, or predict a number, and later rows of their source."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.evaluation.metrics import evaluate, score_rows
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.model.artefact import assemble_artefact
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.model.version import WatchedVersion
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.monitoring.new_rows import Champion, NewRows, score_new_rows
from lepton_pipeline.operations.monitoring.reference import Reference, describe_reference
from lepton_pipeline.operations.monitoring.result import compare_new_rows
from lepton_pipeline.parameters import (
    Dataset,
    Evaluation,
    Features,
    Gate,
    Ingestion,
    Leaks,
    Monitoring,
    Retraining,
    Split,
    Training,
)
from lepton_pipeline.tasks.find import find_target
from lepton_pipeline.tasks.split import split_rows

ROWS = 600
EVALUATION = Evaluation(resamples=100)
QUICK = Training(
    networks=1,
    epochs=60,
    members=1,
    width=16,
    learning_rate=0.02,
    batch_size=64,
    device="cpu",
    boosting=False,
)
CLASSES = Dataset(target="kind", classes="all", id="id", time="day")
NUMBER = Dataset(target="price", task="regression", id="id", time="day")


def draw(rows: int, seed: int, first: int = 0, noise: float = 1.0) -> pd.DataFrame:
    """Rows of the source from the row `first` on; both targets follow from a size and a place."""
    random = np.random.default_rng(seed)
    size, place = random.normal(size=rows), random.choice(["hill", "shore"], size=rows)
    level = 2 * size + (place == "shore") + 0.5 * noise * random.normal(size=rows)
    return pd.DataFrame(
        {
            "id": range(first, first + rows),
            "day": pd.date_range("2026-01-01", periods=first + rows)[first:],
            "size": size,
            "place": place,
            "kind": np.select([level < -0.5, level < 1.5], ["cottage", "house"], "villa"),
            "price": 100 + 10 * level,
        }
    )


@dataclass(frozen=True)
class Watched:
    """A champion of the first 600 rows."""

    table: pd.DataFrame
    dataset: Dataset
    champion: Champion
    seen: TrainingRows

    def watch(self, later: pd.DataFrame, gate: Gate, **declared: object) -> MonitoringResult:
        """Monitor once `later` rows have come."""
        table = pd.concat([self.table, later[list(self.table)]], ignore_index=True)
        dataset = self.dataset.model_copy(update={"present": "2035-01-01"})
        champion, reference = self.champion, self.champion.reference
        assert reference is not None
        new = score_new_rows(table, champion.model, self.seen, reference.span, dataset)
        monitoring = Monitoring(window="200d", **declared)  # type: ignore[arg-type]  # as a test declares it
        today, policy = NewRows(table, new, dataset), Retraining()
        return compare_new_rows(today, champion, gate, EVALUATION, policy, monitoring)


def make_champion(dataset: Dataset) -> Watched:
    """Train on the first rows; the reference is read from JSON, as it is kept."""
    other = {"kind", "price"} - {dataset.target}
    table = draw(ROWS, seed=1).drop(columns=list(other))
    target = find_target(table, dataset, QUICK, EVALUATION)
    split = split_rows(table, target, dataset, Split(strategy="time"))
    report = FeatureReport(0, 0.95, "stop", "warn", [], [])
    encoder, encoded = encode_rows(table, split, target, dataset, report, Leaks())
    model, _, held_out = train_model(encoded, split, target, QUICK)
    nothing = pd.DataFrame(index=split.index)
    scores = score_rows(model, encoded, split, held_out, nothing, nothing)
    metrics = evaluate(scores, target, EVALUATION)
    artefact = assemble_artefact(encoder, model, metrics, table, split, Features(), Ingestion(), dataset)
    stored = describe_reference(table, split, scores, target, encoder, dataset)
    reference = Reference.from_dict(json.loads(json.dumps(stored)))
    learnt = TrainingRows.of(table, split, artefact.inputs, dataset)
    seen = TrainingRows.of(table, split.assign(part="train"), artefact.inputs, dataset)
    version = WatchedVersion(
        "shop", 1, "champion", "abc", "", learnt.until, len(learnt.hashes), dict(metrics.model)
    )
    return Watched(table, dataset, Champion(artefact, version, reference, learnt), seen)
