"""Metrics by slice, and gaps between a slice and all other rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.interval_text import FEWEST_CASES, FEWEST_UNITS
from lepton_pipeline.evaluation.metrics import measure_models
from lepton_pipeline.evaluation.resampling import LEVEL, Sample
from lepton_pipeline.parameters import Dataset, Evaluation
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
# By these a gate may hold slices to a floor.
_FLOORED = ("auc", "f1", "average_precision")


@dataclass(frozen=True)
class SliceEstimate(Estimate):
    """A metric of a slice; `floor_low` is the low end corrected for the number of slices (Bonferroni)."""

    floor_low: Omitted[float] = None


@dataclass(frozen=True)
class Gap(Estimate):
    """A metric of a slice less that of all other rows; flagged if its interval excludes 0."""

    flagged: bool = False


@dataclass(frozen=True)
class Slice:
    """The rows that share a value of a column, as `slice_rows` names it.

    Attributes:
        small: whether there are too few rows, so that gaps are not flagged.
        metrics: None if a class is too rare in the slice. `calibration_in_the_large` is the mean probability
            less the observed rate.
    """

    column: str
    value: str
    rows: int
    positives: int
    sensitive: bool
    small: bool
    metrics: Mapping[str, SliceEstimate | None]
    gaps: Mapping[str, Gap]


@dataclass(frozen=True)
class Slices:
    """Slices of the columns, and the comparisons that the intervals of gaps are corrected for."""

    columns: Sequence[str] = ()
    comparisons: int = 0
    slices: Sequence[Slice] = ()


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
    rows = _Rows(test["model"].to_numpy(), metrics.threshold, Sample.of(test["label"], units))
    pairs = list(_pairs(rows, test.index, slice_labels, dataset))
    comparisons = _count_comparisons(pairs)
    gap_level = _corrected(comparisons)
    floor_level = _corrected(sum(not pair.inside.small for pair in pairs))
    return Slices(
        list(map(str, slice_labels.columns)),
        comparisons,
        [
            Slice(
                column=pair.column,
                value=pair.value,
                rows=len(pair.inside.labels),
                positives=pair.inside.positives,
                sensitive=pair.sensitive,
                small=pair.inside.small,
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

    @property
    def labels(self) -> np.ndarray:
        return self.sample.labels

    def where(self, mask: np.ndarray) -> _Rows:
        return _Rows(self.probabilities[mask], self.threshold, self.sample.where(mask))

    @property
    def positives(self) -> int:
        return int(np.count_nonzero(self.labels))

    @property
    def small(self) -> bool:
        return len(self.labels) < FEWEST_ROWS or not self.sample.enough

    def estimates(self, level: float) -> dict[str, Interval | None]:
        """Metrics with a computed interval; None if a class is too rare."""
        called, positive = self.probabilities >= self.threshold, self.labels != 0
        positives, negatives = self.positives, len(self.labels) - self.positives
        if self.sample.units < FEWEST_UNITS:
            return dict.fromkeys(_ESTIMATED)
        codes, z = self.sample.codes, self.sample.deviate(level)
        both, known = self.sample.enough, (self.labels, self.probabilities, z, codes)

        def rate(of: np.ndarray, among: np.ndarray) -> Interval:
            return share_interval(of[among], z, None if codes is None else codes[among])

        everywhere = np.ones(len(positive), dtype=bool)
        return {
            "auc": auc_interval(*known) if both else None,
            "base_rate": rate(positive, everywhere),
            "selection_rate": rate(called, everywhere),
            "recall": rate(called, positive) if positives >= FEWEST_OF_A_CLASS else None,
            "false_positive_rate": rate(called, ~positive) if negatives >= FEWEST_OF_A_CLASS else None,
            "calibration_in_the_large": calibration_interval(*known) if both else None,
        }


@dataclass(frozen=True)
class _Pair:
    """A slice and all other test rows; `alone` if the others are a slice, too."""

    column: str
    value: str
    sensitive: bool
    inside: _Rows
    outside: _Rows
    alone: bool

    @property
    def compared(self) -> tuple[str, ...]:
        """Metrics that slice and other rows are compared in."""
        return (*COMPARED, COMPARED_IF_SENSITIVE) if self.sensitive else COMPARED

    @property
    def small(self) -> bool:
        """Whether either side has too few rows to flag a gap."""
        return self.inside.small or self.outside.small


def _pairs(rows: _Rows, index: pd.Index, slice_labels: pd.DataFrame, dataset: Dataset) -> Iterator[_Pair]:
    for column in slice_labels:
        labels = slice_labels[column].loc[index]
        codes, values = labels.cat.codes.to_numpy(), list(labels.cat.categories)
        for code, value in enumerate(values):
            inside = codes == code
            if inside.any():
                sensitive, sides = column in dataset.sensitive, (rows.where(inside), rows.where(~inside))
                yield _Pair(str(column), str(value), sensitive, *sides, alone=len(values) == 2)


def _count_comparisons(pairs: list[_Pair]) -> int:
    """Number of gaps that can be flagged; mirrored gaps of a binary column count once."""
    counted = [len(pair.compared) / (2 if pair.alone else 1) for pair in pairs if not pair.small]
    return round(sum(counted))


def _find_gaps(pair: _Pair, level: float) -> dict[str, Gap]:
    """Gaps of a slice with intervals of the corrected `level`; metrics with too few rows are left out."""
    if not len(pair.outside.labels):
        return {}
    inside, outside = pair.inside.estimates(level), pair.outside.estimates(level)
    gaps = {}
    for metric in pair.compared:
        one, other = inside[metric], outside[metric]
        if one is not None and other is not None:
            gap = difference(one, other)
            excludes_zero = gap.low > 0 or gap.high < 0
            gaps[metric] = Gap(*gap, flagged=excludes_zero and not pair.small)
    return gaps


def _metrics(rows: _Rows, evaluation: Evaluation, floor_level: float) -> dict[str, SliceEstimate | None]:
    few = rows.sample.few_units
    found: dict[str, SliceEstimate | None] = {
        metric: None if estimate is None else SliceEstimate(*estimate, approximate=few)
        for metric, estimate in rows.estimates(LEVEL).items()
    }
    if found["auc"] is None:
        return found | dict.fromkeys(_RESAMPLED)
    frame = pd.DataFrame({"label": rows.labels, "model": rows.probabilities})
    drawn = measure_models(frame, {"model": rows.threshold}, rows.sample, evaluation)["model"]
    # As far as the tails of a normal would reach: those of a thousand resamples are too thin at that level.
    further = rows.sample.deviate(floor_level) / rows.sample.deviate(LEVEL)
    floors = {
        metric: max(0.0, drawn[metric].value - (drawn[metric].value - drawn[metric].ends[0]) * further)
        for metric in _FLOORED
    }
    if (corrected := rows.estimates(floor_level)["auc"]) is not None:
        floors["auc"] = corrected.low
    for metric in ("auc", *_RESAMPLED):
        found[metric] = SliceEstimate(**asdict(drawn[metric]), floor_low=floors.get(metric))
    return found
