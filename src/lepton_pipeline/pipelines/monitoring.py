"""From a vertical's current rows to what has changed since its champion was trained."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import WatchedVersion
from lepton_pipeline.operations.monitoring import new_rows, offers, result
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.monitoring.offers import with_offers
from lepton_pipeline.operations.monitoring.page import render_page
from lepton_pipeline.operations.monitoring.reference import Reference
from lepton_pipeline.parameters import Dataset, Evaluation, Gate, Monitoring, Retraining
from lepton_pipeline.parameters.jobs import MONITORING
from lepton_pipeline.parameters.recommendation import Recommendation
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

    follows = features.recommends(vertical)
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
            "monitoring_compared" if follows else "monitoring_result",
        ),
        *([_FOLLOWED] if follows else []),
        (render_page, "monitoring_result params:about", "monitoring_page"),
    )
    parts = [f"monitoring_{part}" for part in ("model", "version", "reference", "learnt", "seen")]
    fetched = Node(fetch_champion, None, parts, name="fetch_champion", tags=MONITORING)
    return _rows(vertical, follows) + Pipeline([fetched, watched], namespace=vertical)


def _rows(vertical: str, follows: bool) -> Pipeline:
    """From raw tables to features, with rows that wait for their label; only the last table is not nested.

    Where offers are followed, the interactions that they are made of are not nested, either.
    """
    made = features.create_pipeline(vertical, labelled=False)
    kept = {"feature_table": f"{MONITORING}_table"}
    if follows:
        kept["interactions"] = f"{MONITORING}_interactions"
    return features.nested(made, vertical, MONITORING, kept)


def follow_offers(
    found: MonitoringResult,
    interactions: pd.DataFrame,
    model: Artefact,
    reference: StoredReference,
    recommendation: Recommendation,
    dataset: Dataset,
) -> MonitoringResult:
    """Follow offers as `offers.follow_offers` does, from the latest cut of the training on."""
    span = Reference.from_dict(reference).span if reference else None
    if span is None:
        return found
    since = span[1]
    return with_offers(found, offers.follow_offers(interactions, model, recommendation, dataset, since))


_FOLLOWED = (
    follow_offers,
    "monitoring_compared monitoring_interactions monitoring_model monitoring_reference params:recommendation "
    "params:dataset",
    "monitoring_result",
)


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
    today = new_rows.NewRows(table, new, dataset)
    champion = new_rows.Champion(model, version, kept, learnt)
    return result.compare_new_rows(today, champion, gate, evaluation, retraining, monitoring)
