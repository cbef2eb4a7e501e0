"""Slices of the test rows, their metrics, and gaps between a slice and all other rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, log10
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.evaluation.interval_text import FEWEST_CASES, FEWEST_UNITS
from lepton_pipeline.evaluation.metrics import measure_models
from lepton_pipeline.evaluation.resampling import LEVEL, Sample
from lepton_pipeline.parameters import Dataset, Evaluation, label_of
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.statistics.intervals import (
    Interval,
    auc_interval,
    calibration_interval,
    difference,
    share_interval,
)
from lepton_pipeline.system.records import Omitted

# What can be compared between parts that differ in size and base rate. Calibration error is biased upwards,
# most where rows are few; F1, average precision and the base rate itself differ wherever base rates do.
COMPARED = ("auc", "recall", "false_positive_rate", "calibration_in_the_large")
# Compared for sensitive columns: elsewhere the model is meant to select some more often than others.
COMPARED_IF_SENSITIVE = "selection_rate"
FEWEST_ROWS, FEWEST_OF_A_CLASS = 50, FEWEST_CASES
_ESTIMATED = "auc", "base_rate", "selection_rate", "recall", "false_positive_rate", "calibration_in_the_large"
_RESAMPLED = ("f1", "average_precision", "ece")
# By these, and `auc`, a gate may hold slices to a floor.
_FLOORED = ("f1", "average_precision")
# More values than these: numbers are divided into quarters, of categories the largest are kept.
MOST_VALUES = 8
_QUARTERS = (0.25, 0.5, 0.75)
_MISSING = "(missing)"
_DIGITS = 4


@dataclass(frozen=True)
class SliceEstimate(Estimate):
    """A metric of a slice; `floor_low`, or `floor_high`, is that end corrected for the number of slices.

    By Bonferroni's method; the end is the one that a gate holds to a bound.
    """

    floor_low: Omitted[float] = None
    floor_high: Omitted[float] = None

    def corrected(self, end: str) -> SliceEstimate:
        """With a corrected end, "low" or "high", in place of the usual one."""
        if end == "low":
            return replace(self, low=self.low if self.floor_low is None else self.floor_low)
        return replace(self, high=self.high if self.floor_high is None else self.floor_high)


@dataclass(frozen=True)
class Gap(Estimate):
    """A metric of a slice less that of all other rows; flagged if its interval excludes 0."""

    flagged: bool = False


@dataclass(frozen=True)
class Slice:
    """The rows that share a value of a column, as `slice_rows` names it.

    Metrics are None if a class is too rare; `calibration_in_the_large` is the mean probability less the
    observed rate.
    """

    column: str
    value: str
    rows: int
    positives: int
    sensitive: bool
    small: bool  # whether there are too few rows, so that gaps are not flagged
    metrics: Mapping[str, SliceEstimate | None]
    gaps: Mapping[str, Gap]


@dataclass(frozen=True)
class Slices:
    """Slices of the columns, and the comparisons that the intervals of gaps are corrected for."""

    columns: Sequence[str] = ()
    comparisons: int = 0
    slices: Sequence[Slice] = ()


def slice_rows(
    feature_table: pd.DataFrame, split: pd.DataFrame, dataset: Dataset, evaluation: Evaluation
) -> pd.DataFrame:
    """Name the slice of every test row in each declared and each sensitive column, as ordered categories.

    Numbers and dates of more than eight values are cut into quarters of the test rows, named by their ends;
    of more than nine categories the eight largest stand alone. Values with a label in `dataset.labels` are
    categories of that name. Missing values are a slice. A `DataError` names an absent column.
    """
    names = list(map(str, feature_table.columns))
    declared = {"evaluation.slices": evaluation.slices, "dataset.sensitive": dataset.sensitive}
    declared |= {"dataset.labels": list(dataset.labels)}
    check_columns(names, declared, "the table")
    test = feature_table.loc[split.index[split["part"] == "test"]]
    columns = dict.fromkeys([*dataset.sensitive, *evaluation.slices])
    named = {
        name: _name_slices(test[name], name in dataset.categorical, dataset.labels.get(name, {}))
        for name in columns
    }
    return pd.DataFrame(named, index=test.index)


def measure_slices(
    scores: pd.DataFrame,
    metrics: Metrics,
    slice_labels: pd.DataFrame,
    dataset: Dataset,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> Slices:
    """Measure the model on each slice of the test rows, and compare the slice with all other rows.

    A gap is flagged if its interval excludes 0; with a probability of 95 % all these intervals hold together
    (Bonferroni; the two slices of a binary column are one comparison). Rates have Wilson intervals, `auc` one
    after DeLong (see `intervals`), gaps Newcombe's, which takes slice and other rows for independent; `f1`,
    `average_precision` and `ece` have bootstrap intervals as in `evaluate`. All account for groups and
    overlapping labels.
    """
    test = scores.loc[scores["part"] == "test", ["label", "model"]]
    rows = _Rows(test["model"].to_numpy(), metrics.cut, Sample.of(test["label"], units))
    pairs = list(_pairs(rows, test.index, slice_labels, dataset))
    comparisons = _count_comparisons(pairs)
    gap_level = _corrected(comparisons)
    floor_level = _corrected(sum(not pair.own.small for pair in pairs))
    return Slices(
        list(map(str, slice_labels.columns)),
        comparisons,
        [
            replace(
                pair.own,
                metrics=_metrics(pair.inside, evaluation, floor_level),
                gaps=_find_gaps(pair, gap_level),
            )
            for pair in pairs
        ],
    )


def _corrected(comparisons: int) -> float:
    """Bonferroni level of each of several intervals."""
    return 1 - (1 - LEVEL) / max(comparisons, 1)


@dataclass(frozen=True)
class _Rows:
    """Test rows with the model's probabilities and threshold."""

    probabilities: np.ndarray
    threshold: float
    sample: Sample

    def where(self, mask: np.ndarray) -> _Rows:
        return _Rows(self.probabilities[mask], self.threshold, self.sample.where(mask))

    @property
    def small(self) -> bool:
        return len(self.probabilities) < FEWEST_ROWS or not self.sample.enough

    def estimates(self, level: float) -> dict[str, Interval | None]:
        """Metrics with a computed interval; None if a class is too rare."""
        if self.sample.units < FEWEST_UNITS:
            return dict.fromkeys(_ESTIMATED)
        labels, codes, z = self.sample.labels, self.sample.codes, self.sample.deviate(level)
        called, positive, known = self.probabilities >= self.threshold, labels != 0, self.probabilities

        def rate(of: np.ndarray, among: np.ndarray) -> Interval | None:
            if among.sum() < FEWEST_OF_A_CLASS:
                return None
            return share_interval(of[among], z, None if codes is None else codes[among])

        both = self.sample.enough
        return {
            "auc": auc_interval(labels, known, z, codes) if both else None,
            "base_rate": share_interval(positive, z, codes),
            "selection_rate": share_interval(called, z, codes),
            "recall": rate(called, positive),
            "false_positive_rate": rate(called, ~positive),
            "calibration_in_the_large": calibration_interval(labels, known, z, codes) if both else None,
        }


