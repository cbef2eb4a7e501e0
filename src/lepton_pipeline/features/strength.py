"""How well a feature predicts the target alone."""

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
    """How well a feature predicts the target alone.

    Attributes:
        auc: of cross-fitted scores; 0.5 where a class has too few rows.
        error: standard error of the AUC.
        missing: fraction of rows without a value.
        contradicted: rows whose label is not the one that the value stands for.
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
    """Measure every feature alone on at most 100,000 rows, the strongest first.

    Numbers are binned, categories are their own bins; the positive rates of one half score the other half, so
    that many categories do not look strong by chance and relations need not be monotone.
    """
    picked = sample_positions(len(training), SAMPLED_ROWS)
    labels = labels[picked]
    halves = stratified_halves(labels)
    features = {str(name): _alone(training[name].to_numpy()[picked], labels, halves) for name in training}
    return dict(sorted(features.items(), key=lambda item: -item[1].auc))


def stratified_halves(labels: Codes) -> Codes:
    """Assign a random half of each class to half 1, the rest to half 0."""
    halves = np.zeros(len(labels), np.intp)
    rng = np.random.default_rng(SEED)
    for label in (0, 1):
        halves[rng.permutation(np.flatnonzero(labels == label))[::2]] = 1
    return halves


def _alone(values: np.ndarray, labels: Codes, halves: Codes) -> Alone:
    """Score each half by the positive rates of the other half's bins."""
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
    """Merge levels into bins of about equal size; level 0, missing, stays apart."""
    if levels.max() <= 2 * most:
        return levels
    rows = np.bincount(levels)[1:]
    middles = (rows.cumsum() - rows / 2) / rows.sum()
    return np.concatenate([[0], (middles * most).astype(np.intp) + 1])[levels]


def _rates(counts: Codes) -> Floats:
    """Smoothed positive rate of each bin, from counts of negative and positive rows [2, bins]."""
    prior = SMOOTHING * counts[1].sum() / counts.sum()
    rates: Floats = (counts[1] + prior) / (counts.sum(axis=0) + SMOOTHING)
    return rates


def binned_auc(counts: Codes, scores: Floats) -> tuple[float, float]:
    """AUC and standard error from negative and positive counts by bin [2, bins], and a score of each bin."""
    groups = np.unique(scores, return_inverse=True)[1]
    return delong(np.stack([np.bincount(groups, each) for each in counts]))


def _monotone_auc(counts: Codes) -> tuple[float, float]:
    """AUC of the levels themselves, oriented by the other half."""
    (first, error), (second, second_error) = (delong(each) for each in counts)
    oriented = first if second >= 0.5 else 1 - first, second if first >= 0.5 else 1 - second
    return mean_of_halves([(oriented[0], error), (oriented[1], second_error)])


def mean_of_halves(halves: list[tuple[float, float]]) -> tuple[float, float]:
    """Mean AUC and mean standard error of two halves that scored each other."""
    # What one half shows by chance the other does not contradict, so that errors do not average out.
    return sum(each[0] for each in halves) / 2, sum(each[1] for each in halves) / 2


def _contradicted(counts: Codes, others: Codes) -> int:
    """Rows whose label is not the majority of their bin in the other half."""
    known = others.sum(axis=0) > 0
    positive = np.where(known, others[1] > others[0], others[1].sum() > others[0].sum())
    return int(np.where(positive, counts[0], counts[1]).sum())


def _across_threshold(counts: Codes) -> int:
    """Rows on the wrong side of the best threshold; missing values are a third side."""
    below = np.pad(counts[:, 1:].cumsum(axis=1), ((0, 0), (1, 0)))
    above = below[:, -1:] - below
    return int(counts[:, 0].min() + min((below[0] + above[1]).min(), (below[1] + above[0]).min()))


def sample_positions(rows: int, most: int) -> Codes:
    """Draw at most `most` of the positions 0 .. rows - 1, ascending, with a fixed seed."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(SEED).choice(rows, most, replace=False))
