"""Trees in a graph: numbers at their thresholds, and codes seen, unseen and beyond the limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from exported import require_onnx
from sklearn.ensemble import HistGradientBoostingClassifier

from lepton_pipeline.export.boosting import add_boosting, as_ensemble
from lepton_pipeline.export.columns import Encoded
from lepton_pipeline.export.parity import run_file
from lepton_pipeline.model.boosting.fit import folded
from lepton_pipeline.model.boosting.trees import Trees
from lepton_pipeline.system.onnx_graph import Graph

require_onnx()
NUMBERS, CODES = ["a", "b"], ["few", "many"]


def rows(n=900, seed=0):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": random.normal(size=n).astype(np.float32),
            "few": random.integers(0, 5, n).astype(np.int32),
            "b": random.normal(size=n).astype(np.float32).round(1),
            "many": random.integers(0, 400, n).astype(np.int32),
        }
    )


@pytest.fixture(scope="module")
def trees():
    """Trees of three outputs."""
    table = rows()
    score = table["a"] * (table["few"] == 2) + table["b"] + (table["many"] % 3 == 0)
    labels = pd.cut(score, [-np.inf, 0, 1, np.inf], labels=False)
    model = HistGradientBoostingClassifier(
        max_iter=12, max_leaf_nodes=15, min_samples_leaf=5, categorical_features=CODES, early_stopping=False
    ).fit(folded(table), labels)
    return [Trees.average([(model, 12)], output) for output in range(3)]


def by_file(trees, table):
    graph = Graph()
    inputs = {name: graph.input(name, np.float32 if name in NUMBERS else np.int64) for name in table}
    encoded = Encoded(
        graph.joined([inputs[name] for name in NUMBERS]), graph.joined([inputs[name] for name in CODES])
    )
    graph.output("sums", add_boosting(graph, encoded, [*NUMBERS, *CODES], trees), np.float64, len(trees))
    feed = {
        name: table[name].to_numpy(np.float32 if name in NUMBERS else np.int64)[:, None] for name in table
    }
    return run_file(graph.model({}).SerializeToString(), feed)["sums"]


def test_sums_are_those_of_the_trees(trees):
    unseen = rows(seed=1).assign(few=np.int32(77), many=np.arange(900, dtype=np.int32))
    edges = np.concatenate([each.threshold[each.codes < 0] for each in trees])
    beside = np.resize(np.concatenate([edges, np.nextafter(edges, np.float32(np.inf))]), 900)
    for table in (rows(seed=1), unseen, rows(seed=2).assign(a=beside, b=beside)):
        wanted = np.column_stack([each.outputs(table) for each in trees])
        np.testing.assert_allclose(by_file(trees, table), wanted, rtol=0, atol=1e-13)


def test_trees_of_one_leaf_are_added_to_every_row(trees):
    first = trees[0]
    stump = replace(
        first,
        leaves=np.append(first.leaves, np.uint8(1)),
        leaf_values=np.append(first.leaf_values, 0.25),
    )
    table = rows(seed=3)
    np.testing.assert_allclose(by_file([stump], table)[:, 0], first.outputs(table) + 0.25, atol=1e-13)
    nothing = {name: getattr(first, name)[:0] for name in ("tree", "column", "threshold", "first", "end")}
    nothing |= {name: getattr(first, name)[:0] for name in ("missing_left", "codes", "left_codes")}
    alone = replace(first, leaves=np.ones(2, np.uint8), leaf_values=np.array([0.5, 0.25]), **nothing)
    np.testing.assert_allclose(by_file([alone], table)[:, 0], first.baseline + 0.75, atol=1e-13)


def test_a_set_is_told_by_its_smaller_side(trees):
    ensemble = as_ensemble(trees, {name: place for place, name in enumerate([*NUMBERS, *CODES])})
    sizes = np.diff(np.flatnonzero(np.isnan(np.append(np.nan, ensemble.members)))) - 1
    assert len(sizes) == (ensemble.modes == 6).sum() > 0
    assert 0 < sizes.max() <= 127


def test_runtimes_that_sum_other_leaves_refuse_the_file():
    """Up to onnxruntime 1.23, trees that mix numbers and sets give wrong sums; that one knows opsets up to 23."""
    graph = Graph()
    graph.output("y", graph.input("x", np.float64), np.float64)
    assert graph.model({}).opset_import[0].version >= 24
