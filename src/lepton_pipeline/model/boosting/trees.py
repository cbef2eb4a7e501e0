"""Fitted HistGradientBoosting as plain arrays, without scikit-learn or pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.features.column_encoders import UNSEEN
from lepton_pipeline.statistics.losses import Floats

if TYPE_CHECKING:
    from lepton_pipeline.statistics.boosting import Boosting

# HistGradientBoosting takes at most 255 categories a column.
MOST_CODES = 255
# One bit a leaf in the widest integer there is.
MOST_LEAVES = 64
# Numbers taken out of a frame at once, and bytes of a step of the lookup: those stay in a core's cache.
CELLS, STEP_BYTES = 1 << 20, 1 << 22
# Trees whose leaves share one row of the lookup. Many columns want few: most columns are then absent from a
# block. To find a row costs as much as to read this many of its words.
BLOCKS, WORDS_OF_A_READ = (16, 32, 64, 128, 256), 64

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Trees:
    """A sum of binary trees over encoded rows, which gives one output, such as a logit.

    Leaves are numbered from left to right, so a split is its test and the leaves on its left side. A row that
    fails the test of a number (`<=`) or a code goes right.
    """

    columns: list[str]  # the encoded columns, in the order of `column`
    baseline: float
    leaves: Array  # number of leaves of each tree, uint8 [trees]
    leaf_values: Array  # tree after tree, float64 [all leaves]
    tree: Array  # tree of each split, int32 [splits]
    column: Array  # column that it tests, int32 [splits]
    threshold: Array  # largest number that goes left, float32 [splits]; 0 for a test of codes
    first: Array  # first leaf on its left side, uint8 [splits]
    end: Array  # one past the last leaf on its left side, uint8 [splits]
    missing_left: Array  # 1 where a missing number goes left, uint8 [splits]
    codes: Array  # its row in `left_codes`, int32 [splits]; -1 for a test of numbers
    left_codes: Array  # one bit a code, 1 goes left, uint8 [splits of codes, 32]; lowest bit first

    @classmethod
    def average(cls, models: Sequence[tuple[Boosting, int]], output: int = 0) -> Trees:
        """Average an output of models on the same `folded` columns, each with its number of valid iterations."""
        parts, before = [], np.zeros(2, dtype=np.int32)
        for model, count in models:
            part = _read(model, count, output)
            part["leaf_values"] = part["leaf_values"] / len(models)
            part["tree"] = part["tree"] + before[0]
            part["codes"] = np.where(part["codes"] < 0, -1, part["codes"] + before[1]).astype(np.int32)
            before += np.array([len(part["leaves"]), len(part["left_codes"])], dtype=np.int32)
            parts.append(part)
        baseline = sum(float(model._baseline_prediction[0, output]) for model, _ in models) / len(models)
        columns = [str(name) for name in models[0][0].feature_names_in_]
        arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return cls(columns, baseline, **arrays)

    def outputs(self, features: pd.DataFrame) -> Floats:
        """Sum the trees for encoded rows, columns in any order, float64 [rows]; a row's bits are its own."""
        ordered = features if list(features.columns) == self.columns else features[self.columns]
        rows = max(1, CELLS // len(self.columns))
        parts = [np.empty(0)]
        for start in range(0, len(ordered), rows):
            cells = ordered.iloc[start : start + rows] if len(ordered) > rows else ordered
            parts.append(self._lookup.sums(cells.to_numpy(np.float32)))
        return np.concatenate(parts) + self.baseline

    def arrays(self) -> dict[str, Array]:
        """Everything except `columns`, as arrays of plain numbers."""
        names = [field.name for field in fields(self) if field.name != "columns"]
        return {name: np.asarray(getattr(self, name)) for name in names}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], columns: Sequence[str]) -> Trees:
        """Restore the result of `arrays`; the outputs have the same bits."""
        named = {name: array for name, array in arrays.items() if name != "baseline"}
        return cls(list(columns), float(arrays["baseline"]), **named)

    @cached_property
    def _lookup(self) -> _Lookup:
        return _Lookup(self)


