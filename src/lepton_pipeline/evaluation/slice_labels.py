"""Slice of each test row, as text."""

from __future__ import annotations

from collections.abc import Callable
from math import floor, log10
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.parameters import Dataset, Evaluation

# More values than these: numbers are divided into quarters, of categories the largest are kept.
MOST_VALUES = 8
_QUARTERS = (0.25, 0.5, 0.75)
_MISSING = "(missing)"
_DIGITS = 4


def slice_rows(
    feature_table: pd.DataFrame, split: pd.DataFrame, dataset: Dataset, evaluation: Evaluation
) -> pd.DataFrame:
    """Name the slice of every test row in each declared and each sensitive column, as ordered categories.

    Numbers and dates of more than eight values are cut into quarters of the test rows, named by their ends;
    of more than nine categories the eight largest stand alone. Missing values are a slice. A `DataError`
    names an absent column.
    """
    names = list(map(str, feature_table.columns))
    declared = {"evaluation.slices": evaluation.slices, "dataset.sensitive": dataset.sensitive}
    check_columns(names, declared, "the table")
    test = feature_table.loc[split.index[split["part"] == "test"]]
    columns = dict.fromkeys([*dataset.sensitive, *evaluation.slices])
    named = {name: _name_slices(test[name], name in dataset.categorical) for name in columns}
    return pd.DataFrame(named, index=test.index)


def _name_slices(column: pd.Series, categorical: bool) -> pd.Series:
    present = column.dropna()
    if not categorical and _write(present) is not str and present.nunique() > MOST_VALUES:
        codes, values = _quarters(present)
    else:
        codes, values = _categories(present)
    places = pd.Series(len(values), index=column.index)
    places.loc[present.index] = codes
    names = [*values, _MISSING] if len(present) < len(column) else values
    labels = pd.Categorical.from_codes(places.to_numpy(), pd.Index(names), ordered=True)
    return pd.Series(labels, index=column.index)


def _quarters(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Quarter of each row, counted from 0; fewer than four if many rows share a value."""
    edges = column.quantile(list(_QUARTERS), interpolation="lower").drop_duplicates().to_numpy()
    # A value that is an edge belongs below it; beyond the last edge there may be no row.
    codes = np.unique(np.searchsorted(edges, column.to_numpy(), side="left"), return_inverse=True)[1]
    groups = column.groupby(codes)
    ends = list(zip(groups.min(), groups.max(), strict=True))
    write = _write(column)
    names = [write(low) if low == high else f"{write(low)} to {write(high)}" for low, high in ends]
    if len(set(names)) < len(names):
        # Rounding made two quarters look the same.
        names = [f"{low} to {high}" for low, high in ends]
    return codes, names


def _categories(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Place of each row's category: by value if there are few, else by size with the rest pooled last."""
    write = _write(column)
    texts = pd.Series([write(value) for value in column], index=column.index, dtype="object")
    if texts.nunique() < column.nunique():
        texts = pd.Series([str(value) for value in column], index=column.index, dtype="object")
    sizes = texts.value_counts()
    if len(sizes) <= MOST_VALUES + 1:
        in_order = sorted(sizes.index) if write is str else texts[column.sort_values().index].unique()
        rest = []
    else:
        # Of equally many rows the first name in the alphabet, so that the order of rows does not matter.
        in_order = sorted(sizes.index, key=lambda text: (-sizes[text], text))[:MOST_VALUES]
        rest = [f"({len(sizes) - MOST_VALUES} others)"]
    places = {text: place for place, text in enumerate(in_order)}
    return texts.map(places).fillna(MOST_VALUES).to_numpy(dtype=np.intp), [*in_order, *rest]


def _write(column: pd.Series) -> Callable[[Any], str]:
    """Format of a column's values: numbers and dates are ordered, all else is text."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return _write_date
    numbers = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return _write_number if numbers else str


def _write_number(value: float) -> str:
    """Four significant digits, such as 1,250 or 0.125."""
    if value == 0 or not 1e-6 <= abs(value) < 1e15:
        return f"{value:g}"
    decimals = max(0, _DIGITS - 1 - floor(log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _write_date(value: pd.Timestamp) -> str:
    return value.strftime("%Y-%m-%d" if value == value.normalize() else "%Y-%m-%d %H:%M")