@dataclass(frozen=True)
class _Pair:
    """A slice, not measured yet, and all other test rows; `alone` if the others are a slice, too."""

    own: Slice
    inside: _Rows
    outside: _Rows
    alone: bool

    @property
    def compared(self) -> tuple[str, ...]:
        """Metrics that slice and other rows are compared in."""
        return (*COMPARED, COMPARED_IF_SENSITIVE) if self.own.sensitive else COMPARED

    @property
    def small(self) -> bool:
        """Whether either side has too few rows to flag a gap."""
        return self.own.small or self.outside.small


def _pairs(rows: _Rows, index: pd.Index, slice_labels: pd.DataFrame, dataset: Dataset) -> Iterator[_Pair]:
    for column in slice_labels:
        labels = slice_labels[column].loc[index]
        values = labels.cat.categories
        for value in values:
            mask = (labels == value).to_numpy()
            if mask.any():
                inside, sensitive = rows.where(mask), column in dataset.sensitive
                counts = len(inside.probabilities), inside.sample.positives
                own = Slice(str(column), str(value), *counts, sensitive, inside.small, metrics={}, gaps={})
                yield _Pair(own, inside, rows.where(~mask), alone=len(values) == 2)


def _count_comparisons(pairs: list[_Pair]) -> int:
    """Number of gaps that can be flagged; mirrored gaps of a binary column count once."""
    counted = [len(pair.compared) / (2 if pair.alone else 1) for pair in pairs if not pair.small]
    return round(sum(counted))


