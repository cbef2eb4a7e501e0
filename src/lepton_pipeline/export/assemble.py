"""The whole model as one ONNX graph: from derived columns to scores and decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lepton_pipeline.export.boosting import add_boosting
from lepton_pipeline.export.columns import Encoded, encode_categories, encode_numbers
from lepton_pipeline.export.networks import add_networks
from lepton_pipeline.export.refusals import exportable_task
from lepton_pipeline.features.column_encoders import CategoricalColumn, NumericColumn
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.predictor import Predictor
from lepton_pipeline.system.onnx_graph import Graph, Value
from lepton_pipeline.tasks.graph_outputs import add_outputs, combine_networks

if TYPE_CHECKING:
    from onnx import ModelProto


def assemble_graph(artefact: Artefact, metadata: Mapping[str, str]) -> ModelProto:
    """Build the graph of a model; see docs/export.md for its inputs and outputs.

    Raises ConfigurationError where a part of the model cannot be in it, see `exportable_task`.
    """
    task, predictor, graph = exportable_task(artefact), artefact.predictor, Graph()
    network = predictor.network
    columns = artefact.encoder.columns
    numeric = [column for column in columns if isinstance(column, NumericColumn)]
    categorical = [column for column in columns if isinstance(column, CategoricalColumn)]
    encoded = Encoded(
        encode_numbers(graph, numeric, network.numeric),
        encode_categories(graph, categorical, network.categorical),
    )
    outputs = add_networks(graph, encoded, network.training.model, network.fitted_shape, network.weights)
    boosting = None
    if predictor.boosting:
        names = [*network.numeric, *network.categorical]
        boosting = add_boosting(graph, encoded, names, predictor.boosting)
    blended = _blended(graph, combine_networks(graph, outputs, task), boosting, predictor)
    scale = artefact.scale
    if scale is not None and scale not in artefact.encoder.inputs:
        scale = graph.input(scale, np.float64)
    add_outputs(graph, blended, task, artefact.threshold, scale)
    return graph.model(metadata)


def _blended(graph: Graph, network: Value, boosting: Value | None, predictor: Predictor) -> Value:
    """Weighted and calibrated outputs, float64 [n, outputs]."""
    mean = network
    if boosting is not None:
        weight = predictor.boosting_weight
        own = graph.node("Mul", network, graph.constant(1 - weight))
        mean = graph.node("Add", own, graph.node("Mul", boosting, graph.constant(weight)))
    calibration = predictor.calibration
    steeper = graph.node("Mul", mean, graph.constant(calibration.slope))
    return graph.node("Add", steeper, graph.constant(calibration.intercept))
