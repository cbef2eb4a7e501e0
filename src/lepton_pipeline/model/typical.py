"""The typical row that others are compared with, and values as a reader knows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.features.column_encoders import as_numbers, enough_rows

MISSING = "missing"
_CHARACTERS = 60


def typical_row(rows: pd.DataFrame, numeric: Iterable[str]) -> dict[str, Any]:
    """Compose a row of the most ordinary value of each column; as a rule, no single row has all of them.

    Args:
        rows: training rows, only with the columns of the result.
        numeric: columns that hold numbers, whatever their dtype.

    Returns:
        By column a value that JSON can hold. Of numbers and dates the median, as one of the values that are
        there, of other values the most frequent; None where most values are missing, or where hardly two rows
        share one: that would say something of a single row.
    """
    numbers = set(numeric)
    return {str(name): _typical(rows[name], name in numbers) for name in rows}


def show(value: Any) -> str:
    """Write a value as a reader knows it: whole numbers without decimals, dates in ISO 8601, "missing" for none."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return MISSING
    if isinstance(value, pd.Timestamp):
        return value.isoformat().removesuffix("T00:00:00")
    if isinstance(value, bool | np.bool_):
        return str(value)
    if isinstance(value, float | np.floating):
        whole = float(value).is_integer() and abs(float(value)) < 1e15
        return str(int(value)) if whole else f"{value:.6g}"
    # One line, whatever a text holds.
    text = " ".join(str(value).split())
    return text if len(text) <= _CHARACTERS else text[: _CHARACTERS - 1] + "…"


def _typical(column: pd.Series, number: bool) -> Any:
    present = column.dropna()
    if len(present) * 2 <= len(column):
        return None
    date = pd.api.types.is_datetime64_any_dtype(column.dtype)
    if date or (
        (number or pd.api.types.is_numeric_dtype(column.dtype)) and not pd.api.types.is_bool_dtype(column)
    ):
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
