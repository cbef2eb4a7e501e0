"""Whole numbers that are better encoded as categories."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.columns import feature_columns
from lepton_pipeline.features.column_encoders import as_numbers
from lepton_pipeline.features.strength import SMOOTHING
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.statistics.losses import Floats, log_losses

# With more rows, trees and networks tell so few values apart themselves.
MOST_ROWS = 10_000
# Two are told apart either way; of many, few rows share one.
FEWEST_VALUES, MOST_VALUES = 3, 100
ROWS_A_VALUE = 5
# Kernel widths in shares of the rows; in the last all rows count alike.
WIDTHS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, np.inf)
BLOCKS = 5

Positions = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


def jumping_numbers(training: pd.DataFrame, split: pd.DataFrame, dataset: Dataset) -> list[str]:
    """Name the undeclared whole numbers of few values whose held-out log loss is lower as a category.

    Each column is tried alone in both forms. As a category, a value has its own positive rate; as a number,
    that of nearby values (kernel regression on ranks: Nadaraya 1964, Watson 1964), with the best of several
    widths. A category must be better by more than one standard error of the paired losses.

    `split` holds `label` and `fold` of the rows; rows without folds are held out in order of time.
    """
    if len(training) > MOST_ROWS:
        return []
    labels = split.loc[training.index, "label"].to_numpy(np.intp)
    turns = _turns(training, split, dataset)
    declared = {*dataset.numeric, *dataset.categorical}
    return [
        name
        for name in feature_columns(training, dataset)
        if name not in declared
        and _few_whole_numbers(training[name])
        and _jumps(training[name], labels, turns)
    ]


def _turns(training: pd.DataFrame, split: pd.DataFrame, dataset: Dataset) -> list[tuple[Mask, Mask]]:
    """Training and held-out rows of each turn."""
    fold = split.loc[training.index, "fold"].to_numpy()
    if (fold >= 0).all():
        return [(fold != number, fold == number) for number in np.unique(fold)]
    if dataset.time is None:
        return []
    block = np.ceil(training[dataset.time].rank(pct=True).to_numpy() * BLOCKS)
    return [(block < number, block == number) for number in range(2, BLOCKS + 1)]


def _few_whole_numbers(column: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return False
    known = as_numbers(column.dropna())
    values = np.unique(known)
    whole = np.isfinite(values) & (np.floor(values) == values)
    few = FEWEST_VALUES <= len(values) <= min(MOST_VALUES, len(known) // ROWS_A_VALUE)
    return few and bool(whole.all())


def _jumps(column: pd.Series, labels: Positions, turns: list[tuple[Mask, Mask]]) -> bool:
    """Whether each value's own rate lowers the held-out log loss by more than its standard error."""
    known = column.notna().to_numpy(bool)
    turns = [(learnt[known], held[known]) for learnt, held in turns]
    if not any(held.any() for _, held in turns):
        return False
    levels = np.unique(as_numbers(column[known]), return_inverse=True)[1]
    rows = np.bincount(levels)
    middles = (rows.cumsum() - rows / 2) / len(levels)
    distances = middles[:, None] - middles
    readings = [np.eye(len(rows)), *(np.exp(-0.5 * (distances / width) ** 2) for width in WIDTHS)]
    category, *numbers = (
        np.concatenate([_losses(levels, labels[known], learnt, held, kernel) for learnt, held in turns])
        for kernel in readings
    )
    gains = min(numbers, key=np.mean) - category
    return bool(gains.mean() > gains.std() / len(gains) ** 0.5)


def _losses(levels: Positions, labels: Positions, learnt: Mask, held: Mask, kernel: Floats) -> Floats:
    """Log loss of held-out rows; `kernel` weights the training rows of other values."""
    positive = np.bincount(levels[learnt], labels[learnt], len(kernel)) @ kernel
    rows = np.bincount(levels[learnt], minlength=len(kernel)) @ kernel
    # Never 0 or 1, whatever a value's rows say.
    base = (labels[learnt].sum() + 1) / (learnt.sum() + 2)
    rates = ((positive + SMOOTHING * base) / (rows + SMOOTHING))[levels[held]]
    return log_losses(rates, labels[held])
