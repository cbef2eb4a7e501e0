"""How the columns that matter are distributed, and what the target is on average over their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.explanation import Explanation
from lepton_pipeline.evaluation.resampling import LEVEL
from lepton_pipeline.model.attribution import show
from lepton_pipeline.parameters import Dataset, label_of
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.intervals import normal_deviate
from lepton_pipeline.system.readable import four_digits
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.task import Task

LEARNT_FROM = ["train", "validation"]
# Columns that are described, and of a column: bins of a number, values of a category, fewest rows of any of them.
MOST_COLUMNS, BINS, MOST_VALUES, FEWEST_ROWS = 30, 20, 8, 10
# Numbers beyond these quantiles are counted in the first and the last bin.
_ENDS = (0.01, 0.99)
OTHERS = "(others)"
_Z = normal_deviate(LEVEL)


@dataclass(frozen=True)
class Part:
    """Rows of a column with values of one bin or category; `mean` of their labels, None where it says nothing."""

    name: str
    rows: int
    mean: Estimate | None


@dataclass(frozen=True)
class Distribution:
    """A column: rows without a value, and the others by bins (`edges`, one more than parts) or categories (none)."""

    column: str
    missing: int
    edges: Sequence[float]
    parts: Sequence[Part]
    dates: bool = False  # whether edges are seconds since 1970


@dataclass(frozen=True)
class Distributions:
    """The columns that matter most, over so many training and validation rows, and the mean of all labels."""

    rows: int = 0
    mean: Estimate | None = None
    columns: Sequence[Distribution] = ()


def describe_distributions(
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    target: Target,
    explanation: Explanation,
    dataset: Dataset,
) -> Distributions:
    """Count the values of the columns of most importance in training and validation rows, with mean labels.

    Values of fewer than ten rows are counted together, so that none stands for a person. Columns of written language
    are left out.
    """
    learnt = split[split["part"].isin(LEARNT_FROM)]
    labels, task = learnt["label"].to_numpy(np.float64), target.task
    named = [each.column for each in explanation.importance if each.column not in dataset.text]
    columns = []
    for name in named[:MOST_COLUMNS]:
        values = feature_table[name].reindex(learnt.index)
        columns.append(
            _describe(values, labels, task, name in dataset.categorical, dataset.labels.get(name, {}))
        )
    return Distributions(len(learnt), _mean(labels, task), columns)


def _describe(
    values: pd.Series, labels: np.ndarray, task: Task, category: bool, meanings: Mapping[Any, str]
) -> Distribution:
    known = values.notna().to_numpy()
    missing, values, labels = int((~known).sum()), values[known], labels[known]
    dates = pd.api.types.is_datetime64_any_dtype(values.dtype)
    numeric = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)
    several = values.nunique() > MOST_VALUES
    if several and not category and not meanings and (dates or numeric):
        numbers = (
            values.to_numpy("datetime64[s]").astype(np.float64) if dates else values.to_numpy(np.float64)
        )
        return _bins(str(values.name), missing, numbers, labels, task, dates)
    return _categories(values, missing, labels, task, numeric, category, meanings)


def _bins(
    name: str, missing: int, numbers: np.ndarray, labels: np.ndarray, task: Task, dates: bool
) -> Distribution:
    low, high = np.quantile(numbers, _ENDS)
    if low == high:
        low, high = numbers.min(), numbers.max()
    edges = np.linspace(low, high, BINS + 1)
    places = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, BINS - 1)
    parts = [_part("", labels[places == place], task) for place in range(BINS)]
    return Distribution(name, missing, edges.tolist(), parts, dates)


def _categories(
    values: pd.Series,
    missing: int,
    labels: np.ndarray,
    task: Task,
    numeric: bool,
    category: bool,
    meanings: Mapping[Any, str],
) -> Distribution:
    counts = values.value_counts()
    kept = [value for value in counts.index[:MOST_VALUES] if counts[value] >= FEWEST_ROWS]
    # Numbers and dates in their order, others by rows.
    kept = sorted(kept) if numeric or pd.api.types.is_datetime64_any_dtype(values.dtype) else kept
    parts = []
    for value in kept:
        # Codes, such as those of post, are no amounts.
        written = four_digits if numeric and not category else show if numeric else str
        said = label_of(meanings, value) or written(value)
        parts.append(_part(said, labels[(values == value).to_numpy()], task))
    others = ~values.isin(kept).to_numpy()
    if others.any():
        parts.append(_part(OTHERS, labels[others], task))
    return Distribution(str(values.name), missing, [], parts)


def _part(name: str, labels: np.ndarray, task: Task) -> Part:
    return Part(name, len(labels), _mean(labels, task) if len(labels) >= FEWEST_ROWS else None)


def _mean(labels: np.ndarray, task: Task) -> Estimate | None:
    found = task.label_mean(labels, _Z)
    return None if found is None else Estimate(*found)
