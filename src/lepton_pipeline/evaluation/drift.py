"""Drift of the model's inputs between training and other rows, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.features.column_encoders import CategoricalColumn, NumericColumn, as_numbers
from lepton_pipeline.features.encode import Encoder
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


@dataclass(frozen=True)
class _Comparison:
    """Comparison of one column, "number" or "category".

    Attributes:
        statistic: of the Kolmogorov-Smirnov or chi-square test of non-missing values.
        p_values: of that test, and of the one on missing values, if there are some.
        counts: rows by bin of training and of the other rows, missing ones last.
        new_levels: categories without a training row, the most frequent first.
    """

    kind: str
    statistic: float
    p_values: list[float]
    counts: tuple[np.ndarray, np.ndarray]
    new_levels: list[str]


def measure_drift(feature_table: pd.DataFrame, split: pd.DataFrame, encoder: Encoder) -> dict[str, Any]:
    """Compare the test rows with the training rows by `compare_rows`, with the limits of a flag."""
    train, test = (feature_table.loc[split.index[split["part"] == part]] for part in ("train", "test"))
    return {
        "columns": compare_rows(train, test, encoder),
        "rows_train": len(train),
        "rows_test": len(test),
        "psi_bound": PSI_BOUND,
        "level": LEVEL,
    }


def compare_rows(train: pd.DataFrame, other: pd.DataFrame, encoder: Encoder) -> list[dict[str, Any]]:
    """Compare other rows with training rows, column by column, in the encoder's order.

    Numbers are compared by the two-sample Kolmogorov-Smirnov test, categories and missing rates by the
    chi-square test of homogeneity. The p-value of a column is the smallest of its tests, times their number,
    corrected over all columns by Holm's method (1979), which needs no independence. The tests assume
    independent rows and reject too often under autocorrelation; so a column is flagged only if the population
    stability index (PSI) is also above `PSI_BOUND`. Bins are tenths of the training values, or levels with at
    least 1 % of the rows and one for all others; missing values have their own.

    Returns a dict for each column: `column`, `kind`, `statistic`, `p_value` (corrected), `psi`,
    `missing_train` and `missing_test` (shares), `new_levels` (at most ten), `flagged`.
    """
    compared = [_compare(column, train[column.name], other[column.name]) for column in encoder.columns]
    surprise = holm([min(1.0, min(each.p_values) * len(each.p_values)) for each in compared])
    return [
        _describe(column.name, each, float(p_value))
        for column, each, p_value in zip(encoder.columns, compared, surprise, strict=True)
    ]


def _describe(name: str, each: _Comparison, p_value: float) -> dict[str, Any]:
    psi = stability_index(*each.counts)
    missing_train, missing_other = (float(counts[-1] / max(counts.sum(), 1)) for counts in each.counts)
    return {
        "column": name,
        "kind": each.kind,
        "statistic": each.statistic,
        "p_value": p_value,
        "psi": psi,
        "missing_train": missing_train,
        "missing_test": missing_other,
        "new_levels": each.new_levels[:_SHOWN_LEVELS],
        "flagged": p_value <= LEVEL and psi > PSI_BOUND,
    }


def _compare(column: NumericColumn | CategoricalColumn, train: pd.Series, other: pd.Series) -> _Comparison:
    if isinstance(column, NumericColumn):
        return _compare_numbers(as_numbers(train), as_numbers(other))
    return _compare_categories(column.texts(train), column.texts(other))


def _compare_numbers(train: np.ndarray, other: np.ndarray) -> _Comparison:
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
    return _Comparison("number", statistic, p_values + missing_test(one, two), (one, two), [])


def _compare_categories(train: pd.Series, other: pd.Series) -> _Comparison:
    counts = pd.DataFrame({"train": train.value_counts(), "other": other.value_counts()})
    counts = counts.fillna(0).sort_index()
    rows = counts.sum()
    pooled = pool_levels(counts)
    new = counts[counts["train"] == 0].sort_values("other", ascending=False, kind="stable")
    statistic, p_values = chi_square(pooled)
    missing = [len(train) - rows["train"], len(other) - rows["other"]]
    whole = np.vstack([pooled, missing])
    one, two = whole[:, 0], whole[:, 1]
    p_values += missing_test(one, two)
    return _Comparison("category", statistic, p_values, (one, two), [str(level) for level in new.index])


def pool_levels(counts: pd.DataFrame) -> np.ndarray:
    """Rows by level (row) and part (column), levels too small to compare pooled in the last row."""
    rows = counts.sum()
    share = counts.sum(axis=1) / max(rows.sum(), 1)
    apart = (share * rows.min() >= _FEWEST) & (share >= _SMALLEST_SHARE)
    return np.vstack([counts[apart].to_numpy(), counts[~apart].to_numpy().sum(axis=0)])
