"""What a feature says about the target without the others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.statistics.intervals import normal_deviate
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.ranks import delong

SAMPLED_ROWS = 100_000
# Numbers have a bin for every 20 rows of the rarer class, so that the rates of a small table mean something.
FEWEST_BINS, MOST_BINS, ROWS_A_BIN = 8, 20, 20
# Rates of small categories are drawn towards the base rate as by this many rows.
SMOOTHING = 10
# With fewer rows of the rarer class chance alone makes strong features.
FEWEST, CHANCE = 8, (0.5, 0.25)
SEED = 0

Codes = npt.NDArray[np.intp]


class Alone(NamedTuple):
    """What a feature alone says about the target.

    Attributes:
        auc: of the cross-fitted scores; 0.5 where a class has too few rows.
        error: its standard error.
        missing: fraction of rows without a value.
        contradicted: number of rows whose label is not the one that the value stands for.
    """

    auc: float
    error: float
    missing: float
    contradicted: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the AUC."""
        reach = normal_deviate(0.95) * self.error
        return max(self.auc - reach, 0.0), min(self.auc + reach, 1.0)


def features_alone(training: pd.DataFrame, labels: Codes) -> dict[str, Alone]:
    """Measure what every feature says about the target without the others.

    Numbers are put into bins, categories are their own; the rates of positive rows in one half of the rows
    score the other half, so that many categories do not look strong by chance and relations need not be
    monotone.

    Args:
        training: float64 numbers and int32 codes, at most 100,000 rows of which are used.
        labels: 0 or 1 for each of them.

    Returns:
        Every feature, the strongest first.
    """
    picked = sample_positions(len(training), SAMPLED_ROWS)
    labels = labels[picked]
    halves = stratified_halves(labels)
    features = {str(name): _alone(training[name].to_numpy()[picked], labels, halves) for name in training}
    return dict(sorted(features.items(), key=lambda item: -item[1].auc))


def stratified_halves(labels: Codes) -> Codes:
    """Put a random half of each class into half 1, the rest into half 0."""
    halves = np.zeros(len(labels), np.intp)
    rng = np.random.default_rng(SEED)
    for label in (0, 1):
        halves[rng.permutation(np.flatnonzero(labels == label))[::2]] = 1
    return halves


def _alone(values: np.ndarray, labels: Codes, halves: Codes) -> Alone:
    """Score each half of the rows by the rates of positive rows in the bins of the other half."""
    levels, numbers = _levels(values)
    missing = float((levels == 0).mean())
    rarer = rarer_rows(labels)
    if rarer < FEWEST:
        return Alone(*CHANCE, missing, len(labels))
    bins = _bins(levels, min(max(rarer // ROWS_A_BIN, FEWEST_BINS), MOST_BINS)) if numbers else levels
    counts = _counts(bins, labels, halves)
    auc, error = mean_of_halves([binned_auc(counts[half], _rates(counts[1 - half])) for half in (0, 1)])
    contradicted = sum(_contradicted(counts[half], counts[1 - half]) for half in (0, 1))
    if numbers:
        counts = _counts(levels, labels, halves)
        # In few rows the bins hide a relation that is monotone.
        auc, error = max((auc, error), _monotone_auc(counts))
        contradicted = min(contradicted, _across_threshold(counts.sum(axis=0)))
    return Alone(auc, error, missing, contradicted)


def rarer_rows(labels: Codes) -> int:
    """Count the rows of the rarer class."""
    return int(np.bincount(labels, minlength=2).min())


def _counts(levels: Codes, labels: Codes, halves: Codes) -> Codes:
    """Count rows by half, label and level [2, 2, levels]."""
    width = int(levels.max()) + 1
    return np.bincount(levels + width * (labels + 2 * halves), minlength=4 * width).reshape(2, 2, width)


def _levels(values: np.ndarray) -> tuple[Codes, bool]:
    """Number the distinct values from 1, numbers in their order; 0 is missing."""
    if values.dtype.kind != "f":
        return values.astype(np.intp) + 1, False
    present = ~np.isnan(values)
    levels = np.zeros(len(values), np.intp)
    levels[present] = np.unique(values[present], return_inverse=True)[1] + 1
    return levels, True


def _bins(levels: Codes, most: int) -> Codes:
    """Put many levels into bins of about equal size; equal values stay together, and so do missing ones."""
    if levels.max() <= 2 * most:
        return levels
    rows = np.bincount(levels)[1:]
    middles = (rows.cumsum() - rows / 2) / rows.sum()
    return np.concatenate([[0], (middles * most).astype(np.intp) + 1])[levels]


def _rates(counts: Codes) -> Floats:
    """Rate of positive rows in each bin, from counts of negative and positive rows [2, bins]."""
    rates: Floats = (counts[1] + SMOOTHING * counts[1].sum() / counts.sum()) / (
        counts.sum(axis=0) + SMOOTHING
    )
    return rates


def binned_auc(counts: Codes, scores: Floats) -> tuple[float, float]:
    """AUC and its standard error from negative and positive rows counted by bin [2, bins], and a score of each bin."""
    groups = np.unique(scores, return_inverse=True)[1]
    return delong(np.stack([np.bincount(groups, each) for each in counts]))


def _monotone_auc(counts: Codes) -> tuple[float, float]:
    """AUC of the levels themselves, in each half in the direction of the other."""
    (first, first_error), (second, second_error) = (delong(each) for each in counts)
    return mean_of_halves(
        [
            (first if second >= 0.5 else 1 - first, first_error),
            (second if first >= 0.5 else 1 - second, second_error),
        ]
    )


def mean_of_halves(halves: list[tuple[float, float]]) -> tuple[float, float]:
    """Join the AUC and standard error of two halves that scored each other."""
    # What one half shows by chance the other does not contradict, so that errors do not average out.
    return sum(each[0] for each in halves) / 2, sum(each[1] for each in halves) / 2


def _contradicted(counts: Codes, others: Codes) -> int:
    """Rows whose label is not the more frequent one of their bin among the others; new bins have the others' own."""
    known = others.sum(axis=0) > 0
    positive = np.where(known, others[1] > others[0], others[1].sum() > others[0].sum())
    return int(np.where(positive, counts[0], counts[1]).sum())


def _across_threshold(counts: Codes) -> int:
    """Rows on the wrong side of the best threshold; missing values are a side of their own."""
    below = np.pad(counts[:, 1:].cumsum(axis=1), ((0, 0), (1, 0)))
    above = below[:, -1:] - below
    return int(counts[:, 0].min() + min((below[0] + above[1]).min(), (below[1] + above[0]).min()))


def sample_positions(rows: int, most: int) -> Codes:
    """Draw at most `most` of the positions 0 .. rows - 1, in ascending order; the same ones every time."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(SEED).choice(rows, most, replace=False))
