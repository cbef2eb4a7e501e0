"""Slices of the test rows, their metrics, and gaps between a slice and all other rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.evaluation.interval_text import FEWEST_UNITS
from lepton_pipeline.evaluation.metrics import measure_models
from lepton_pipeline.evaluation.resampling import LEVEL, Sample
from lepton_pipeline.parameters import Dataset, Evaluation, label_of
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.statistics.intervals import Interval, difference
from lepton_pipeline.statistics.metric_table import METRICS, higher_is_better
from lepton_pipeline.system.readable import four_digits
from lepton_pipeline.system.records import Omitted
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.task import Task

FEWEST_ROWS = 50
# More values than these: numbers are divided into quarters, of categories the largest are kept.
MOST_VALUES = 8
_QUARTERS = (0.25, 0.5, 0.75)
_MISSING = "(missing)"


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

    Metrics are None if there are too few cases; `calibration_in_the_large` is the mean probability less the
    observed rate, `bias` the mean prediction less the mean target.
    """

    column: str
    value: str
    rows: int
    positives: int | None  # of the rows, in tasks with a positive class
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


def flagged_gaps(slices: Sequence[Slice]) -> list[tuple[Slice, str, Gap]]:
    """Flagged gaps with slice and metric, the one with the largest end next to 0 first.

    Two slices that make up a column have the same gaps with opposite signs; the first one's are returned.
    """
    found: dict[tuple[str, str, str], tuple[Slice, str, Gap]] = {}
    for each in slices:
        for metric, gap in each.gaps.items():
            if gap.flagged:
                found.setdefault((each.column, metric, f"{abs(gap.value):.12f}"), (each, metric, gap))
    return sorted(found.values(), key=lambda of: -min(map(abs, of[2].ends)))


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
    target: Target,
    metrics: Metrics,
    slice_labels: pd.DataFrame,
    dataset: Dataset,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> Slices:
    """Measure the model on each slice of the test rows, and compare the slice with all other rows.

    A gap is flagged if its interval excludes 0; with a probability of 95 % all these intervals hold together
    (Bonferroni; the two slices of a binary column are one comparison). Shares have Wilson intervals, `auc` one
    after DeLong (see `intervals`), other means a normal one, and gaps Newcombe's, which takes slice and other
    rows for independent; all else has bootstrap intervals as in `evaluate`. All account for groups and
    overlapping labels. `Task.sliced` says what is measured and compared.
    """
    test = scores.loc[scores["part"] == "test"]
    sample = Sample.of(test["label"], units, target.task)
    rows = _Rows(target.task.scores(test, "model"), metrics.threshold, sample)
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
    """Test rows with the model's scores and threshold."""

    scores: np.ndarray
    threshold: float | None
    sample: Sample

    def where(self, mask: np.ndarray) -> _Rows:
        return _Rows(self.scores[mask], self.threshold, self.sample.where(mask))

    @property
    def task(self) -> Task:
        return self.sample.task

    @property
    def small(self) -> bool:
        return len(self.scores) < FEWEST_ROWS or not self.sample.enough

    def intervals(self, level: float) -> Mapping[str, Interval | None]:
        """Metrics with an interval by a formula, see `Task.slice_intervals`."""
        if self.sample.units < FEWEST_UNITS:
            return dict.fromkeys((*self.task.sliced.shares, *self.task.sliced.means))
        sample = self.sample
        return self.task.slice_intervals(
            sample.labels, self.scores, self.threshold, sample.deviate(level), sample.codes
        )


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
        sliced = self.inside.task.sliced
        return (*sliced.compared, *(sliced.compared_if_sensitive if self.own.sensitive else ()))

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
                counts = len(inside.scores), rows.task.positives(pd.Series(inside.sample.labels))
                own = Slice(str(column), str(value), *counts, sensitive, inside.small, metrics={}, gaps={})
                yield _Pair(own, inside, rows.where(~mask), alone=len(values) == 2)


def _count_comparisons(pairs: list[_Pair]) -> int:
    """Number of gaps that can be flagged; mirrored gaps of a binary column count once."""
    counted = [len(pair.compared) / (2 if pair.alone else 1) for pair in pairs if not pair.small]
    return round(sum(counted))


def _find_gaps(pair: _Pair, level: float) -> dict[str, Gap]:
    """Gaps of a slice with intervals of the corrected `level`; metrics with too few rows are left out."""
    if not len(pair.outside.scores):
        return {}
    inside, outside = pair.inside.intervals(level), pair.outside.intervals(level)
    gaps = {}
    for metric in pair.compared:
        one, other = inside.get(metric), outside.get(metric)
        if one is not None and other is not None:
            gap = difference(one, other)
            gaps[metric] = Gap(*gap, flagged=(gap.low > 0 or gap.high < 0) and not pair.small)
    return gaps


def _metrics(rows: _Rows, evaluation: Evaluation, floor_level: float) -> dict[str, SliceEstimate | None]:
    sample, sliced = rows.sample, rows.task.sliced
    found: dict[str, SliceEstimate | None] = {}
    for metric, interval in rows.intervals(LEVEL).items():
        found[metric] = None
        if interval is not None:
            low, high = (_possible(metric, end) for end in interval[1:])
            rough = sample.few_units if metric in sliced.shares else sample.approximate
            found[metric] = SliceEstimate(interval.value, low, high, rough)
    if not sample.enough:
        return found | dict.fromkeys(sliced.evaluated)
    frame = pd.DataFrame({"label": sample.labels, **rows.task.columns("model", rows.scores)})
    drawn = measure_models(frame, {"model": rows.threshold}, sample, evaluation)["model"]
    found |= {metric: SliceEstimate(**vars(drawn[metric])) for metric in sliced.evaluated}
    corrected = rows.intervals(floor_level)
    # As far as the tails of a normal would reach: those of a thousand resamples are too thin at that level.
    further = sample.deviate(floor_level) / sample.deviate(LEVEL)
    for metric in sliced.bounded:
        figure, formula = found.get(metric), corrected.get(metric)
        if figure is not None and figure.low is not None:
            end = "low" if higher_is_better(metric) else "high"
            reach = getattr(figure, end) - figure.value
            far = _possible(metric, getattr(formula, end) if formula else figure.value + reach * further)
            found[metric] = (
                replace(figure, floor_low=far) if end == "low" else replace(figure, floor_high=far)
            )
    return found


def _possible(metric: str, end: float) -> float:
    """The end of an interval within what the metric can be."""
    least, most = METRICS[metric].least, METRICS[metric].most
    return min(max(end, -inf if least is None else least), inf if most is None else most)


def _name_slices(column: pd.Series, categorical: bool, labels: Mapping[Any, str]) -> pd.Series:
    present = column.dropna()
    if not categorical and not labels and _write(present) is not str and present.nunique() > MOST_VALUES:
        codes, values = _quarters(present)
    else:
        codes, values = _categories(present, labels, _write(present, categorical))
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


def _categories(
    column: pd.Series, labels: Mapping[Any, str], write: Callable[[Any], str]
) -> tuple[np.ndarray, list[str]]:
    """Place of each row's category: by value if there are few, else by size with the rest pooled last."""
    values = column.tolist()
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


def _write(column: pd.Series, categorical: bool = False) -> Callable[[Any], str]:
    """Format of a column's values: numbers and dates are ordered, all else is text.

    Numbers of a column that is declared categorical are codes, without separators and with all their digits.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return lambda value: value.strftime("%Y-%m-%d" if value == value.normalize() else "%Y-%m-%d %H:%M")
    numbers = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if numbers:
        return "{:.15g}".format if categorical else four_digits
    return str
