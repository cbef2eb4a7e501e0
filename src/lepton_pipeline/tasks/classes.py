"""The classes of a target: their names, as texts, and why a target has none."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lepton_pipeline.errors import ConfigurationError, DataError, did_you_mean
from lepton_pipeline.parameters import Dataset, code_text

MOST_CLASSES = 1000
# Fewer rows of a class cannot be divided, and say nothing about it.
FEWEST_OF_A_CLASS = 10
# The class of all rare classes.
RARE = "(rare)"
# The decision to leave a case to somebody.
HAND_OVER = "(hand over)"
_EXAMPLES = 5


def find_classes(table: pd.DataFrame, dataset: Dataset) -> list[str]:
    """Find the classes of labelled rows; a DataError says why there are too few, too many or too rare ones."""
    target = table[dataset.target].dropna()
    texts = class_texts(target)
    counts = texts.value_counts()
    if isinstance(dataset.classes, list):
        names = class_texts(pd.Series(dataset.classes, dtype="object")).tolist()
        if twice := [name for name in names if names.count(name) > 1]:
            raise ConfigurationError(f"dataset.classes: {twice[0]!r} is named twice; keep one.")
        refuse_others(texts, names, dataset)
    else:
        names = _in_order(target, texts)
    if not names:
        raise DataError(
            f"target {dataset.target!r} has a value in none of {len(table):,} rows; name another column."
        )
    if taken := [name for name in (RARE, HAND_OVER) if name in names]:
        raise DataError(
            f"target {dataset.target!r} holds {taken[0]!r}, which names something else in results; write that "
            "class in another way."
        )
    if not 2 < len(names) <= MOST_CLASSES:
        raise DataError(
            f"target {dataset.target!r} holds {listed(names)} in {len(target):,} rows, {len(names):,} classes; "
            f"dataset.classes takes 3 to {MOST_CLASSES:,}. Declare dataset.positive for one class against another, "
            "task: regression for a number, or group the values in a derived column."
        )
    rare = [name for name in names if counts.get(name, 0) < FEWEST_OF_A_CLASS]
    if rare and dataset.rare_classes == "stop":
        shown = [f"{name!r} ({counts.get(name, 0):,} rows)" for name in rare]
        raise DataError(
            f"target {dataset.target!r}: {len(rare):,} of {len(names):,} classes have fewer than "
            f"{FEWEST_OF_A_CLASS} rows: {listed(shown)}. Bring more rows, leave these rows out, or declare "
            f"dataset.rare_classes: group to make one class {RARE!r} of them."
        )
    kept = [name for name in names if name not in rare]
    classes = [*kept, *[RARE] * bool(rare)]
    if len(classes) < 3:
        raise DataError(
            f"target {dataset.target!r}: {len(rare):,} of {len(names):,} classes have fewer than "
            f"{FEWEST_OF_A_CLASS} rows; as one class {RARE!r} of dataset.rare_classes they leave "
            f"{listed(classes)}, and 3 are needed. Bring more rows, or declare dataset.positive."
        )
    return classes


def class_texts(values: pd.Series) -> pd.Series:
    """Names of classes: texts as they are, whole numbers without decimals; missing values stay missing.

    >>> class_texts(pd.Series([1.0, 1234567.0, 0.25, None])).tolist()
    ['1', '1234567', '0.25', nan]
    """
    return values.map(code_text, na_action="ignore").astype("str")


def _in_order(target: pd.Series, texts: pd.Series) -> list[str]:
    """Names in the order of the values, or of their texts where values of several types have none."""
    try:
        ordered = target.sort_values(kind="stable")
    except TypeError:
        ordered = texts.sort_values(kind="stable")
    return list(dict.fromkeys(texts[ordered.index]))


def refuse_others(texts: pd.Series, names: Sequence[str], dataset: Dataset) -> None:
    """Raise a DataError that names the first of `texts` that is no class."""
    others = texts[~texts.isin(list(names))]
    if len(others):
        first = str(others.iloc[0])
        raise DataError(
            f"target {dataset.target!r} holds {first!r} in row {others.index[0]} and {len(others) - 1:,} more rows "
            f"hold values that are no class (dataset.classes): {did_you_mean(first, list(names))}add it there, or "
            "leave these rows out."
        )


def listed(shown: Sequence[str]) -> str:
    """The first five, and whether there are more."""
    return ", ".join([*shown[:_EXAMPLES], *["…"] * (len(shown) > _EXAMPLES)])
