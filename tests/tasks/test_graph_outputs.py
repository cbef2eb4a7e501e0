"""Decisions and intervals in a graph are those of the tasks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lepton_pipeline.export.parity import run_file
from lepton_pipeline.parameters import ClassCosts, ErrorCosts
from lepton_pipeline.statistics.conformal import Conformal
from lepton_pipeline.system.onnx_graph import Graph
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.graph_outputs import add_outputs
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

for _name in ("onnx", "onnxruntime"):
    pytest.importorskip(_name, reason="it is not installed: pip install '.[onnx]'")
CLASSES = ["a", "A", "ü b"]


def by_file(task, outputs, threshold=None):
    graph = Graph()
    columns = [graph.input(f"x{place}", np.float64) for place in range(outputs.shape[1])]
    add_outputs(graph, graph.joined(columns), task, threshold, None)
    feed = {f"x{place}": column[:, None] for place, column in enumerate(outputs.T)}
    return run_file(graph.model({}).SerializeToString(), feed)


def drawn(outputs, n=300):
    return np.random.default_rng(0).normal(scale=2, size=(n, outputs))


@pytest.mark.parametrize("threshold", [None, 0.3])
def test_two_classes_are_decided_by_the_threshold(threshold):
    outputs = drawn(1)
    found = by_file(Binary(), outputs, threshold)
    scores = Binary().from_outputs(outputs[:, 0])
    np.testing.assert_allclose(found["probability"][:, 0], scores, atol=1e-15)
    assert found["decision"][:, 0].tolist() == (scores >= (threshold or 0.5)).tolist()


@pytest.mark.parametrize(
    "task",
    [
        Multiclass(CLASSES),
        Multiclass(CLASSES, ClassCosts(matrix={"a": {"A": 4.0}, "ü b": {"a": 0.5}})),
        Multiclass(CLASSES, ClassCosts(hand_over=0.3)),
        replace(Multiclass(CLASSES, ClassCosts(hand_over=0.3)), answered_from=0.6),
    ],
    ids=["likeliest", "least cost", "handed over", "handed over from"],
)
def test_several_classes_are_decided_as_declared(task):
    outputs = drawn(3)
    found = by_file(task, outputs)
    scores = task.from_outputs(outputs)
    np.testing.assert_allclose(found["probabilities"], scores, atol=1e-14)
    decided = list(task.predictions(scores, None)["decision"])
    assert found["decision"][:, 0].tolist() == decided
    assert len(set(decided)) == 3 + (task.costs is not None and task.costs.hand_over is not None)


@pytest.mark.parametrize("transform", [None, "log"])
@pytest.mark.parametrize("quantiles", [False, True])
def test_numbers_have_their_interval_and_decision(transform, quantiles):
    task = Regression(
        transform,
        quantiles=quantiles,
        centre=1.5,
        spread=0.4,
        # Some of the ends cross.
        conformal=Conformal(-0.5, 0.1),
        costs=ErrorCosts(under=3, over=1),
        decided=0.7,
    )
    outputs = drawn(3 if quantiles else 1)
    found = by_file(task, outputs)
    scores = task.from_outputs(outputs if quantiles else outputs[:, 0])
    wanted = task.predictions(scores, None)
    assert list(found) == list(wanted)
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name][:, 0], values, rtol=1e-12)


def test_a_number_without_an_interval_is_a_prediction():
    assert list(by_file(Regression(), drawn(1))) == ["prediction"]
