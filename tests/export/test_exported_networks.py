"""Layers in a graph give what torch gives, for every architecture and with columns of one kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from exported import require_onnx

from lepton_pipeline.export.columns import Encoded
from lepton_pipeline.export.networks import add_networks
from lepton_pipeline.export.parity import run_file
from lepton_pipeline.model.networks.network import find_architecture
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.system.onnx_graph import Graph

require_onnx()
SHAPE = Shape(
    numeric=3,
    category_levels=(4, 6),
    members=3,
    bins=5,
    embedding=2,
    layers=3,
    width=8,
    dropout=0.0,
    outputs=2,
)


@pytest.mark.parametrize("model", ["default", "mlp", "linear"])
@pytest.mark.parametrize(
    "shape",
    [
        SHAPE,
        replace(SHAPE, numeric=0),
        replace(SHAPE, category_levels=()),
        replace(SHAPE, outputs=1, layers=1),
    ],
    ids=["both", "categories", "numbers", "one output"],
)
def test_outputs_are_those_of_the_module(model, shape):
    torch.manual_seed(0)
    network = find_architecture(model)(shape, 2).eval()
    numbers = torch.randn(40, shape.numeric)
    network.fit_inputs(numbers)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_()
    # The last are beyond the levels of the networks.
    codes = torch.randint(0, 9, (40, len(shape.category_levels)))
    known = torch.where(codes < torch.tensor(shape.category_levels), codes, 1)
    wanted = network(numbers.expand(2, -1, -1), known.int().expand(2, -1, -1)).detach().numpy()
    graph, feed = Graph(), {}
    for name, values, dtype in (("x", numbers, np.float32), ("c", codes, np.int64)):
        for place, column in enumerate(values.numpy().T):
            feed[graph.input(f"{name}{place}", dtype)] = column.astype(dtype)[:, None]
    joined = {kind: [name for name in feed if name[0] == kind] for kind in "xc"}
    encoded = Encoded(*(graph.joined(names) if names else None for names in joined.values()))
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    found = add_networks(graph, encoded, model, shape, weights)
    flat = graph.node("Reshape", graph.node("Transpose", found, perm=[2, 0, 1, 3]), graph.constant([0, -1]))
    graph.output("y", flat, np.float32, wanted[:, 0].size)
    y = run_file(graph.model({}).SerializeToString(), feed)["y"]
    np.testing.assert_allclose(y, wanted.transpose(1, 0, 2, 3).reshape(40, -1), rtol=1e-4, atol=1e-4)
