"""From the raw table of a vertical to a registered model that has passed, or not passed, the gate."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.data.contract import check_contract, enforce_contract
from lepton_pipeline.data.split import split_rows
from lepton_pipeline.evaluation.explanation import explain_model
from lepton_pipeline.evaluation.explanation_figure import draw_explanation
from lepton_pipeline.evaluation.figures import draw_figures
from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.evaluation.scores import score_rows
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.leaks import check_features
from lepton_pipeline.model.artefact import assemble_artefact
from lepton_pipeline.model.baseline import score_baselines
from lepton_pipeline.model.classifier import Classifier
from lepton_pipeline.model.classifier import train_model as fit_classifier
from lepton_pipeline.model.epoch import Epoch
from lepton_pipeline.parameters import Training
from lepton_pipeline.pipelines import ingestion
from lepton_pipeline.progress import show_epochs
from lepton_pipeline.registry.gate import gate_model
from lepton_pipeline.registry.publish import register_model
from lepton_pipeline.registry.tracking import log_epoch


def create_pipeline(vertical: str) -> Pipeline:
    """Wire the training stages of one vertical, in the namespace of its name."""
    stages = Pipeline(
        [
            Node(
                check_contract,
                ["table", "params:dataset", "params:contract", "params:features"],
                ["contract_result", "quarantine", "data_docs"],
                name="check_contract",
            ),
            Node(
                enforce_contract,
                ["table", "quarantine", "contract_result", "params:contract"],
                "clean_table",
                name="enforce_contract",
            ),
            Node(
                derive_features,
                ["clean_table", "params:dataset", "params:features"],
                "feature_table",
                name="derive_features",
            ),
            Node(split_rows, ["feature_table", "params:dataset", "params:split"], "split", name="split_rows"),
            Node(
                check_features,
                ["feature_table", "split", "params:dataset", "params:leaks"],
                "feature_report",
                name="check_features",
            ),
            Node(
                encode_rows,
                ["feature_table", "split", "params:dataset", "feature_report", "params:leaks"],
                ["encoder", "encoded"],
                name="encode_rows",
            ),
            Node(
                train_model,
                ["encoded", "split", "params:training", "run_id"],
                ["model", "history", "held_out"],
                name="train_model",
            ),
            Node(score_baselines, ["encoded", "split", "params:training"], "baseline_scores", name="score_baselines"),
            Node(
                score_rows,
                ["model", "encoded", "split", "held_out", "baseline_scores"],
                "scores",
                name="score_rows",
            ),
            Node(evaluate, ["scores", "params:evaluation"], "metrics", name="evaluate"),
            Node(draw_figures, ["scores", "metrics", "params:about"], "figures", name="draw_figures"),
            Node(
                assemble_artefact,
                ["encoder", "model", "metrics", "feature_table", "split", "params:features", "params:ingestion"],
                "artefact",
                name="assemble_artefact",
            ),
            Node(
                explain_model,
                ["artefact", "feature_table", "split", "params:evaluation"],
                "explanation",
                name="explain_model",
            ),
            Node(draw_explanation, ["explanation", "params:about"], "explanation_figure", name="draw_explanation"),
            Node(
                register_model,
                ["artefact", "metrics", "feature_table", "params:about", "run_id"],
                "registration",
                name="register_model",
            ),
            Node(
                gate_model,
                ["registration", "metrics", "feature_table", "split", "params:gate", "run_id"],
                "decision",
                name="gate_model",
            ),
        ]
    )
    return Pipeline(ingestion.create_pipeline(vertical) + stages, namespace=vertical)


def train_model(
    encoded: pd.DataFrame, split: pd.DataFrame, training: Training, run_id: str
) -> tuple[Classifier, pd.DataFrame, pd.DataFrame]:
    """Train as `classifier.train_model` does, with every epoch shown and logged to the run."""
    with show_epochs() as show:

        def report(epoch: Epoch) -> None:
            show(epoch)
            log_epoch(
                run_id,
                epoch.network,
                epoch.number,
                epoch.train_loss,
                epoch.validation_log_loss,
                epoch.validation_auc,
            )

        return fit_classifier(encoded, split, training, report)
