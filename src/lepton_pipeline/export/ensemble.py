"""Trees as the operator `TreeEnsemble`, which sums the leaf of every tree, in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.system.onnx_graph import TREES, Graph, Value

# Modes of a test in ai.onnx.ml 5.
AT_MOST, BELOW, MEMBER = 0, 1, 6
_SUM, _AS_IT_IS = 1, 0

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ensemble:
    """Tests and leaves of many trees, in one numbering each; where a test holds, a row goes on at `then`."""

    roots: Integers  # test that each tree begins with, [trees]
    columns: Integers  # column that each test reads, [tests]
    modes: Integers  # `AT_MOST`, `BELOW` or `MEMBER`, [tests]
    splits: Floats  # what the column is compared with, [tests]; any number for `MEMBER`
    then: Integers  # the next test, or leaf, [tests]
    then_leaf: Integers  # 1 where `then` is a leaf, [tests]
    otherwise: Integers  # as `then`, [tests]
    otherwise_leaf: Integers
    leaves: Floats  # what each leaf adds, [leaves]
    targets: Integers  # to which of the sums, [leaves]
    members: Floats  # sets of the tests `MEMBER` in their order, NaN after each


def add_ensemble(graph: Graph, rows: Value, ensemble: Ensemble, sums: int) -> Value:
    """Sum the trees for rows of float64 [n, columns]; returns float64 [n, sums]."""
    from onnx import numpy_helper

    sets = {"membership_values": numpy_helper.from_array(ensemble.members)} if len(ensemble.members) else {}
    return graph.node(
        "TreeEnsemble",
        rows,
        domain=TREES,
        aggregate_function=_SUM,
        post_transform=_AS_IT_IS,
        n_targets=sums,
        tree_roots=ensemble.roots.tolist(),
        nodes_featureids=ensemble.columns.tolist(),
        nodes_modes=numpy_helper.from_array(ensemble.modes.astype(np.uint8)),
        nodes_splits=numpy_helper.from_array(ensemble.splits),
        nodes_truenodeids=ensemble.then.tolist(),
        nodes_trueleafs=ensemble.then_leaf.tolist(),
        nodes_falsenodeids=ensemble.otherwise.tolist(),
        nodes_falseleafs=ensemble.otherwise_leaf.tolist(),
        leaf_weights=numpy_helper.from_array(ensemble.leaves),
        leaf_targetids=ensemble.targets.tolist(),
        **sets,
    )
