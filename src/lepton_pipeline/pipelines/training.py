"""From a vertical's raw table to a registered model and the gate's decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.data.copies import find_copies
from lepton_pipeline.data.fingerprint import identify_test_rows
from lepton_pipeline.evaluation.alert_budget import measure_alerts
from lepton_pipeline.evaluation.copies import measure_copies
from lepton_pipeline.evaluation.costs import measure_costs
from lepton_pipeline.evaluation.distributions import describe_distributions
from lepton_pipeline.evaluation.doubts import find_doubts
from lepton_pipeline.evaluation.drift import measure_drift
from lepton_pipeline.evaluation.explanation import explain_model
from lepton_pipeline.evaluation.forecasts import measure_forecasts
from lepton_pipeline.evaluation.metrics import evaluate, score_outside, score_rows
from lepton_pipeline.evaluation.orders import Orders, measure_orders
from lepton_pipeline.evaluation.outcomes import price_outcomes
from lepton_pipeline.evaluation.paired import keep_resamples
from lepton_pipeline.evaluation.ranking import measure_ranking
from lepton_pipeline.evaluation.resampling import find_units
from lepton_pipeline.evaluation.robustness import measure_robustness
from lepton_pipeline.evaluation.scope import judge_scope
from lepton_pipeline.evaluation.slices import measure_slices, slice_rows
from lepton_pipeline.evaluation.texts import describe_texts
from lepton_pipeline.features.columns import describe_columns
from lepton_pipeline.features.encode import Encoder, encode_rows
from lepton_pipeline.features.leaks import check_features
from lepton_pipeline.model.artefact import Artefact, assemble_artefact
from lepton_pipeline.model.baseline import score_baselines, score_in_use
from lepton_pipeline.model.networks.shape import Epoch
from lepton_pipeline.model.predictor import Predictor
from lepton_pipeline.model.predictor import train_model as fit_predictor
from lepton_pipeline.operations.monitoring.reference import describe_reference
from lepton_pipeline.parameters import Dataset, Features, Ingestion, Training
from lepton_pipeline.pipelines import features
from lepton_pipeline.pipelines.features import stages
from lepton_pipeline.recommendation.recommender import fit_recommender
from lepton_pipeline.registry.gate import gate_model
from lepton_pipeline.registry.publish import register_model
from lepton_pipeline.reporting.pages.forecasts import write_forecasts
from lepton_pipeline.reporting.pictures.curves import draw_explanation
from lepton_pipeline.reporting.pictures.figures import draw_figures
from lepton_pipeline.reporting.report.write import write_report
from lepton_pipeline.scoring.forecast import forecast_next
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tasks.find import Target, find_target
from lepton_pipeline.tasks.split import split_rows
from lepton_pipeline.terminal.progress import show_epochs
from lepton_pipeline.tracking.flat import log_epoch


def create_pipeline(vertical: str) -> Pipeline:
    """Training stages of one vertical, in the namespace of its name."""
    made = features.create_pipeline(vertical, labelled=True) + _SPLIT + _FEATURES + _TRAINING + _EVALUATION
    if features.declares_forecast(vertical):
        own, named = _FORECAST, " forecasts orders"
    elif features.recommends(vertical):
        own, named = _RANKING, " ranking"
    else:
        own, named = _ASSEMBLED, ""
    whole = Pipeline(made + own + _REGISTRATION, namespace=vertical)
    read = sorted(name for name in whole.all_outputs() if name.endswith(".reading"))
    tables = sorted(name for name in whole.all_outputs() if name.endswith((".contract_result", ".reading")))
    described = _named_whole(vertical, describe_columns, _DESCRIBED, read, "columns", "features")
    reported = _named_whole(vertical, write_report, _REPORTED + named, tables, "report", "reporting")
    return whole + described + reported


def _named_whole(
    vertical: str, stage: Callable[..., Any], inputs: str, tables: Iterable[str], output: str, tag: str
) -> Pipeline:
    """A node with whole names: Kedro warns of dots of nested namespaces in a node outside of its own."""
    parted = [name.rpartition("params:") for name in inputs.split()]
    named = {name: f"{kind}{vertical}.{name}" for _, kind, name in parted}
    named |= {name: name for name in tables if name not in named.values()}
    output, name = f"{vertical}.{output}", stage.__name__
    return Pipeline([Node(stage, named, output, name=name, tags=tag, namespace=vertical)])


def assemble_forecaster(
    encoder: Encoder,
    model: Predictor,
    metrics: Metrics,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    declared: Features,
    ingestion: Ingestion,
    dataset: Dataset,
    orders: Orders,
) -> Artefact:
    """Assemble as `artefact.assemble_artefact` does, with the rule by which forecasts become orders."""
    whole = assemble_artefact(encoder, model, metrics, feature_table, split, declared, ingestion, dataset)
    return replace(whole, order_rule=orders.rule)


def train_model(
    encoded: pd.DataFrame, split: pd.DataFrame, target: Target, training: Training, run_id: str
) -> tuple[Predictor, pd.DataFrame, pd.DataFrame]:
    """Train as `predictor.train_model` does, with every epoch shown and logged to the run."""
    curves = target.task.curves
    with show_epochs(curves) as show:

        def report(epoch: Epoch) -> None:
            show(epoch)
            measured = epoch.train_loss, epoch.validation_loss, epoch.validation_figure
            log_epoch(run_id, epoch.network, epoch.number, measured, curves)

        return fit_predictor(encoded, split, target, training, report)


_PARTS = "encoder model metrics feature_table split params:features params:ingestion params:dataset"
_SPLIT = stages(
    "split",
    (
        find_target,
        "feature_table params:dataset params:training params:evaluation params:monitoring",
        "target",
    ),
    (split_rows, "feature_table target params:dataset params:split", "split"),
    (find_units, "feature_table split params:dataset", "units"),
    (identify_test_rows, "feature_table split params:features", "test_rows"),
    (
        find_copies,
        "feature_table split target params:dataset params:features params:split",
        "copy_marks copies_found",
    ),
    (price_outcomes, "feature_table split params:evaluation", "outcome_costs"),
    (slice_rows, "feature_table split params:dataset params:evaluation", "slice_labels"),
    (score_in_use, "feature_table split target params:evaluation", "scores_in_use"),
)
_FEATURES = stages(
    "features",
    (
        check_features,
        "feature_table split target params:dataset params:leaks params:features",
        "feature_report",
    ),
    (
        encode_rows,
        "feature_table split target params:dataset feature_report params:leaks params:features params:training",
        "encoder encoded",
    ),
)
_TRAINING = stages(
    "training",
    (train_model, "encoded split target params:training run_id", "model history held_out"),
    (score_baselines, "encoded split target params:training", "baseline_scores"),
    (score_rows, "model encoded split held_out baseline_scores scores_in_use", "scores"),
    (score_outside, "model encoded split", "scores_outside"),
)
_EVALUATION = stages(
    "evaluation",
    (evaluate, "scores target params:evaluation outcome_costs units", "metrics"),
    (keep_resamples, "scores target metrics params:evaluation params:gate units", "resamples"),
    (measure_copies, "copy_marks copies_found scores target metrics params:evaluation units", "copies"),
    (measure_costs, "scores model metrics outcome_costs params:evaluation units scores_outside", "costs"),
    (
        measure_alerts,
        "scores feature_table split outcome_costs params:dataset params:evaluation units",
        "alert_figures",
    ),
    (judge_scope, "model scores scores_outside units", "scope"),
    (
        measure_slices,
        "scores target metrics slice_labels params:dataset params:evaluation units",
        "slices",
    ),
    (draw_figures, "scores target metrics params:about", "figures"),
    (
        find_doubts,
        "feature_table split held_out target metrics params:dataset",
        "doubts doubtful_labels least_certain",
    ),
    (measure_drift, "feature_table split encoder", "drift"),
    (describe_texts, "feature_table split encoder target", "texts"),
    (explain_model, "artefact feature_table split params:evaluation units", "explanation"),
    (
        measure_robustness,
        "artefact explanation feature_table split params:evaluation params:gate units",
        "robustness",
    ),
    (draw_explanation, "explanation target params:about", "explanation_figure"),
    (
        describe_distributions,
        "feature_table split target explanation params:dataset",
        "distributions",
    ),
)
# Of verticals that forecast series.
_FORECAST = stages(
    "evaluation",
    (
        measure_forecasts,
        "scores feature_table params:dataset params:evaluation params:forecast",
        "forecasts",
    ),
    (measure_orders, "scores feature_table params:dataset params:evaluation params:forecast", "orders"),
    (
        assemble_forecaster,
        f"{_PARTS} orders",
        "artefact",
    ),
    (forecast_next, "upcoming_rows artefact params:forecast", "forecast coming_orders"),
    (
        write_forecasts,
        "series_history forecast scores feature_table forecasts orders params:dataset params:forecast params:about "
        "registration",
        "forecast_page",
    ),
)
# Of verticals that rank pairs.
_RANKING = stages(
    "evaluation",
    (
        measure_ranking,
        "interactions feature_table split scores params:recommendation params:dataset params:evaluation",
        "ranking",
    ),
    (fit_recommender, "interactions params:recommendation params:dataset", "recommender"),
    (assemble_artefact, f"{_PARTS} recommender", "artefact"),
)
_ASSEMBLED = stages("registration", (assemble_artefact, _PARTS, "artefact"))
_REGISTRATION = stages(
    "registration",
    (
        describe_reference,
        "feature_table split scores model encoder params:dataset scores_outside",
        "reference",
    ),
    (
        register_model,
        "artefact metrics feature_table split params:dataset params:about reference copies params:split run_id",
        "registration",
    ),
    (
        gate_model,
        "registration target metrics slices robustness alert_figures scores feature_table split params:dataset "
        "params:split params:evaluation params:gate run_id",
        "decision",
    ),
)
_DESCRIBED = "feature_table ingestion_record encoder feature_report params:dataset params:features"
_REPORTED = (
    "params:about ingestion_record contract_result columns feature_report target split scores metrics copies costs "
    "slices explanation texts history registration decision drift doubts scope distributions "
    "robustness alert_figures"
)
