"""Gradient boosting in a graph: the trees of every output, summed in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lepton_pipeline.export.columns import Encoded
from lepton_pipeline.export.ensemble import AT_MOST, MEMBER, Ensemble, Integers, add_ensemble
from lepton_pipeline.features.column_encoders import UNSEEN
from lepton_pipeline.model.boosting.trees import MOST_CODES, Trees
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.system.onnx_graph import Graph, Value


def add_boosting(graph: Graph, encoded: Encoded, names: list[str], boosting: Sequence[Trees]) -> Value:
    """Outputs of the trees, float64 [n, outputs]; `names` are those of `encoded`, numbers before codes."""
    parts = [] if encoded.numbers is None else [graph.cast(encoded.numbers, np.float64)]
    if encoded.codes is not None:
        beyond = graph.node("Less", encoded.codes, graph.constant(np.int64(MOST_CODES)))
        codes = graph.node("Where", beyond, encoded.codes, graph.constant(np.int64(UNSEEN)))
        parts.append(graph.cast(codes, np.float64))
    constant = np.array([[trees.baseline + _of_single_leaves(trees) for trees in boosting]])
    branched = [trees for trees in boosting if len(trees.tree)]
    if not branched:
        rows = graph.node("Mul", graph.columns(parts[0], [0], 2), graph.constant(0.0))
        return graph.node("Add", rows, graph.constant(constant))
    ensemble = as_ensemble(boosting, {name: place for place, name in enumerate(names)})
    sums = add_ensemble(graph, graph.joined(parts), ensemble, len(boosting))
    return graph.node("Add", sums, graph.constant(constant))


def _of_single_leaves(trees: Trees) -> float:
    """What trees without a test add to every row."""
    alone = trees.leaves == 1
    first = np.cumsum(trees.leaves.astype(np.int64)) - trees.leaves
    return float(trees.leaf_values[first[alone]].sum())


def as_ensemble(boosting: Sequence[Trees], places: dict[str, int]) -> Ensemble:
    """The trees of all outputs in one numbering; `places` says where a column of the trees is among the rows."""
    parts = [_one_output(trees, output, places) for output, trees in enumerate(boosting)]
    tests = np.cumsum([0, *(len(part.columns) for part in parts)])
    leaves = np.cumsum([0, *(len(part.leaves) for part in parts)])

    def counted_on(name: str) -> Integers:
        return np.concatenate(
            [
                getattr(part, name) + np.where(getattr(part, f"{name}_leaf") == 1, leaf, test)
                for part, test, leaf in zip(parts, tests[:-1], leaves[:-1], strict=True)
            ]
        )

    def joined(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    return Ensemble(
        roots=np.concatenate([part.roots + test for part, test in zip(parts, tests[:-1], strict=True)]),
        columns=joined("columns"),
        modes=joined("modes"),
        splits=joined("splits"),
        then=counted_on("then"),
        then_leaf=joined("then_leaf"),
        otherwise=counted_on("otherwise"),
        otherwise_leaf=joined("otherwise_leaf"),
        leaves=joined("leaves"),
        targets=joined("targets"),
        members=joined("members"),
    )


def _one_output(trees: Trees, output: int, places: dict[str, int]) -> Ensemble:
    """Tests stand tree after tree, each followed by those on its left side, then by those on its right."""
    count, tree = len(trees.tree), trees.tree.astype(np.int64)
    first, end = trees.first.astype(np.int64), trees.end.astype(np.int64)
    last = _ends(trees)
    on_left, on_right = end - first, last - end
    leaves = trees.leaves.astype(np.int64)
    offset = (np.cumsum(leaves) - leaves)[tree]
    at = np.arange(count)
    then = np.where(on_left == 1, offset + first, at + 1)
    otherwise = np.where(on_right == 1, offset + end, at + on_left)
    modes, splits = np.full(count, AT_MOST), trees.threshold.astype(np.float64)
    then_leaf, otherwise_leaf = (on_left == 1).astype(np.int64), (on_right == 1).astype(np.int64)
    members = []
    for place in np.flatnonzero(trees.codes >= 0):
        inside, swapped = _smaller_set(trees.left_codes[trees.codes[place]])
        if swapped:
            then[place], otherwise[place] = otherwise[place], then[place]
            then_leaf[place], otherwise_leaf[place] = otherwise_leaf[place], then_leaf[place]
        if len(inside):
            modes[place] = MEMBER
            members += [*inside.tolist(), np.nan]
        else:
            # No code is below 0.
            splits[place] = -1.0
    return Ensemble(
        roots=np.unique(tree, return_index=True)[1],
        columns=np.array([places[name] for name in trees.columns], dtype=np.int64)[trees.column],
        modes=modes,
        splits=splits,
        then=then,
        then_leaf=then_leaf,
        otherwise=otherwise,
        otherwise_leaf=otherwise_leaf,
        leaves=trees.leaf_values,
        targets=np.full(len(trees.leaf_values), output),
        members=np.array(members, dtype=np.float64),
    )


def _ends(trees: Trees) -> Integers:
    """One past the last leaf below each test."""
    ends = np.zeros(len(trees.tree), dtype=np.int64)
    first, left = trees.first.tolist(), trees.end.tolist()
    leaves, before = trees.leaves.tolist(), -1
    for place, tree in enumerate(trees.tree.tolist()):
        if tree != before:
            ends[place], before = leaves[tree], tree
        size = left[place] - first[place]
        if size > 1:
            ends[place + 1] = left[place]
        if ends[place] - left[place] > 1:
            ends[place + size] = ends[place]
    return ends


def _smaller_set(bits: npt.NDArray[np.uint8]) -> tuple[Floats, bool]:
    """The codes that go left, or if these are fewer those that go right, and whether it is the latter."""
    left = np.unpackbits(bits, bitorder="little")[:MOST_CODES]
    swapped = bool(left.sum() > MOST_CODES // 2)
    return np.flatnonzero(left != swapped).astype(np.float64), swapped
