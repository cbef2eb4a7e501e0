"""The typical row that effects are measured against, and values as shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.features.column_encoders import as_numbers, enough_rows

MISSING = "missing"
_CHARACTERS = 60


def typical_row(rows: pd.DataFrame, numeric: Iterable[str]) -> dict[str, Any]:
    """Compose the typical row of training rows, as values that JSON can hold; `numeric` columns are numbers.

    Numbers and dates have the (lower) median, others the most frequent value; None where most values are
    missing, or where the most frequent one is too rare to be shown without identifying a row.
    """
    numbers = set(numeric)
    return {str(name): _typical(rows[name], name in numbers) for name in rows}


def show(value: Any) -> str:
    """Write a value for a reader: whole numbers without decimals, dates in ISO 8601, "missing"."""
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
