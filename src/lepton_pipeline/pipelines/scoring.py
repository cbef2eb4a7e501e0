"""Score rows without labels by the champion or another version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.data.source import Raw
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion, Scoring
from lepton_pipeline.parameters.jobs import SCORING
from lepton_pipeline.pipelines.ingestion import has_raw_tables
from lepton_pipeline.registry import fetch
from lepton_pipeline.scoring import check, score
from lepton_pipeline.scoring.check import CheckedRows, Declared, QuarantinedRows
from lepton_pipeline.scoring.result import ScoringContract, ScoringRecord
from lepton_pipeline.scoring.score import FinishedRows
from lepton_pipeline.terminal.progress import show_rows


def create_pipeline(vertical: str) -> Pipeline:
    """Scoring of one vertical, in the namespace of its name; a table from raw tables is scored as made."""
    ready = has_raw_tables(vertical)
    declared = [f"params:{part}" for part in ("dataset", "ingestion", "contract", "features", "scoring")]
    parts = ("input", "model", "version", "contract", "left_out", "chunks")
    stages = [
        Node(_fetch_of(vertical), "params:scoring", ["scoring_model", "scoring_version"], name="fetch_model"),
        Node(
            _check_of(ready),
            ["scoring_input", "scoring_model", *declared],
            ["scoring_left_out", "scoring_quarantine", "scoring_contract"],
            name="check_input",
        ),
        Node(
            _score_of(ready),
            [*(f"scoring_{part}" for part in parts), *declared],
            ["batch_scores", "scoring_record"],
            name="score_input",
        ),
    ]
    return Pipeline(stages, namespace=vertical, tags=SCORING)


def _fetch_of(vertical: str) -> Callable[..., Any]:
    def fetch_model(scoring: Scoring) -> tuple[Artefact, ModelVersion]:
        return fetch.fetch_model(vertical, scoring.version)

    return fetch_model


def _check_of(ready: bool) -> Callable[..., Any]:
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

    return check_input


def _score_of(ready: bool) -> Callable[..., Any]:
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
        with show_rows("scored", checked.rows) as show:
            return score.score_input(
                CheckedRows(raw, checked, left_out), model, version, folder, declared, show
            )

    return score_input
