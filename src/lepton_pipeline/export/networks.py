"""Networks in a graph: the layers of `model.networks` with their trained weights, in float32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lepton_pipeline.export.columns import Encoded
from lepton_pipeline.features.column_encoders import UNSEEN
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.system.onnx_graph import Graph, Value

Weights = Mapping[str, npt.NDArray[Any]]


def add_networks(graph: Graph, encoded: Encoded, model: str, shape: Shape, weights: Weights) -> Value:
    """Outputs of every network and member for encoded rows, float32 [networks, members, n, outputs].

    `model` is a name of `parameters.MODELS`, `weights` the parameters of its module, networks first.
    """
    codes = _known_codes(graph, encoded.codes, shape)
    if model == "default":
        return _members(graph, encoded.numbers, codes, shape, weights)
    numbers = encoded.numbers
    if model == "linear":
        terms = [] if numbers is None else [_product(graph, numbers, weights["weight"])]
        if codes is not None:
            own = graph.node(
                "ReduceSum", _embedded(graph, codes, shape, weights), graph.constant([2]), keepdims=0
            )
            terms.append(own)
        return _member(graph, _sum(graph, [*terms, graph.constant(weights["bias"])]))
    first, width = weights["weights.0"], shape.numeric
    terms = [] if numbers is None else [_product(graph, numbers, first[:, :width])]
    if codes is not None:
        flat = _flat(graph, _embedded(graph, codes, shape, weights), first.shape[1] - width)
        terms.append(_product(graph, flat, first[:, width:]))
    units = _sum(graph, [*terms, graph.constant(weights["biases.0"])])
    for layer in range(1, shape.layers + 1):
        units = _product(graph, graph.node("Relu", units), weights[f"weights.{layer}"])
        units = graph.node("Add", units, graph.constant(weights[f"biases.{layer}"]))
    return _member(graph, units)


def _members(
    graph: Graph, numbers: Value | None, codes: Value | None, shape: Shape, weights: Weights
) -> Value:
    """See `model.networks.members.Members`."""
    embedded = [] if numbers is None else [_piecewise(graph, numbers, shape, weights)]
    if codes is not None:
        embedded.append(_embedded(graph, codes, shape, weights))
    inputs = embedded[0] if len(embedded) == 1 else graph.node("Concat", *embedded, axis=2)
    # [networks, inputs, members] and [networks, inputs, width] as [networks, members, inputs, width].
    scales, first = weights["scales"], weights["first_weight"]
    units = graph.node("Unsqueeze", _flat(graph, inputs, first.shape[1]), graph.constant([1]))
    scaled = scales.transpose(0, 2, 1)[..., None] * first[:, None]
    units = _product(graph, units, scaled)
    units = graph.node("Relu", graph.node("Add", units, graph.constant(weights["first_bias"][:, None])))
    for layer in range(shape.layers - 1):
        units = _product(graph, units, weights[f"weights.{layer}"][:, None])
        bias = graph.constant(weights[f"biases.{layer}"][:, None])
        units = graph.node("Relu", graph.node("Add", units, bias))
    # [networks, outputs, members, width] as [networks, members, width, outputs].
    outputs = _product(graph, units, weights["output_weight"].transpose(0, 2, 3, 1))
    offset = weights["output_bias"].transpose(0, 2, 1)[:, :, None]
    return graph.node("Add", outputs, graph.constant(offset))


def _piecewise(graph: Graph, numbers: Value, shape: Shape, weights: Weights) -> Value:
    """Embed numbers [n, columns] as [networks, n, columns, size]; see `PiecewiseLinear`."""
    weight, bias = weights["numbers.weight"], weights["numbers.bias"]
    networks, columns, _, size = weight.shape
    value = graph.node("Unsqueeze", graph.node("Transpose", numbers, perm=[1, 0]), graph.constant([2]))
    above = graph.node("Sub", value, graph.constant(weights["numbers.lower"]))
    ramps = graph.node("Mul", above, graph.constant(weights["numbers.slopes"]))
    zero, one = graph.constant(np.float32(0)), graph.constant(np.float32(1))
    pieces = graph.node("Concat", value, graph.node("Clip", ramps, zero, one), axis=2)
    # One product a column serves all networks.
    beside = weight.transpose(1, 2, 0, 3).reshape(columns, 1 + shape.bins, networks * size)
    offsets = bias.transpose(1, 2, 0, 3).reshape(columns, 1, networks * size)
    embedded = graph.node("Add", _product(graph, pieces, beside), graph.constant(offsets))
    apart = graph.node("Reshape", embedded, graph.constant([columns, 0, networks, size]))
    return graph.node("Transpose", apart, perm=[2, 1, 0, 3])


def _embedded(graph: Graph, codes: Value, shape: Shape, weights: Weights) -> Value:
    """Look up codes [n, columns] as [networks, n, columns, size]; see `CategoryTable`."""
    starts = np.cumsum([0, *shape.category_levels])[:-1]
    rows = graph.node("Add", codes, graph.constant(starts.astype(np.int64)))
    return graph.node("Gather", graph.constant(weights["categories.weight"]), rows, axis=1)


def _known_codes(graph: Graph, codes: Value | None, shape: Shape) -> Value | None:
    """Codes that the networks have a row for; others count as unseen."""
    if codes is None:
        return None
    levels = graph.constant(np.array(shape.category_levels, dtype=np.int64))
    return graph.node("Where", graph.node("Less", codes, levels), codes, graph.constant(np.int64(UNSEEN)))


def _flat(graph: Graph, embedded: Value, width: int) -> Value:
    """[networks, n, columns, size] as [networks, n, width], also of no rows."""
    return graph.node("Reshape", embedded, graph.constant([0, 0, width]))


def _member(graph: Graph, outputs: Value) -> Value:
    """Outputs [networks, n, outputs] of networks with one member."""
    return graph.node("Unsqueeze", outputs, graph.constant([1]))


def _product(graph: Graph, values: Value, weight: npt.NDArray[Any]) -> Value:
    return graph.node("MatMul", values, graph.constant(weight))


def _sum(graph: Graph, terms: list[Value]) -> Value:
    total = terms[0]
    for term in terms[1:]:
        total = graph.node("Add", total, term)
    return total