def _read(model: Boosting, count: int, output: int) -> dict[str, Array]:
    """Fields of `Trees`, except columns and baseline, of one output's trees of the first `count` iterations."""
    predictors = [trees[output] for trees in model._predictors[:count]]
    nodes = np.concatenate([predictor.nodes for predictor in predictors])
    sizes = np.array([len(predictor.nodes) for predictor in predictors])
    leaf = nodes["is_leaf"].astype(bool)
    tree = np.repeat(np.arange(count, dtype=np.int32), sizes)
    start = (np.cumsum(sizes) - sizes)[tree][~leaf]
    # Nodes lie in the order of a walk that goes left first, and so do leaves.
    leaves_before = np.cumsum(leaf) - leaf
    split, tree_of_split, first_leaf = nodes[~leaf], tree[~leaf], leaves_before[start]
    columns, known = _columns_in_model(model)
    numbers = split["is_categorical"] == 0
    rows_of_codes = np.where(numbers, -1, np.cumsum(~numbers) - 1)
    bitsets = [predictor.raw_left_cat_bitsets for predictor in predictors]
    return {
        "leaves": np.bincount(tree[leaf], minlength=count).astype(np.uint8),
        "leaf_values": nodes["value"][leaf],
        "tree": tree_of_split,
        "column": columns[split["feature_idx"]].astype(np.int32),
        "threshold": np.where(numbers, _rounded_down(split["num_threshold"]), np.float32(0)),
        "first": (leaves_before[start + split["left"]] - first_leaf).astype(np.uint8),
        "end": (leaves_before[start + split["right"]] - first_leaf).astype(np.uint8),
        "missing_left": split["missing_go_to_left"],
        "codes": rows_of_codes.astype(np.int32),
        "left_codes": _left_codes(split[~numbers], tree_of_split[~numbers], bitsets, known),
    }


def _columns_in_model(model: Boosting) -> tuple[Array, list[Array]]:
    """Positions of the model's columns in its training frame, codes first, and the known codes of those."""
    if model.is_categorical_ is None:
        return np.arange(model.n_features_in_), []
    encoder = model._preprocessor.named_transformers_["encoder"]
    columns = np.concatenate([np.flatnonzero(model.is_categorical_), np.flatnonzero(~model.is_categorical_)])
    return columns, [known.astype(np.intp) for known in encoder.categories_]


def _left_codes(split: Array, tree: Array, bitsets: list[Array], known: list[Array]) -> Array:
    """Bit of each of 256 codes: whether it goes left. Unknown codes go where missing ones do."""
    sizes = np.array([len(rows) for rows in bitsets])
    rows = np.concatenate(bitsets)[(np.cumsum(sizes) - sizes)[tree] + split["bitset_idx"]]
    seen = np.unpackbits(rows.astype("<u4").view(np.uint8).reshape(-1, 32), axis=1, bitorder="little")
    left = np.repeat(split["missing_go_to_left"][:, None], 256, axis=1)
    for place, codes in enumerate(known):
        at = np.flatnonzero(split["feature_idx"] == place)
        left[np.ix_(at, codes)] = seen[at, : len(codes)]
    return np.packbits(left, axis=1, bitorder="little")


def _rounded_down(numbers: Floats) -> npt.NDArray[np.float32]:
    """The largest float32 not above each number: every float32 compares with both alike."""
    with np.errstate(over="ignore"):
        near = numbers.astype(np.float32)
    return np.where(near > numbers, np.nextafter(near, np.float32(-np.inf)), near)


