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
from lepton_pipeline.pipelines import offers
from lepton_pipeline.pipelines.features import (
    declares_forecast,
    has_raw_tables,
    ingestion,
    nested,
    recommends,
    stages,
)
from lepton_pipeline.registry import fetch
from lepton_pipeline.scoring import check, score
from lepton_pipeline.scoring.check import CheckedRows, Declared, QuarantinedRows
from lepton_pipeline.scoring.engine import check_engine
from lepton_pipeline.scoring.forecast import forecast_next
from lepton_pipeline.scoring.result import ScoringContract, ScoringRecord
from lepton_pipeline.scoring.score import FinishedRows
from lepton_pipeline.scoring.shadow import Shadow
from lepton_pipeline.terminal.progress import show_rows

# Rows of the periods to come, where a vertical forecasts series.
UPCOMING = "scoring_upcoming"


def create_pipeline(vertical: str) -> Pipeline:
    """Scoring of one vertical, in the namespace of its name; a table from raw tables is scored as made.

    Where pairs are ranked, it offers items to customers instead.
    """
    if recommends(vertical):
        return offers.create_pipeline(vertical)
    ready = has_raw_tables(vertical)

    def fetch_model(scoring: Scoring) -> tuple[Artefact, ModelVersion]:
        check_engine(scoring)
        model, version = fetch.fetch_model(vertical, scoring.version)
        # A shadow that is not there is told before rows are read.
        fetch_shadow(scoring, model, version)
        return model, version

    def fetch_shadow(scoring: Scoring, model: Artefact, version: ModelVersion) -> Shadow | None:
        if scoring.shadow is None:
            return None
        return Shadow(*fetch.fetch_shadow(vertical, scoring.shadow, model, version))

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
        rows, shadow = CheckedRows(raw, checked, left_out), fetch_shadow(scoring, model, version)
        with show_rows("scored", checked.rows) as show:
            return score.score_input(rows, model, version, folder, declared, show, shadow)

    declared = "params:dataset params:ingestion params:contract params:features params:scoring"
    forecasts = declares_forecast(vertical)
    rows = UPCOMING if forecasts else "scoring_input"
    parts = f"{rows} scoring_model scoring_version scoring_contract scoring_left_out scoring_chunks"
    scored = stages(
        SCORING,
        (fetch_model, "params:scoring", "scoring_model scoring_version"),
        (
            check_input,
            f"{rows} scoring_model {declared}",
            "scoring_left_out scoring_quarantine scoring_contract",
        ),
        (score_input, f"{parts} {declared}", "batch_scores scoring_record"),
    )
    if not forecasts:
        return Pipeline(scored, namespace=vertical)
    coming = stages(
        SCORING,
        (forecast_next, f"{UPCOMING} scoring_model params:forecast", "scoring_forecast scoring_orders"),
    )
    # The rows of the coming periods are made of the raw tables, as in training.
    rows_made = ingestion(vertical).to_outputs("upcoming_rows")
    made = nested(rows_made, vertical, SCORING, {"upcoming_rows": UPCOMING})
    return made + Pipeline(scored + coming, namespace=vertical)
