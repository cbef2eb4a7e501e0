"""Score rows without labels by the champion or another version."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from kedro.pipeline import Pipeline

from lepton_pipeline.data.source import Raw
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion, Scoring
from lepton_pipeline.parameters.jobs import SCORING
from lepton_pipeline.pipelines.features import has_raw_tables, stages
from lepton_pipeline.registry import fetch
from lepton_pipeline.scoring import check, score
from lepton_pipeline.scoring.check import CheckedRows, Declared, QuarantinedRows
from lepton_pipeline.scoring.result import ScoringContract, ScoringRecord
from lepton_pipeline.scoring.score import FinishedRows
from lepton_pipeline.terminal.progress import show_rows


def create_pipeline(vertical: str) -> Pipeline:
    """Scoring of one vertical, in the namespace of its name; a table from raw tables is scored as made."""
    ready = has_raw_tables(vertical)

    def fetch_model(scoring: Scoring) -> tuple[Artefact, ModelVersion]:
        return fetch.fetch_model(vertical, scoring.version)

    def check_input(
        raw: Raw,
        model: Artefact,
        dataset: Dataset,
        ingestion: Ingestion,
        contract: Contract,
        features: Features,
        scoring: Scoring,
    ) -> tuple[pd.DataFrame, QuarantinedRows, ScoringContract]:
        declared = Declared(dataset, ingestion, contract, features, scoring, ready)
        with show_rows("checked") as show:
            result, left_out, quarantine = check.check_input(raw, model, declared, show)
        return left_out, quarantine, result

    def score_input(
        raw: Raw,
        model: Artefact,
        version: ModelVersion,
        checked: ScoringContract,
        left_out: pd.DataFrame,
        folder: Path,
        dataset: Dataset,
        ingestion: Ingestion,
        contract: Contract,
        features: Features,
        scoring: Scoring,
    ) -> tuple[FinishedRows, ScoringRecord]:
        declared = Declared(dataset, ingestion, contract, features, scoring, ready)
        rows = CheckedRows(raw, checked, left_out)
        with show_rows("scored", checked.rows) as show:
            return score.score_input(rows, model, version, folder, declared, show)

    declared = "params:dataset params:ingestion params:contract params:features params:scoring"
    parts = "scoring_input scoring_model scoring_version scoring_contract scoring_left_out scoring_chunks"
    scored = stages(
        SCORING,
        (fetch_model, "params:scoring", "scoring_model scoring_version"),
        (
            check_input,
            f"scoring_input scoring_model {declared}",
            "scoring_left_out scoring_quarantine scoring_contract",
        ),
        (score_input, f"{parts} {declared}", "batch_scores scoring_record"),
    )
    return Pipeline(scored, namespace=vertical)