class _Lookup:
    """Trees arranged so that a few table rows per block of trees find a row's leaves, without a walk.

    After C. Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of
    regression trees", SIGIR 2015: every split that sends a row right rules out the leaves on its left; the
    row is in the leftmost leaf that is left. Here the splits of one column in a block of trees are merged:
    the interval between thresholds, or the code, gives the remaining leaves of all trees of the block.
    """

    def __init__(self, trees: Trees, block: int | None = None) -> None:
        count, most = len(trees.leaves), int(trees.leaves.max(initial=1))
        if most > MOST_LEAVES:
            raise ValueError(f"a tree has {most} leaves; at most {MOST_LEAVES} can be looked up.")
        self.word = np.dtype(next(f"u{bits // 8}" for bits in (16, 32, 64) if most <= bits))
        self.used = [_Bins.of(trees, column) for column in np.unique(trees.column)]
        self.block = block or _best_block(trees)
        self._arrange(trees, -(-count // self.block))
        padded = np.zeros((self.slots.shape[1] * self.block, most))
        leaves = trees.leaves.astype(np.intp)
        tree, before = np.repeat(np.arange(count), leaves), np.cumsum(leaves) - leaves
        padded[tree, np.arange(len(tree)) - before[tree]] = trees.leaf_values
        self.values, self.first_value = padded.ravel(), np.arange(len(padded)) * most

    def sums(self, cells: npt.NDArray[np.float32]) -> Floats:
        """Sum the trees' values for each row of float32 [rows, columns of the trees]."""
        bins = np.zeros((len(cells), len(self.used) + 1), dtype=np.intp)
        for place, used in enumerate(self.used):
            bins[:, place] = used.bins(cells[:, used.column]) + self.starts[place]
        slots, blocks = self.slots.shape
        step = max(1, STEP_BYTES // max(1, slots * blocks * self.block * self.word.itemsize))
        sums = np.empty(len(cells))
        for start in range(0, len(cells), step):
            sums[start : start + step] = self._sums(bins[start : start + step])
        return sums

    def _sums(self, bins: Array) -> Floats:
        rows = self.position.take(bins[:, self.slots] + self.first_position)
        left = np.bitwise_and.reduce(self.table.take(rows.swapaxes(0, 1), axis=0), axis=0)
        left = left.reshape(len(bins), -1)
        leaf = np.bitwise_count(~left & (left - self.word.type(1)))
        return np.asarray(self.values.take(leaf + self.first_value).sum(axis=1))

    def _arrange(self, trees: Trees, blocks: int) -> None:
        """Fill `table`, and `position`: its row for each block and bin; row 0 rules nothing out."""
        sizes = [used.size for used in self.used]
        self.starts = np.cumsum([1, *sizes])
        self.position = np.zeros((blocks, self.starts[-1]), dtype=np.int32)
        left_leaves = (_low_bits(trees.end, self.word) & ~_low_bits(trees.first, self.word)).astype(self.word)
        slots: list[list[int]] = [[] for _ in range(blocks)]
        table = [np.full((1, self.block), ~self.word.type(0))]
        filled = 1
        for place, used in enumerate(self.used):
            splits = np.flatnonzero(trees.column == used.column)
            block_of_split = trees.tree[splits] // self.block
            for block in np.unique(block_of_split):
                mine = splits[block_of_split == block]
                right = used.goes_right(trees, mine)
                changes = np.append(True, (right[:, 1:] != right[:, :-1]).any(axis=0))
                rows = np.full((self.block, changes.sum()), ~self.word.type(0))
                ruled_out = np.where(right[:, changes], left_leaves[mine, None], self.word.type(0))
                np.bitwise_and.at(rows, trees.tree[mine] % self.block, ~ruled_out)
                bins = slice(self.starts[place], self.starts[place + 1])
                self.position[block, bins] = filled + np.cumsum(changes) - 1
                slots[block].append(place)
                table.append(rows.T)
                filled += rows.shape[1]
        self.table = np.ascontiguousarray(np.concatenate(table))
        longest = max((len(places) for places in slots), default=0)
        # The last column of the bins is 0, whose position is row 0 of the table.
        padded = [places + [len(self.used)] * (longest - len(places)) for places in slots]
        self.slots = np.array(padded, dtype=np.intp).reshape(blocks, longest).T
        self.first_position = np.arange(blocks) * self.position.shape[1]


@dataclass(frozen=True)
class _Bins:
    """Numbered intervals or codes of one column that its splits distinguish."""

    column: int
    thresholds: npt.NDArray[np.float32]  # ascending, infinity last; the bin after it is for missing numbers
    codes: int  # number of distinguished codes, the highest for all above it; 0 for numbers

    @classmethod
    def of(cls, trees: Trees, column: int) -> _Bins:
        splits = trees.column == column
        rows = trees.codes[splits]
        thresholds = np.append(np.unique(trees.threshold[splits]), np.float32(np.inf))
        if rows.max() < 0:
            return cls(int(column), thresholds, 0)
        left = np.unpackbits(trees.left_codes[rows], axis=1, bitorder="little")
        told_apart = np.flatnonzero((left != left[:, -1:]).any(axis=0))
        return cls(int(column), thresholds, int(told_apart.max(initial=0)) + 2)

    @property
    def size(self) -> int:
        return self.codes or len(self.thresholds) + 1

    def bins(self, values: npt.NDArray[np.float32]) -> Array:
        if not self.codes:
            return self.thresholds.searchsorted(values)
        codes = np.where(values < MOST_CODES, values, UNSEEN).astype(np.intp)
        return np.minimum(codes, self.codes - 1)

    def goes_right(self, trees: Trees, splits: Array) -> npt.NDArray[np.bool_]:
        """[splits, bins]."""
        if self.codes:
            left = np.unpackbits(trees.left_codes[trees.codes[splits]], axis=1, bitorder="little")
            return np.equal(left[:, : self.codes], 0)
        rank = self.thresholds.searchsorted(trees.threshold[splits])
        right = np.arange(self.size) > rank[:, None]
        right[:, -1] = trees.missing_left[splits] == 0
        return right


def _best_block(trees: Trees) -> int:
    """Trees per block that minimise the memory traffic of the lookup."""
    if not len(trees.tree):
        return BLOCKS[0]

    def cost(block: int) -> int:
        pairs = np.unique(np.stack([trees.tree // block, trees.column]), axis=1)
        slots = np.bincount(pairs[0])
        return int(slots.max()) * len(slots) * (block + WORDS_OF_A_READ)

    return min(BLOCKS, key=cost)


def _low_bits(count: Array, word: np.dtype[Any]) -> Array:
    """Words with the lowest `count` bits set."""
    one = word.type(1)
    return np.asarray((one << count.astype(word)) - one)
