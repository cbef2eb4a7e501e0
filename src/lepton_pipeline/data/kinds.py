"""One type for each column of rows that are read in chunks: what ingestion would give it if it read them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.ingest import text_column, typed_column
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion

_NUMBERS = {"empty", "whole", "number"}
_TYPES: dict[str, Any] = {"whole": "int64", "number": "float64", "truth": "bool", "truth or missing": "boolean"}
_TRUTHS = {"empty", "truth", "truth or missing"}


def find_kinds(
    chunks: Iterable[pd.DataFrame], ingestion: Ingestion, numbers: Collection[str], texts: Collection[str]
) -> tuple[dict[str, str], int]:
    """Find the kind of every column in one pass.

    Args:
        chunks: rows as they were read.
        ingestion: how text becomes values.
        numbers: columns that hold numbers also where no row has a value.
        texts: columns of texts that stay texts also where every one of them looks like a number.

    Returns:
        By column: "whole" (int64), "number" (float64), "text", "empty" (no value), "truth", "truth or missing" or
        "date"; and the number of rows.

    Raises:
        DataError: a value is no date of the declared format, or a column is of several kinds.
    """
    seen: dict[str, set[str]] = {}
    rows = 0
    for chunk in chunks:
        rows += len(chunk)
        for name in map(str, chunk.columns):
            states = seen.setdefault(name, set())
            # A text among the values settles it.
            if "text" not in states:
                states.add(_kind(chunk[name], ingestion, forced=name in texts))
    return {name: _combined(name, states, number=name in numbers) for name, states in seen.items()}, rows


def typed_chunk(chunk: pd.DataFrame, kinds: dict[str, str], ingestion: Ingestion) -> pd.DataFrame:
    """Give the values of a chunk their types.

    Args:
        chunk: rows as they were read.
        kinds: of all columns, see `find_kinds`.
        ingestion: how text becomes values.

    Raises:
        DataError: as `find_kinds`.
    """
    return pd.DataFrame({name: _typed(chunk[name], kinds[name], ingestion) for name in map(str, chunk.columns)})


def _kind(column: pd.Series, ingestion: Ingestion, forced: bool) -> str:
    text = pd.api.types.is_string_dtype(column)
    typed = text_column(column, ingestion) if forced and text else typed_column(column, ingestion)
    if pd.api.types.is_bool_dtype(typed.dtype):
        return "truth or missing" if typed.hasnans else "truth"
    if pd.api.types.is_numeric_dtype(typed.dtype):
        fits = typed.dtype.kind == "i" or (typed.dtype.kind == "u" and typed.max() <= np.iinfo(np.int64).max)
        return "whole" if fits and not typed.hasnans else "number"
    if pd.api.types.is_datetime64_any_dtype(typed.dtype):
        return "date"
    return "empty" if typed.isna().all() else "text"


def _combined(name: str, states: set[str], number: bool) -> str:
    if states == {"empty"}:
        return "number" if number else "empty"
    if "text" in states and states <= _NUMBERS | {"text"}:
        return "text"
    if states <= _NUMBERS:
        return "whole" if states == {"whole"} else "number"
    if states <= _TRUTHS:
        return "truth" if states == {"truth"} else "truth or missing"
    if states <= {"empty", "date"}:
        return "date"
    shown = ", ".join(sorted(states - {"empty"}))
    raise DataError(f"column {name!r} holds values of several kinds ({shown}); give all its rows the same kind.")


def _typed(column: pd.Series, kind: str, ingestion: Ingestion) -> pd.Series:
    if kind in ("text", "empty") and pd.api.types.is_string_dtype(column):
        return text_column(column, ingestion)
    typed = typed_column(column, ingestion)
    if kind == "text" and not typed.isna().all() and not pd.api.types.is_string_dtype(typed):
        raise DataError(
            f"column {column.name!r} holds texts in some rows and {typed.dtype} values in others; "
            "give it one type in all files."
        )
    if kind == "date" and not pd.api.types.is_datetime64_any_dtype(typed.dtype):
        return pd.to_datetime(typed).dt.as_unit("us")
    return typed.astype(_TYPES[kind]) if kind in _TYPES else typed
