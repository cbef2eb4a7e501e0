"""From a vertical's current rows to what has changed since its champion was trained."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import WatchedVersion
from lepton_pipeline.operations.monitoring import new_rows, result
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.monitoring.page import render_page
from lepton_pipeline.operations.monitoring.reference import Reference
from lepton_pipeline.parameters import Dataset, Evaluation, Gate, Monitoring, Retraining
from lepton_pipeline.parameters.jobs import MONITORING
from lepton_pipeline.pipelines import features
from lepton_pipeline.pipelines.features import stages
from lepton_pipeline.registry import fetch
from lepton_pipeline.registry.versions import StoredReference


def create_pipeline(vertical: str) -> Pipeline:
    """Monitoring of one vertical, in the namespace of its name.

    Rows are made as in training, below the nested namespace `monitoring`, so training results stay unchanged.
    """

    def fetch_champion() -> tuple[Artefact, WatchedVersion, StoredReference, TrainingRows, TrainingRows]:
        return fetch.fetch_champion(vertical)

    watched = stages(
        MONITORING,
        (
            score_new_rows,
            "monitoring_table monitoring_model monitoring_reference monitoring_seen params:dataset",
            "monitoring_scores",
        ),
        (
            compare_new_rows,
            "monitoring_table monitoring_scores monitoring_model monitoring_version monitoring_reference "
            "monitoring_learnt params:dataset params:gate params:evaluation params:retraining params:monitoring",
            "monitoring_result",
        ),
        (render_page, "monitoring_result params:about", "monitoring_page"),
    )
    parts = [f"monitoring_{part}" for part in ("model", "version", "reference", "learnt", "seen")]
    fetched = Node(fetch_champion, None, parts, name="fetch_champion", tags=MONITORING)
    return _rows(vertical) + Pipeline([fetched, watched], namespace=vertical)


def _rows(vertical: str) -> Pipeline:
    """From raw tables to features, with rows that wait for their label; only the last table is not nested."""
    made = features.create_pipeline(vertical, labelled=False)
    return features.nested(made, vertical, MONITORING, {"feature_table": f"{MONITORING}_table"})


def score_new_rows(
    table: pd.DataFrame, model: Artefact, reference: StoredReference, seen: TrainingRows, dataset: Dataset
) -> pd.DataFrame:
    """Score as `new_rows.score_new_rows` does; without a reference no row counts as new."""
    rows = table if reference else table.iloc[:0]
    span = Reference.from_dict(reference).span if reference else (0.0, 0.0)
    return new_rows.score_new_rows(rows, model, seen, span, dataset)


def compare_new_rows(
    table: pd.DataFrame,
    new: pd.DataFrame,
    model: Artefact,
    version: WatchedVersion,
    reference: StoredReference,
    learnt: TrainingRows,
    dataset: Dataset,
    gate: Gate,
    evaluation: Evaluation,
    retraining: Retraining,
    monitoring: Monitoring,
) -> MonitoringResult:
    """Compare as `result.compare_new_rows` does."""
    kept = Reference.from_dict(reference) if reference else None
    today, champion = result.NewRows(table, new, dataset), result.Champion(model, version, kept, learnt)
    return result.compare_new_rows(today, champion, gate, evaluation, retraining, monitoring)
