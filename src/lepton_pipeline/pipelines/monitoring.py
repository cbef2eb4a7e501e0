"""From a vertical's current rows to what has changed since its champion was trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import WatchedVersion
from lepton_pipeline.operations.monitoring import new_rows, offers, result, served
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.monitoring.offers import with_offers
from lepton_pipeline.operations.monitoring.page import render_page
from lepton_pipeline.operations.monitoring.reference import Reference
from lepton_pipeline.operations.monitoring.served import ServedRows
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
    follows, logged = features.recommends(vertical), features.reads_served(vertical)

    def fetch_champion(
        monitoring: Monitoring,
    ) -> tuple[Artefact, WatchedVersion, StoredReference, TrainingRows, TrainingRows]:
        if monitoring.served is not None and not logged:
            raise ConfigurationError(
                f"{vertical}.monitoring.served: {monitoring.served!r} is read only where conf/base/{vertical}/"
                "parameters.yml declares it; declare it there."
            )
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
            "monitoring_compared" if follows or logged else "monitoring_result",
        ),
        *([_FOLLOWED] if follows else []),
        *([_NOTED] if logged else []),
        (render_page, "monitoring_result params:about", "monitoring_page"),
    )
    parts = [f"monitoring_{part}" for part in ("model", "version", "reference", "learnt", "seen")]
    fetched = Node(fetch_champion, "params:monitoring", parts, name="fetch_champion", tags=MONITORING)
    joined = [_SERVED] if logged else []
    rows = _rows(vertical, follows, logged)
    return rows + Pipeline([fetched, stages(MONITORING, *joined), watched], namespace=vertical)


def _rows(vertical: str, follows: bool, logged: bool) -> Pipeline:
    """From raw tables to features, with rows that wait for their label; only the last table is not nested.

    Where offers are followed, the interactions that they are made of are not nested, either; where a log of served
    rows is read, the last table is another.
    """
    made = features.create_pipeline(vertical, labelled=False)
    kept = {"feature_table": f"{MONITORING}_{'own_rows' if logged else 'table'}"}
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


def add_served(
    table: pd.DataFrame,
    model: Artefact,
    reference: StoredReference,
    seen: TrainingRows,
    dataset: Dataset,
    monitoring: Monitoring,
) -> tuple[pd.DataFrame, ServedRows]:
    """Add served rows as `served.add_served` does; none without a reference, when no row counts as new."""
    if monitoring.served is None or not reference:
        return table, ServedRows(0, 0, 0, 0)
    folder = Path(monitoring.served).expanduser()
    return served.add_served(table, model, seen, Reference.from_dict(reference).span, dataset, folder)


_SERVED = (
    add_served,
    "monitoring_own_rows monitoring_model monitoring_reference monitoring_seen params:dataset params:monitoring",
    "monitoring_table monitoring_served",
)


def note_served(found: MonitoringResult, rows: ServedRows) -> MonitoringResult:
    """Say in the result how many of the new rows were served."""
    return replace(found, notes=[*found.notes, rows.note])


_NOTED = (note_served, "monitoring_compared monitoring_served", "monitoring_result")


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
