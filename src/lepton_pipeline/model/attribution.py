"""The typical row, effects of a row's columns on its score relative to it, and values as shown."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.features.column_encoders import as_numbers, enough_rows
from lepton_pipeline.statistics.losses import Floats

Mask = npt.NDArray[np.bool_]
Score = Callable[[pd.DataFrame], Floats]

# By measurement: see docs/explanation.md.
PAIRS = 2
# Rows and values scored at once; memory is bounded by them.
ROWS, VALUES = 1 << 15, 1 << 24
MISSING = "missing"
_CHARACTERS = 60


@dataclass(frozen=True)
class Reason:
    """Effect of one raw column on a row's score, see `Task.explained`, and its value as shown."""

    column: str
    value: str
    effect: float


def shapley_effects(score: Score, rows: pd.DataFrame, reference: pd.DataFrame, pairs: int = PAIRS) -> Floats:
    """Attribute the difference between the scores of each row and of a reference to the columns.

    Baseline Shapley values (Sundararajan and Najmi, "The many Shapley values for model explanation", ICML
    2020), estimated from permutations, each also in reverse (Mitchell et al., "Sampling permutations for
    Shapley value estimation", JMLR 2022, section 2.2). The effects add up to the difference, however few
    permutations there are; they are exactly 0 for a column with the reference's value, and exact for an
    additive score. Permutations are fixed, so a row's effects do not depend on other rows.

    `score` rates each row of a frame by itself; `reference` is one row; `pairs` counts the permutations, both
    directions as one. Returns float64 [n, columns of `reference`].
    """
    columns = len(reference.columns)
    generator = np.random.default_rng(0)
    forward = [generator.permutation(columns) for _ in range(pairs)]
    orders = np.array([order for one in forward for order in (one, one[::-1])])
    at_reference = score(reference)[0]
    chunk = max(1, min(ROWS, VALUES // columns) // orders.size)
    parts = [np.empty((0, columns))]
    for start in range(0, len(rows), chunk):
        some = rows[list(reference.columns)].iloc[start : start + chunk]
        both = pd.concat([some, reference], ignore_index=True)
        parts.append(_effects(score, both, at_reference, orders))
    return np.concatenate(parts)


def _effects(score: Score, both: pd.DataFrame, at_reference: float, orders: npt.NDArray[np.intp]) -> Floats:
    """Effects of all rows but the last, which is the reference."""
    differs = np.column_stack([_differs_from_last(both[name]) for name in both])
    at_row = score(both.iloc[:-1])
    # [rows, orders, places]: what the column at a place adds is known once the row has it, and all before it.
    taken = differs[:, orders]
    count = taken.cumsum(axis=2)
    # The last column to come makes the row itself, whose score is known.
    between = taken & (count < count[:, :, -1:])
    values = np.broadcast_to(at_row[:, None, None], taken.shape).copy()
    values[between] = score(_hybrids(both, between, orders))
    total = np.zeros(differs.shape)
    every = np.arange(len(at_row))
    # One order after the other: NumPy's sums would depend on the number of rows in their last bits.
    for order, columns in enumerate(orders):
        before = np.full(len(at_row), at_reference)
        for place, column in enumerate(columns):
            now = np.where(taken[:, order, place], values[:, order, place], before)
            total[every, column] += now - before
            before = now
    return total / len(orders)


def _hybrids(both: pd.DataFrame, between: Mask, orders: npt.NDArray[np.intp]) -> pd.DataFrame:
    """For each marked place, the row's columns up to it, with the reference's for the others."""
    row, order, place = np.nonzero(between)
    # Place of each column in each order.
    rank = np.argsort(orders, axis=1)
    last = len(both) - 1
    columns = {
        name: both[name].array.take(np.where(rank[order, column] <= place, row, last))
        for column, name in enumerate(both)
    }
    return pd.DataFrame(columns)


def _differs_from_last(column: pd.Series) -> Mask:
    """Whether each value but the last differs from it; missing values are equal."""
    if column.dtype == object:
        # As objects, 1 and True are equal.
        column = column.map(repr, na_action="ignore")
    codes, _ = pd.factorize(column)
    return np.asarray(codes[:-1] != codes[-1])


def typical_row(rows: pd.DataFrame, numeric: Collection[str], texts: Collection[str] = ()) -> dict[str, Any]:
    """Compose the typical row of training rows, as values that JSON can hold; `numeric` columns are numbers.

    Numbers and dates have the (lower) median, `texts` no words, others the most frequent value; None where most
    values are missing, or where the most frequent one is too rare to be shown without identifying a row.
    """
    return {str(name): "" if name in texts else _typical(rows[name], name in numeric) for name in rows}


def show(value: Any) -> str:
    """Write a value for a reader: whole numbers without decimals, dates in ISO 8601, "missing"."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return MISSING
    plain = _plain(value)
    if isinstance(value, pd.Timestamp):
        return str(plain).removesuffix("T00:00:00")
    if isinstance(plain, float):
        return f"{plain:.6g}"
    # One line, whatever a text holds.
    text = " ".join(str(plain).split())
    return text if len(text) <= _CHARACTERS else text[: _CHARACTERS - 1] + "…"


def _typical(column: pd.Series, number: bool) -> Any:
    present = column.dropna()
    if len(present) * 2 <= len(column):
        return None
    date = pd.api.types.is_datetime64_any_dtype(column.dtype)
    number = number or pd.api.types.is_numeric_dtype(column.dtype)
    if date or (number and not pd.api.types.is_bool_dtype(column)):
        values = present if date else pd.Series(as_numbers(present))
        return _plain(values.sort_values().iloc[(len(values) - 1) // 2])
    counts = present.value_counts(sort=False)
    if counts.max() < enough_rows(len(column)):
        return None
    return _plain(min(counts.index[counts == counts.max()], key=str))


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer() and abs(plain) < 1e15:
        return int(plain)
    return plain if isinstance(plain, bool | int | float) else str(plain)
