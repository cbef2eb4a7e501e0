"""Compare new rows with the counts kept of the training rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import sqrt
from typing import TypeVar

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.drift import pool_levels, pool_words
from lepton_pipeline.features.column_encoders import LARGEST, CategoricalColumn, NumericColumn, as_numbers
from lepton_pipeline.features.embedding_cache import Halves
from lepton_pipeline.features.encode import EncodedColumn, Encoder
from lepton_pipeline.features.row_words import FEWEST_ROWS as FEWEST_OF_A_WORD
from lepton_pipeline.features.row_words import RowWords
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.operations.monitoring.findings import ColumnDrift, DomainDrift, VolumeDrift
from lepton_pipeline.operations.monitoring.reference import (
    Categories,
    Distances,
    Numbers,
    Reference,
    Volume,
    Words,
    count_units,
    hash_level,
)
from lepton_pipeline.parameters import Monitoring
from lepton_pipeline.statistics.two_samples import chi_square, holm, missing_test, stability_index
from lepton_pipeline.system.readable import clipped

# Below it p-values and the PSI are unreliable.
FEWEST_ROWS = 50
_FEWEST_EXPECTED = 5
_SHOWN_LEVELS, SHOWN_CHARACTERS = 10, 40
# A text that fewer rows share may identify a person; it is counted, not shown.
FEWEST_OF_A_LEVEL = 5
_FEWEST_UNITS = 3
Drift = TypeVar("Drift", bound=ColumnDrift | DomainDrift | VolumeDrift)


@dataclass(frozen=True)
class _Test:
    name: str
    statistic: float
    p_value: float


def compare(rows: pd.DataFrame, encoder: Encoder, reference: Reference) -> list[ColumnDrift]:
    """Compare new rows with the reference in every column that the model reads.

    The tests need counts only, so keeping no rows costs nothing but some power:

    - Numbers: the two-sample Kolmogorov-Smirnov test on the stored quantiles. The largest distance of the two
      distribution functions is taken at these points (from below and through them), so it is at most that of
      the whole samples, and the p-value is at least theirs: false alarms do not become more frequent. Also
      the two-sample chi-square test on tenths of the reference, which sees changes of scale and shape better.
      Tenths in which fewer than 5 new rows are expected are joined.
    - Categories: the chi-square test of homogeneity of the levels, rare and new ones together.
    - Texts: the same test of their words, each counted once a row, with the design effect of rows as clusters.
      With an encoder of sentences, also the tests of numbers of the distance from the mean embedding.
    - Missing values of both: the chi-square test of the two rates.

    For autocorrelated rows, chi-square statistics are divided by the design effect of the reference (Rao and
    Scott 1981), and the Kolmogorov-Smirnov test counts so many rows fewer.
    """
    kept = {each.name: each for each in reference.columns}
    return [compare_column(column, kept[column.name], rows[column.name]) for column in encoder.columns]


def compare_column(column: EncodedColumn, kept: Numbers | Categories, values: pd.Series) -> ColumnDrift:
    """Compare one column, see `compare`."""
    if isinstance(column, NumericColumn) and isinstance(kept, Numbers):
        return compare_numbers(kept, as_numbers(values))
    if isinstance(column, TextColumn) and isinstance(kept, Words):
        words, vectors = compare_words(kept, values), column.sentence_vectors(values)
        return (
            words
            if kept.distances is None or not len(vectors)
            else _with_distances(words, kept.distances, vectors)
        )
    if isinstance(column, CategoricalColumn) and isinstance(kept, Categories):
        return _compare_categories(kept, column.texts(values))
    raise TypeError(f"{column.name!r} is of another kind in the reference than in the model")


def compare_numbers(kept: Numbers, values: np.ndarray) -> ColumnDrift:
    """Compare numbers, see `compare`; NaN is missing."""
    known = np.sort(np.clip(values[~np.isnan(values)], -LARGEST, LARGEST))
    counts = np.bincount(np.searchsorted(kept.edges, known), minlength=len(kept.edges) + 1)
    tests = []
    if len(known) and kept.grid:
        tests.append(_kolmogorov_smirnov(kept, known))
        pooled = _joined(np.array(kept.counts) / kept.dependence, counts / kept.dependence)
        statistic, p_values = chi_square(pooled)
        tests += [_Test("chi-square on tenths", statistic, p_value) for p_value in p_values]
    pair = (np.append(kept.counts, kept.missing), np.append(counts, len(values) - len(known)))
    return _describe(kept, tests, pair, stability_index(*pair), _change_of_numbers(kept, known))


def compare_scores(kept: Numbers | Categories, watched: pd.Series) -> ColumnDrift:
    """Compare what is watched of new scores (see `Task.watched`) with that of the test rows, see `compare`."""
    if isinstance(kept, Numbers):
        return compare_numbers(kept, watched.to_numpy())
    return _compare_categories(kept, watched)


def adjusted(tests: Iterable[Drift], monitoring: Monitoring, share: float = 1.0) -> list[Drift]:
    """Correct p-values by Holm's method (1979), and flag what has changed.

    The family-wise error rate stays below `share` of `monitoring.level`, however the tests depend on each
    other. A flag also needs a large effect.
    """
    tests = list(tests)
    corrected = map(float, np.minimum(holm([each.p_value for each in tests]) / share, 1.0))
    return [
        replace(
            each,
            p_adjusted=p_value,
            flagged=p_value <= monitoring.level and each.is_large(monitoring.smallest_psi),
        )
        for each, p_value in zip(tests, corrected, strict=True)
    ]


def compare_volume(kept: Volume, times: np.ndarray, start: float) -> VolumeDrift | None:
    """Compare the number of rows in a unit of time with that of the reference.

    Student's t-test of the mean of the new whole units; each unit is one draw. Trends and seasons make it
    significant too easily, so a change below the factor 1.5 is not flagged. `times` of the new rows and
    `start`, the end of the reference, are on the axis. Returns None where fewer than 3 whole units have
    passed.
    """
    from scipy.stats import t

    counts = np.array(kept.counts, dtype=float)
    new = np.array(count_units(times, start, float(times.max()), kept.unit), dtype=float)
    if len(new) < _FEWEST_UNITS or len(counts) < _FEWEST_UNITS:
        return None
    spread = float(counts.std(ddof=1)) or 1.0
    deviation = (new.mean() - counts.mean()) / (spread * sqrt(1 / len(new) + 1 / len(counts)))
    p_value = float(2 * t.sf(abs(deviation), len(counts) - 1))
    return VolumeDrift(kept.unit, float(counts.mean()), float(new.mean()), len(new), p_value)


def _compare_categories(kept: Categories, texts: pd.Series) -> ColumnDrift:
    seen = texts.value_counts()
    own = seen[seen.index.isin(list(kept.levels))]
    others = seen.drop(own.index)
    counts = pd.DataFrame({"reference": pd.Series(kept.levels, dtype="float64"), "new": own})
    counts = counts.fillna(0.0).sort_index()
    # Under a key that no text can have.
    rest = pd.DataFrame({"reference": [float(kept.rare)], "new": [float(others.sum())]})
    pooled = pool_levels(pd.concat([counts.reset_index(drop=True), rest], ignore_index=True))
    pair = np.vstack([pooled, [kept.missing, int(texts.isna().sum())]])
    statistic, p_values = chi_square(pooled / kept.dependence)
    tests = [_Test("chi-square", statistic, p_value) for p_value in p_values]
    new, psi = _new_levels(kept, others), stability_index(*pair.T)
    drift = _describe(kept, tests, (pair[:, 0], pair[:, 1]), psi, _change_of_levels(kept, seen))
    return _with_new_levels(drift, new, FEWEST_OF_A_LEVEL, int(new.sum()))


def compare_words(kept: Words, values: pd.Series) -> ColumnDrift:
    """Compare the words of texts, see `compare`."""
    words = RowWords.of(values)
    seen = words.counts
    own = seen[seen.index.isin(list(kept.levels))]
    others = seen.drop(own.index)
    counts = pd.DataFrame({"reference": pd.Series(kept.levels, dtype="float64"), "new": own})
    pooled = pool_words(counts.fillna(0.0).sort_index(), np.array([kept.rare, others.sum()], dtype=float))
    statistic, p_values = chi_square(pooled / kept.dependence)
    tests = [_Test("chi-square of words", statistic, p_value) for p_value in p_values]
    missing = int(words.wordless.sum())
    pair = np.array([kept.rows, kept.missing]), np.array([len(values) - missing, missing])
    psi = stability_index(*pooled.T) + stability_index(*pair)
    new = _new_levels(kept, others)
    drift = _describe(kept, tests, pair, psi, _change_of_words(kept, seen, pair[1][0]))
    return _with_new_levels(drift, new, FEWEST_OF_A_WORD, words.rows_with(set(new.index)))


def _with_distances(words: ColumnDrift, kept: Distances, vectors: Halves) -> ColumnDrift:
    """The drift of a column of texts by its words and by the embeddings of those that are not empty."""
    far = compare_numbers(kept.counts, kept.of(vectors))
    told = replace(
        words,
        test=f"{far.test} of distances",
        statistic=far.statistic,
        p_value=far.p_value,
        change=f"distance of sentences from the mean: {far.change}",
    )
    first = min(words, told, key=lambda each: each.p_value)
    return replace(first, p_value=min(1.0, 2 * first.p_value), psi=max(words.psi, far.psi))


def _new_levels(kept: Categories, others: pd.Series) -> pd.Series:
    """Rows by level that was not in training; empty where that is not known."""
    if kept.rare_hashes is None:
        return others.iloc[:0]
    rare = set(kept.rare_hashes)
    return others[[hash_level(str(level)) not in rare for level in others.index]]


def _describe(
    kept: Numbers | Categories,
    tests: list[_Test],
    pair: tuple[np.ndarray, np.ndarray],
    psi: float,
    change: str,
) -> ColumnDrift:
    """Describe a column whose rows by value, missing ones last, are the `pair`."""
    missing, missing_new = (float(counts[-1] / max(counts.sum(), 1)) for counts in pair)
    gaps = missing_test(*(counts / kept.missing_dependence for counts in pair))
    tests += [_Test("missing values", abs(missing_new - missing), p_value) for p_value in gaps]
    first = min(tests, key=lambda test: test.p_value)
    gaps_first = first.name == "missing values" or not change
    gap_change = f"missing in {_percent(missing)} of the rows before, {_percent(missing_new)} now"
    return ColumnDrift(
        column=kept.name,
        test=first.name,
        statistic=first.statistic,
        p_value=min(1.0, first.p_value * len(tests)),
        psi=psi,
        missing_reference=missing,
        missing_new=missing_new,
        new_levels=[],
        rows_of_new_levels=0,
        change=gap_change if gaps_first else change,
    )


def _with_new_levels(drift: ColumnDrift, new: pd.Series, fewest: int, rows: int) -> ColumnDrift:
    """Name the new levels of at least `fewest` rows; `rows` have any new one."""
    named = new.index[new >= fewest][:_SHOWN_LEVELS]
    shown = [clipped(str(level), SHOWN_CHARACTERS) for level in named]
    return replace(drift, new_levels=shown, rows_of_new_levels=rows)


def _kolmogorov_smirnov(kept: Numbers, ordered: np.ndarray) -> _Test:
    from scipy.stats import kstwo

    below, through = np.array(kept.below) / kept.known, np.array(kept.through) / kept.known
    own_below = np.searchsorted(ordered, kept.grid, side="left") / len(ordered)
    own_through = np.searchsorted(ordered, kept.grid, side="right") / len(ordered)
    largest = float(max(np.abs(below - own_below).max(), np.abs(through - own_through).max()))
    # As in scipy's ks_2samp for samples that are not small.
    size = round(kept.known * len(ordered) / (kept.known + len(ordered)) / kept.dependence)
    return _Test("Kolmogorov-Smirnov", largest, float(np.clip(kstwo.sf(largest, max(size, 1)), 0, 1)))


def _joined(reference: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Join neighbouring bins until enough rows are expected in each; shape [bins, 2]."""
    pair = np.column_stack([reference, new]).astype(float)
    while len(pair) > 1:
        expected = pair.sum(axis=1) * pair.sum(axis=0).min() / pair.sum()
        if expected.min() >= _FEWEST_EXPECTED:
            break
        pair = np.add.reduceat(pair, np.arange(0, len(pair), 2), axis=0)
    return pair