def _find_gaps(pair: _Pair, level: float) -> dict[str, Gap]:
    """Gaps of a slice with intervals of the corrected `level`; metrics with too few rows are left out."""
    if not len(pair.outside.probabilities):
        return {}
    inside, outside = pair.inside.estimates(level), pair.outside.estimates(level)
    gaps = {}
    for metric in pair.compared:
        one, other = inside[metric], outside[metric]
        if one is not None and other is not None:
            gap = difference(one, other)
            gaps[metric] = Gap(*gap, flagged=(gap.low > 0 or gap.high < 0) and not pair.small)
    return gaps


def _metrics(rows: _Rows, evaluation: Evaluation, floor_level: float) -> dict[str, SliceEstimate | None]:
    found: dict[str, SliceEstimate | None] = {
        metric: None if estimate is None else SliceEstimate(*estimate, approximate=rows.sample.few_units)
        for metric, estimate in rows.estimates(LEVEL).items()
    }
    corrected = rows.estimates(floor_level)["auc"]
    if corrected is None:
        return found | dict.fromkeys(_RESAMPLED)
    frame = pd.DataFrame({"label": rows.sample.labels, "model": rows.probabilities})
    drawn = measure_models(frame, {"model": rows.threshold}, rows.sample, evaluation)["model"]
    # As far as the tails of a normal would reach: those of a thousand resamples are too thin at that level.
    further = rows.sample.deviate(floor_level) / rows.sample.deviate(LEVEL)
    floors = {
        metric: max(0.0, drawn[metric].value - (drawn[metric].value - drawn[metric].ends[0]) * further)
        for metric in _FLOORED
    } | {"auc": corrected.low}
    return found | {
        metric: SliceEstimate(**vars(drawn[metric]), floor_low=floors.get(metric))
        for metric in ("auc", *_RESAMPLED)
    }


def _name_slices(column: pd.Series, categorical: bool, labels: Mapping[Any, str]) -> pd.Series:
    present = column.dropna()
    if not categorical and not labels and _write(present) is not str and present.nunique() > MOST_VALUES:
        codes, values = _quarters(present)
    else:
        codes, values = _categories(present, labels)
    places = pd.Series(len(values), index=column.index)
    places.loc[present.index] = codes
    names = [*values, _MISSING] if len(present) < len(column) else values
    slices = pd.Categorical.from_codes(places.to_numpy(), pd.Index(names), ordered=True)
    return pd.Series(slices, index=column.index)


def _quarters(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Quarter of each row, counted from 0; fewer than four if many rows share a value."""
    edges = column.quantile(list(_QUARTERS), interpolation="lower").drop_duplicates().to_numpy()
    # A value that is an edge belongs below it; beyond the last edge there may be no row.
    codes = np.unique(np.searchsorted(edges, column.to_numpy(), side="left"), return_inverse=True)[1]
    groups = column.groupby(codes)
    ends = list(zip(groups.min(), groups.max(), strict=True))
    write = _write(column)
    names = [write(low) if low == high else f"{write(low)} to {write(high)}" for low, high in ends]
    # Rounding may make two quarters look the same.
    distinct = len(set(names)) == len(names)
    return codes, names if distinct else [f"{low} to {high}" for low, high in ends]


def _categories(column: pd.Series, labels: Mapping[Any, str]) -> tuple[np.ndarray, list[str]]:
    """Place of each row's category: by value if there are few, else by size with the rest pooled last."""
    write, values = _write(column), column.tolist()
    named = [(label_of(labels, value) if labels else None) or write(value) for value in values]
    texts = pd.Series(named, index=column.index, dtype="object")
    if texts.nunique() < column.nunique():
        texts = pd.Series([str(value) for value in values], index=column.index, dtype="object")
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
        return lambda value: value.strftime("%Y-%m-%d" if value == value.normalize() else "%Y-%m-%d %H:%M")
    numbers = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return _write_number if numbers else str


def _write_number(value: float) -> str:
    """Four significant digits, such as 1,250 or 0.125."""
    if value == 0 or not 1e-6 <= abs(value) < 1e15:
        return f"{value:g}"
    decimals = max(0, _DIGITS - 1 - floor(log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
