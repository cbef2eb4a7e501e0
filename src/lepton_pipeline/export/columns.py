"""Encode columns in a graph: numbers by quantiles, categories by codes, as `features.column_encoders` does."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lepton_pipeline.export.ensemble import BELOW, Ensemble, Integers, add_ensemble
from lepton_pipeline.features.column_encoders import (
    FIRST_CATEGORY,
    MISSING,
    TRUTH,
    UNSEEN,
    CategoricalColumn,
    NumericColumn,
)
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.system.onnx_graph import TREES, Graph, Value

NO_TEXT = ""  # a missing category


@dataclass(frozen=True)
class Encoded:
    """Encoded columns in the order of the networks; None where there are none of the kind."""

    numbers: Value | None  # float32 [n, numbers]
    codes: Value | None  # int64 [n, codes], as large as the encoder knows categories


def encode_numbers(graph: Graph, columns: Sequence[NumericColumn], wanted: list[str]) -> Value | None:
    """Add the inputs of numbers, and the encoded columns `wanted`, float32 [n, wanted]."""
    if not columns:
        return None
    raw = graph.joined([graph.input(column.name, np.float64) for column in columns])
    missing = graph.node("IsNaN", raw)
    mapped = [at for at, column in enumerate(columns) if len(column.quantiles) > 1]
    marked = [at for at, column in enumerate(columns) if column.indicator]
    parts, names = [], []
    if mapped:
        scores = _interpolated(
            graph, graph.columns(raw, mapped, len(columns)), [columns[at] for at in mapped]
        )
        gone = graph.columns(missing, mapped, len(columns))
        parts.append(graph.cast(graph.node("Where", gone, graph.constant(0.0), scores), np.float32))
        names += [columns[at].name for at in mapped]
    if marked:
        parts.append(graph.cast(graph.columns(missing, marked, len(columns)), np.float32))
        names += [columns[at].indicator_name for at in marked]
    places = {name: place for place, name in enumerate(names)}
    return graph.columns(graph.joined(parts), [places[name] for name in wanted], len(names))


def _interpolated(graph: Graph, raw: Value, columns: Sequence[NumericColumn]) -> Value:
    """`np.interp` of each column, operation by operation, so that the bits are the same: float64 [n, columns]."""
    quantiles = [column.quantiles for column in columns]
    low = graph.constant(np.array([[each[0] for each in quantiles]]))
    high = graph.constant(np.array([[each[-1] for each in quantiles]]))
    # What is missing would have no interval.
    known = graph.node("Where", graph.node("IsNaN", raw), low, raw)
    inside = graph.node("Max", graph.node("Min", known, high), low)
    place = graph.cast(add_ensemble(graph, inside, _intervals(quantiles), len(columns)), np.int64)
    starts, slopes, scores = (
        graph.node("Gather", graph.constant(np.concatenate(table)), place)
        for table in (quantiles, [_slopes(column) for column in columns], [each.scores for each in columns])
    )
    rise = graph.node("Mul", slopes, graph.node("Sub", inside, starts))
    lowest = graph.constant(np.array([[column.scores[0] for column in columns]]))
    highest = graph.constant(np.array([[column.scores[-1] for column in columns]]))
    return graph.node("Max", graph.node("Min", graph.node("Add", rise, scores), highest), lowest)


def _slopes(column: NumericColumn) -> Floats:
    """Rise from each quantile to the next, and none from the last; [k]."""
    with np.errstate(over="ignore"):
        slopes = np.diff(column.scores) / np.diff(column.quantiles)
    # Between quantiles that differ by less than 1e-308 there is no slope, but a step.
    return np.append(np.where(np.isfinite(slopes), slopes, 0.0), 0.0)


def _intervals(quantiles: Sequence[Floats]) -> Ensemble:
    """A search tree for each column, whose leaf is the position of the last quantile not above the number.

    Positions count on from column to column, so that they point into the concatenated quantiles.
    """
    tests: list[tuple[int, float, int, int, int, int]] = []
    roots, leaves, targets = [], [], []

    def leaf(position: int, column: int) -> tuple[int, int]:
        leaves.append(float(position))
        targets.append(column)
        return len(leaves) - 1, 1

    def search(low: int, high: int, column: int, first: int) -> tuple[int, int]:
        """The test, or leaf, that finds a position in [low, high] of a column."""
        if low == high:
            return leaf(first + low, column)
        middle = (low + high + 1) // 2
        at = len(tests)
        tests.append((column, float(quantiles[column][middle]), 0, 0, 0, 0))
        below, above = search(low, middle - 1, column, first), search(middle, high, column, first)
        tests[at] = (*tests[at][:2], *below, *above)
        return at, 0

    first = 0
    for column, each in enumerate(quantiles):
        roots.append(search(0, len(each) - 1, column, first)[0])
        first += len(each)
    read, splits, then, then_leaf, otherwise, otherwise_leaf = (
        np.array(part) for part in zip(*tests, strict=True)
    )
    return Ensemble(
        roots=_integers(roots),
        columns=read,
        modes=np.full(len(tests), BELOW),
        splits=splits,
        then=then,
        then_leaf=then_leaf,
        otherwise=otherwise,
        otherwise_leaf=otherwise_leaf,
        leaves=np.array(leaves),
        targets=_integers(targets),
        members=np.empty(0),
    )


def _integers(numbers: list[int]) -> Integers:
    return np.array(numbers, dtype=np.int64)


def encode_categories(graph: Graph, columns: Sequence[CategoricalColumn], wanted: list[str]) -> Value | None:
    """Add the inputs of categories, and their codes in the order `wanted`, int64 [n, wanted]."""
    if not columns:
        return None
    codes = {}
    for column in columns:
        known = spellings(column)
        codes[column.name] = graph.node(
            "LabelEncoder",
            graph.input(column.name, object),
            domain=TREES,
            keys_strings=list(known),
            values_int64s=list(known.values()),
            default_int64=UNSEEN,
        )
    return graph.joined([codes[name] for name in wanted])


def spellings(column: CategoricalColumn) -> dict[str, int]:
    """Code of every text that is known: categories, composed and decomposed, truth values, and the missing one."""
    known = {NO_TEXT: MISSING}
    for code, category in enumerate(column.categories, start=FIRST_CATEGORY):
        for form in ("NFC", "NFD"):
            known.setdefault(unicodedata.normalize(form, category), code)
    if column.input == "boolean":
        for text, category in TRUTH.items():
            for spelling in (text, text.capitalize(), text.upper()):
                if category in known:
                    known.setdefault(spelling, known[category])
    return known
