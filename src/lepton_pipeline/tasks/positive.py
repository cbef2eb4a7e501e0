"""The positive class of a target, as 1 and 0."""

from __future__ import annotations

import json
import unicodedata
from contextlib import suppress

import numpy as np
import pandas as pd

from lepton_pipeline.data.expressions.expression import parse_expression
from lepton_pipeline.errors import DataError, did_you_mean
from lepton_pipeline.parameters import Dataset

_EXAMPLES = 5


def positive_labels(table: pd.DataFrame, dataset: Dataset) -> pd.Series:
    """Labels as int8, 1 for the positive class, indexed as `table`.

    A missing target counts as 0, unless the declared condition asks `is_missing`. Raises a DataError where
    the target holds one class only, or more than one value beside the positive one.
    """
    if dataset.positive_when is not None:
        return _labels_by_condition(table, dataset, dataset.positive_when)
    target = table[dataset.target]
    labels = (target == dataset.positive).fillna(False).astype(np.int8)
    counts = target.value_counts()
    if labels.sum() == 0:
        raise DataError(
            f"target {dataset.target!r} holds {_values(target)} in {len(target):,} rows, and nowhere the positive "
            f"value {dataset.positive!r} (dataset.positive): {_remedy(target, dataset.positive)}."
        )
    if len(counts) < 2:
        raise DataError(
            f"target {dataset.target!r} holds {_values(target)} only, the positive value, in {len(target):,} rows; a "
            "model needs rows with another value, too: provide them, or check dataset.target and dataset.positive."
        )
    if len(counts) > 2:
        shown = []
        for value, count in zip(counts.index[: _EXAMPLES + 1].tolist(), counts, strict=False):
            first = target.index[(target == value).fillna(False)][0]
            shown.append(f"{value!r} ({count:,} row{'s' * (count > 1)}, first row {first})")
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
        there = dataset.target in table
        holds = f"holds {_values(table[dataset.target])}" if there else "is not in the table"
        raise DataError(
            f"dataset.positive_when: {text!r} is {everywhere}; target {dataset.target!r} {holds}, and a model needs "
            "rows of both classes. Check dataset.target and dataset.positive_when (put texts in quotes)."
        )
    return truth.astype(np.int8)


def _remedy(target: pd.Series, positive: str | float | bool | None) -> str:
    """Remedy for a positive value that the target does not hold: often its type is wrong."""
    seen = target.dropna().unique().tolist()
    meant = [value for value in seen if _as_text(value) & _as_text(positive)]
    if not meant:
        hint = did_you_mean(str(positive), sorted({str(value) for value in seen}))
        return f"{hint}Check dataset.target and dataset.positive"
    value = meant[0]

    if isinstance(value, str):
        quoted = f"positive: {json.dumps(value, ensure_ascii=False)}"
        if isinstance(positive, str):
            return f"it differs from {value!r} by case or spaces; write {quoted}"
        if isinstance(positive, bool):
            return (
                "the column holds texts, and YAML reads yes, no, on and off without quotes as true or false, here as "
                f"{str(positive).lower()}; put the text in quotes, {quoted}"
            )
        return f"the column holds texts, and {positive!r} without quotes is a number; put quotes around it, {quoted}"
    if isinstance(positive, str) and isinstance(value, (bool, int, float)):
        plain = f"{value:.15g}" if isinstance(value, float) else str(value).lower()
        return (
            f"the column holds {_kind(target)}, and {positive!r} in quotes is a text; take the quotes off, "
            f"positive: {plain}"
        )
    return f"the column holds {_kind(target)}; declare dataset.positive_when, an expression, instead"


def _as_text(value: object) -> set[str]:
    """The ways in which a value may have been meant: by letters, as a number, as YAML."""
    text = unicodedata.normalize("NFC", str(value)).strip().casefold()
    ways = {text}
    with suppress(ValueError):
        ways.add(repr(float(text)))
    if isinstance(value, bool):
        ways |= {"true", "yes", "on"} if value else {"false", "no", "off"}
    return ways


def _kind(target: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(target):
        return "true and false"
    known = target.dropna()
    if not pd.api.types.is_numeric_dtype(target):
        return f"values of the type {target.dtype}"
    return "whole numbers" if (known == known.round()).all() else "numbers"


def _values(target: pd.Series) -> str:
    seen = target.dropna().unique().tolist()
    return _listed([repr(value) for value in sorted(seen, key=str)]) or "no value at all"


def _listed(shown: list[str]) -> str:
    return ", ".join([*shown[:_EXAMPLES], *["…"] * (len(shown) > _EXAMPLES)])


def _name(column: str) -> str:
    return column if column.isidentifier() else f"`{column}`"
