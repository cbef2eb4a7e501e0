"""The target column as 0 and 1."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.data.expressions import parse_expression
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset

_EXAMPLES = 5


def positive_labels(table: pd.DataFrame, dataset: Dataset) -> pd.Series:
    """Mark the rows of the positive class.

    Args:
        table: rows of the vertical; needs the target column.
        dataset: names the target and its positive value, or the condition that is true for the positive class.

    Returns:
        One int8 per row, 1 for the positive class, indexed as `table`. A missing target counts as 0; where a condition
        is declared, one that asks `is_missing` may decide otherwise.

    Raises:
        DataError: the target holds one class only, or, where a positive value is declared, not exactly one other; the
            message lists what it holds. The condition cannot be computed, or is none.
    """
    if dataset.positive_when is not None:
        return _labels_by_condition(table, dataset, dataset.positive_when)
    target = table[dataset.target]
    labels = (target == dataset.positive).fillna(False).astype(np.int8)
    counts = target.value_counts()
    if len(counts) < 2 or labels.sum() == 0:
        raise DataError(
            f"target {dataset.target!r} holds {_values(target)}; a model needs rows with and without the "
            f"positive value {dataset.positive!r}. "
            "Check dataset.target and dataset.positive (quote texts such as 'yes' in YAML)."
        )
    if len(counts) > 2:
        shown = [f"{value!r} ({count:,} rows)" for value, count in zip(counts.index.tolist(), counts, strict=True)]
        raise DataError(
            f"target {dataset.target!r} holds {len(counts):,} different values, but dataset.positive needs "
            f"{dataset.positive!r} and one other: {_listed(shown)}. Correct the data, or declare dataset.positive_when "
            f"instead, such as {_name(dataset.target)} == {dataset.positive!r}, to set every other value against it."
        )
    return labels


def _labels_by_condition(table: pd.DataFrame, dataset: Dataset, text: str) -> pd.Series:
    truth = parse_expression(text, "dataset.positive_when").evaluate(table)
    if not pd.api.types.is_bool_dtype(truth.dtype):
        raise DataError(
            f"dataset.positive_when: {text!r} gives {truth.dtype} values, not true or false; "
            f"write a condition, such as {_name(dataset.target)} >= 15."
        )
    if truth.nunique() < 2:
        everywhere = "true for every row" if truth.any() else "true for no row"
        holds = f"holds {_values(table[dataset.target])}" if dataset.target in table else "is not in the table"
        raise DataError(
            f"dataset.positive_when: {text!r} is {everywhere}; target {dataset.target!r} {holds}, and a model needs "
            "rows of both classes. Check dataset.target and dataset.positive_when (texts stand in quotes)."
        )
    return truth.astype(np.int8)


def _values(target: pd.Series) -> str:
    seen = target.dropna().unique().tolist()
    return _listed([repr(value) for value in sorted(seen, key=str)]) or "no value at all"


def _listed(shown: list[str]) -> str:
    return ", ".join([*shown[:_EXAMPLES], *["…"] * (len(shown) > _EXAMPLES)])


def _name(column: str) -> str:
    return column if column.isidentifier() else f"`{column}`"