def _change_of_numbers(kept: Numbers, ordered: np.ndarray) -> str:
    """The medians; where they agree, the ranges between the 10 % and 90 % quantiles."""
    if not kept.grid or not len(ordered):
        return ""
    shares = np.array([0.1, 0.5, 0.9])
    places = np.minimum(np.searchsorted(kept.through, shares * kept.known), len(kept.grid) - 1)
    low, before, high = np.array(kept.grid)[places]
    low_now, now, high_now = np.quantile(ordered, shares, method="inverted_cdf")
    spread = max(high - low, high_now - low_now)
    if abs(now - before) > 0.1 * spread and _number(before) != _number(now):
        return f"median {_number(before)} before, {_number(now)} now"
    before_text = f"eight in ten values from {_number(low)} to {_number(high)} before"
    return f"{before_text}, from {_number(low_now)} to {_number(high_now)} now"


def _change_of_levels(kept: Categories, seen: pd.Series) -> str:
    """The level whose share has changed most; `seen` are the new rows by level."""
    before = pd.Series(kept.levels, dtype="float64")
    known, known_new = before.sum() + kept.rare, seen.sum()
    if not known or not known_new:
        return ""
    shares = pd.DataFrame(
        {"before": before / known, "now": seen.reindex(before.index).fillna(0.0) / known_new}
    )
    names = [clipped(str(level), SHOWN_CHARACTERS) for level in shares.index] + [
        "values that were rare or unknown"
    ]
    pairs = [*shares.to_numpy(), np.array([kept.rare / known, 1 - shares["now"].sum()])]
    place = int(np.argmax([abs(now - then) for then, now in pairs]))
    then, now = pairs[place]
    return f"{names[place]}: {_percent(then)} of the rows before, {_percent(max(now, 0.0))} now"


def _change_of_words(kept: Words, seen: pd.Series, rows: int) -> str:
    """The word that the share of rows has changed most of, or all others together; `seen` are rows by word."""
    if not kept.rows or not rows:
        return ""
    known = list(kept.levels)
    now = seen.reindex(known).fillna(0.0)
    words, words_now = sum(kept.levels.values()) + kept.rare, int(seen.sum())
    rest = kept.rare / words, 1 - now.sum() / words_now
    shares = [(count / kept.rows, now[word] / rows) for word, count in kept.levels.items()]
    place = int(np.argmax([abs(new - old) for old, new in [*shares, rest]]))
    if place == len(shares):
        return f"words that were rare or unknown: {_percent(rest[0])} of all before, {_percent(max(rest[1], 0.0))} now"
    old, new = shares[place]
    return f"{clipped(known[place], SHOWN_CHARACTERS)!r} in {_percent(old)} of the rows before, {_percent(new)} now"


def _number(value: float) -> str:
    if abs(value) < 1e-12:
        return "0"
    if not 1e-4 <= abs(value) < 1e12:
        return f"{value:.4g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")
