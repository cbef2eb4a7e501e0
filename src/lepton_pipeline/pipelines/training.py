"""From a vertical's raw table to a registered model and the gate's decision."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.data.copies import find_copies
from lepton_pipeline.data.split import split_rows
from lepton_pipeline.data.test_rows import identify_test_rows
from lepton_pipeline.evaluation.copies import measure_copies
from lepton_pipeline.evaluation.costs import measure_costs
from lepton_pipeline.evaluation.drift import measure_drift
from lepton_pipeline.evaluation.explanation import explain_model
from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.evaluation.outcomes import price_outcomes
from lepton_pipeline.evaluation.resampling import find_units
from lepton_pipeline.evaluation.scores import score_rows
from lepton_pipeline.evaluation.slice_labels import slice_rows
from lepton_pipeline.evaluation.slices import measure_slices
from lepton_pipeline.features.columns import describe_columns
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.leaks import check_features
from lepton_pipeline.model.artefact import assemble_artefact
from lepton_pipeline.model.baseline import score_baselines
from lepton_pipeline.model.classifier import Classifier
from lepton_pipeline.model.classifier import train_model as fit_classifier
from lepton_pipeline.model.networks.epoch import Epoch
from lepton_pipeline.operations.monitoring.reference import describe_reference
from lepton_pipeline.parameters import Training
from lepton_pipeline.pipelines import features
from lepton_pipeline.registry.gate import gate_model
from lepton_pipeline.registry.publish import register_model
from lepton_pipeline.reporting.pictures.explanation import draw_explanation
from lepton_pipeline.reporting.pictures.quality import draw_figures
from lepton_pipeline.reporting.report.write import write_report
from lepton_pipeline.terminal.progress import show_epochs
from lepton_pipeline.tracking.flat import log_epoch


def create_pipeline(vertical: str) -> Pipeline:
    """Training stages of one vertical, in the namespace of its name."""
    stages = Pipeline(
        [
            Node(
                split_rows,
                ["feature_table", "params:dataset", "params:split"],
                "split",
                name="split_rows",
                tags="split",
            ),
            Node(
                find_units,
                ["feature_table", "split", "params:dataset"],
                "units",
                name="find_units",
                tags="split",
            ),
            Node(
                identify_test_rows,
                ["feature_table", "split", "params:features"],
                "test_rows",
                name="identify_test_rows",
                tags="split",
            ),
            Node(
                find_copies,
                ["feature_table", "split", "params:dataset", "params:features", "params:split"],
                ["copy_marks", "copies_found"],
                name="find_copies",
                tags="split",
            ),
            Node(
                price_outcomes,
                ["feature_table", "split", "params:evaluation"],
                "outcome_costs",
                name="price_outcomes",
                tags="split",
            ),
            Node(
                slice_rows,
                ["feature_table", "split", "params:dataset", "params:evaluation"],
                "slice_labels",
                name="slice_rows",
                tags="split",
            ),
            Node(
                check_features,
                ["feature_table", "split", "params:dataset", "params:leaks", "params:features"],
                "feature_report",
                name="check_features",
                tags="features",
            ),
            Node(
                encode_rows,
                ["feature_table", "split", "params:dataset", "feature_report", "params:leaks"],
                ["encoder", "encoded"],
                name="encode_rows",
                tags="features",
            ),
            Node(
                train_model,
                ["encoded", "split", "params:training", "run_id"],
                ["model", "history", "held_out"],
                name="train_model",
                tags="training",
            ),
            Node(
                score_baselines,
                ["encoded", "split", "params:training"],
                "baseline_scores",
                name="score_baselines",
                tags="training",
            ),
            Node(
                score_rows,
                ["model", "encoded", "split", "held_out", "baseline_scores"],
                "scores",
                name="score_rows",
                tags="training",
            ),
            Node(
                evaluate,
                ["scores", "params:evaluation", "outcome_costs", "units"],
                "metrics",
                name="evaluate",
                tags="evaluation",
            ),
            Node(
                measure_copies,
                ["copy_marks", "copies_found", "scores", "metrics", "units"],
                "copies",
                name="measure_copies",
                tags="evaluation",
            ),
            Node(
                measure_costs,
                ["scores", "metrics", "outcome_costs", "params:evaluation", "units"],
                "costs",
                name="measure_costs",
                tags="evaluation",
            ),
            Node(
                measure_slices,
                ["scores", "metrics", "slice_labels", "params:dataset", "params:evaluation", "units"],
                "slices",
                name="measure_slices",
                tags="evaluation",
            ),
            Node(
                draw_figures,
                ["scores", "metrics", "params:about"],
                "figures",
                name="draw_figures",
                tags="evaluation",
            ),
            Node(
                measure_drift,
                ["feature_table", "split", "encoder"],
                "drift",
                name="measure_drift",
                tags="evaluation",
            ),
            Node(
                assemble_artefact,
                [
                    "encoder",
                    "model",
                    "metrics",
                    "feature_table",
                    "split",
                    "params:features",
                    "params:ingestion",
                ],
                "artefact",
                name="assemble_artefact",
                tags="registration",
            ),
            Node(
                explain_model,
                ["artefact", "feature_table", "split", "params:evaluation", "units"],
                "explanation",
                name="explain_model",
                tags="evaluation",
            ),
            Node(
                draw_explanation,
                ["explanation", "params:about"],
                "explanation_figure",
                name="draw_explanation",
                tags="evaluation",
            ),
            Node(
                describe_reference,
                ["feature_table", "split", "scores", "encoder", "params:dataset"],
                "reference",
                name="describe_reference",
                tags="registration",
            ),
            Node(
                register_model,
                [
                    "artefact",
                    "metrics",
                    "feature_table",
                    "split",
                    "params:dataset",
                    "params:about",
                    "reference",
                    "copies",
                    "params:split",
                    "run_id",
                ],
                "registration",
                name="register_model",
                tags="registration",
            ),
            Node(
                gate_model,
                {
                    "registration": "registration",
                    "metrics": "metrics",
                    "slices": "slices",
                    "scores": "scores",
                    "feature_table": "feature_table",
                    "split": "split",
                    "dataset": "params:dataset",
                    "declared_split": "params:split",
                    "evaluation": "params:evaluation",
                    "gate": "params:gate",
                    "run_id": "run_id",
                },
                "decision",
                name="gate_model",
                tags="registration",
            ),
        ]
    )
    whole = Pipeline(features.create_pipeline(vertical, labelled=True) + stages, namespace=vertical)
    return whole + _columns(vertical, whole) + _report(vertical, whole)


def _columns(vertical: str, whole: Pipeline) -> Pipeline:
    """The table of columns, with the reading records of raw tables."""
    results = ("feature_table", "ingestion_record", "encoder", "feature_report")
    inputs = {name: f"{vertical}.{name}" for name in results}
    inputs |= {name: f"params:{vertical}.{name}" for name in ("dataset", "features")}
    inputs |= {name: name for name in sorted(whole.all_outputs()) if name.endswith(".reading")}
    # With whole names at once, as the report.
    return Pipeline(
        [
            Node(
                describe_columns,
                inputs,
                f"{vertical}.columns",
                name="describe_columns",
                tags="features",
                namespace=vertical,
            )
        ],
    )


def _report(vertical: str, whole: Pipeline) -> Pipeline:
    """The report: results by argument name, and contract and reading of every raw table."""
    results = (
        "ingestion_record",
        "contract_result",
        "columns",
        "feature_report",
        "split",
        "scores",
        "metrics",
        "copies",
        "costs",
        "slices",
        "explanation",
        "history",
        "registration",
        "decision",
        "drift",
    )
    inputs = {"about": f"params:{vertical}.about"} | {name: f"{vertical}.{name}" for name in results}
    tables = {name for name in whole.all_outputs() if name.endswith((".contract_result", ".reading"))}
    tables -= set(inputs.values())
    inputs |= {name: name for name in sorted(tables)}
    # With whole names at once: Kedro warns of the dots of nested namespaces where a node is still outside of
    # its own.
    return Pipeline(
        [
            Node(
                write_report,
                inputs,
                f"{vertical}.report",
                name="write_report",
                tags="reporting",
                namespace=vertical,
            )
        ],
    )


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
