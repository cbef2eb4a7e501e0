"""Drift of the model's inputs between training and other rows, column by column."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lepton_pipeline.features.column_encoders import CategoricalColumn, NumericColumn, as_numbers
from lepton_pipeline.features.encode import EncodedColumn, Encoder
from lepton_pipeline.features.row_words import FEWEST_ROWS, GROUPS, RowWords, word_bins
from lepton_pipeline.statistics.two_samples import chi_square, holm, missing_test, stability_index

# Above .1 a shift is by custom worth a look, above .25 it is large (Siddiqi 2006, "Credit Risk Scorecards").
PSI_BOUND = 0.1
LEVEL = 0.05
_BINS = 10
# A level with fewer rows than this in either part, were both alike, is counted among the others: cells that
# small make the chi-square approximation wrong (Cochran 1954) and the PSI noise.
_FEWEST = 5
_SMALLEST_SHARE = 0.01
_SHOWN_LEVELS = 10
# Statistic, p-values, rows by value with the missing ones last, PSI, and new levels.
_Compared = tuple[float, list[float], tuple[np.ndarray, np.ndarray], float, list[str]]


@dataclass(frozen=True)
class ColumnDrift:
    """Drift of one column, see `compare_rows`."""

    column: str
    kind: str  # "number", "category" or "text", whose levels are its words
    statistic: float  # of the Kolmogorov-Smirnov or chi-square test of non-missing values
    p_value: float  # the smallest of the column's tests, corrected
    psi: float
    missing_train: float  # shares of the training rows and of the others
    missing_test: float
    new_levels: list[str]  # at most ten categories without a training row, the most frequent first
    flagged: bool


@dataclass(frozen=True)
class Drift:
    """Drift of all columns between training and test rows, with the limits of a flag."""

    columns: list[ColumnDrift]
    rows_train: int
    rows_test: int
    psi_bound: float = PSI_BOUND
    level: float = LEVEL


def measure_drift(feature_table: pd.DataFrame, split: pd.DataFrame, encoder: Encoder) -> Drift:
    """Compare the test rows with the training rows by `compare_rows`."""
    # Column by column: both parts are most of the table.
    train, test = (
        feature_table.index.get_indexer(split.index[split["part"] == part]) for part in ("train", "test")
    )
    compared = [
        _compare(column, *(feature_table[column.name].iloc[part] for part in (train, test)))
        for column in encoder.columns
    ]
    return Drift(_corrected(compared), len(train), len(test))


def compare_rows(train: pd.DataFrame, other: pd.DataFrame, encoder: Encoder) -> list[ColumnDrift]:
    """Compare other rows with training rows, column by column, in the encoder's order.

    Numbers are compared by the two-sample Kolmogorov-Smirnov test, categories and missing rates by the
    chi-square test of homogeneity, texts by their words, see `pool_words`. The p-value of a column is
    the smallest of its tests, times their number, corrected over all columns by Holm's method (1979), which needs
    no independence. The tests assume independent rows and reject too often under autocorrelation; so a column is
    flagged only if the population stability index (PSI) is also above `PSI_BOUND`. Bins are tenths of the training
    values, or levels with at least 1 % of the rows and one for all others; missing values have their own.
    """
    return _corrected(
        [_compare(column, train[column.name], other[column.name]) for column in encoder.columns]
    )


def _corrected(compared: list[ColumnDrift]) -> list[ColumnDrift]:
    """Correct the p-values over all columns, and flag those that drift."""
    corrected = holm([each.p_value for each in compared]).tolist()
    return [
        replace(each, p_value=p_value, flagged=p_value <= LEVEL and each.psi > PSI_BOUND)
        for each, p_value in zip(compared, corrected, strict=True)
    ]


def _compare(column: EncodedColumn, train: pd.Series, other: pd.Series) -> ColumnDrift:
    """Compare one column, with its p-value before correction."""
    if isinstance(column, NumericColumn):
        kind, compared = "number", _compare_numbers(as_numbers(train), as_numbers(other))
    elif isinstance(column, CategoricalColumn):
        kind, compared = "category", _compare_categories(column.texts(train), column.texts(other))
    else:
        kind, compared = "text", _compare_texts(train, other)
    statistic, p_values, counts, psi, new_levels = compared
    p_values += missing_test(*counts)
    missing_train, missing_other = (float(rows[-1] / max(rows.sum(), 1)) for rows in counts)
    return ColumnDrift(
        column=column.name,
        kind=kind,
        statistic=statistic,
        p_value=min(1.0, min(p_values) * len(p_values)),
        psi=psi,
        missing_train=missing_train,
        missing_test=missing_other,
        new_levels=new_levels[:_SHOWN_LEVELS],
        flagged=False,
    )


def _compare_numbers(train: np.ndarray, other: np.ndarray) -> _Compared:
    from scipy.stats import ks_2samp

    known, known_other = train[~np.isnan(train)], other[~np.isnan(other)]
    statistic, p_values = 0.0, []
    if len(known) and len(known_other):
        tested = ks_2samp(known, known_other, method="asymp")
        statistic, p_values = float(tested.statistic), [float(tested.pvalue)]
    edges = np.zeros(0)
    if len(known):
        edges = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS, method="inverted_cdf"))
    one, two = (
        np.append(np.bincount(np.searchsorted(edges, some), minlength=len(edges) + 1), len(rows) - len(some))
        for some, rows in ((known, train), (known_other, other))
    )
    return statistic, p_values, (one, two), stability_index(one, two), []


def _compare_categories(train: pd.Series, other: pd.Series) -> _Compared:
    counts = pd.DataFrame({"train": train.value_counts(), "other": other.value_counts()})
    counts = counts.fillna(0).sort_index()
    pooled = pool_levels(counts)
    new = counts[counts["train"] == 0].sort_values("other", ascending=False, kind="stable")
    whole = np.vstack([pooled, [train.isna().sum(), other.isna().sum()]])
    pair = whole[:, 0], whole[:, 1]
    return *chi_square(pooled), pair, stability_index(*pair), [str(level) for level in new.index]


def _compare_texts(train: pd.Series, other: pd.Series) -> _Compared:
    words, words_other = RowWords.of(train), RowWords.of(other)
    counts = pd.DataFrame({"train": words.counts, "other": words_other.counts}).fillna(0).sort_index()
    frequent = counts["train"] >= FEWEST_ROWS
    pooled = pool_words(counts[frequent], counts[~frequent].sum().to_numpy())
    tested = chi_square(pooled / words.dependence(bins_of_words(words, counts.index[frequent])))
    one, two = (np.array([np.sum(~each.wordless), np.sum(each.wordless)]) for each in (words, words_other))
    new = counts.loc[(counts["train"] == 0) & (counts["other"] >= FEWEST_ROWS), "other"]
    named = list(new.sort_values(ascending=False, kind="stable").index)
    return *tested, (one, two), stability_index(*pooled.T) + stability_index(one, two), named


def pool_levels(counts: pd.DataFrame) -> np.ndarray:
    """Rows by level (row) and part (column), levels too small to compare pooled in the last row."""
    rows = counts.sum()
    share = counts.sum(axis=1) / max(rows.sum(), 1)
    apart = (share * rows.min() >= _FEWEST) & (share >= _SMALLEST_SHARE)
    return np.vstack([counts[apart].to_numpy(), counts[~apart].to_numpy().sum(axis=0)])


def pool_words(known: pd.DataFrame, others: np.ndarray) -> np.ndarray:
    """Rows by word or pool of words (row) and part (column).

    `known` are the rows that have each word that is kept apart in the reference, `others` those of all other words.
    Known words too few to compare alone are pooled in groups, by hash, and not with the others: texts of another
    topic have other groups and more new words.
    """
    totals = known.sum().to_numpy() + others
    share = known.sum(axis=1) / max(totals.sum(), 1)
    alone = list(known.index[(share * totals.min() >= _FEWEST) & (share >= _SMALLEST_SHARE)])
    bins = word_bins(list(known.index), known.index, alone)
    pooled = [np.bincount(bins, known[part], len(alone) + GROUPS + 1) for part in known]
    return pool_levels(pd.DataFrame(np.column_stack(pooled) + np.eye(len(pooled[0]))[:, -1:] * others))


def bins_of_words(words: RowWords, known: Collection[str]) -> np.ndarray:
    """The bins that `pool_words` makes of words, as far as the reference alone tells."""
    counts = words.counts
    alone = counts.index[(counts >= _SMALLEST_SHARE * counts.sum()) & counts.index.isin(list(known))]
    return word_bins(words.words, set(known), list(alone))
