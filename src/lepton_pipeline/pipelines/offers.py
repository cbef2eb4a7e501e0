"""Offer items to customers by the champion or another version: `<vertical>_scoring` where pairs are ranked."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.parameters import Scoring
from lepton_pipeline.parameters.jobs import SCORING
from lepton_pipeline.pipelines import features
from lepton_pipeline.registry import fetch
from lepton_pipeline.scoring.offers import offer_items


def create_pipeline(vertical: str) -> Pipeline:
    """Offers of one vertical: interactions are read as in training, below the nested namespace `scoring`."""

    def fetch_model(scoring: Scoring) -> tuple[Artefact, ModelVersion]:
        return fetch.fetch_model(vertical, scoring.version)

    fetched = ["scoring_model", "scoring_version"]
    given = ["scoring_interactions", *fetched, "params:recommendation", "params:dataset"]
    offered = Pipeline(
        [
            Node(fetch_model, "params:scoring", fetched, name="fetch_model"),
            Node(offer_items, given, ["batch_scores", "scoring_record"], name="offer_items"),
        ],
        tags=SCORING,
        namespace=vertical,
    )
    return _interactions(vertical) + offered


def _interactions(vertical: str) -> Pipeline:
    made = features.ingestion(vertical).to_outputs("interactions")
    return features.nested(made, vertical, SCORING, {"interactions": "scoring_interactions"})
