"""How a column was distributed in training rows and is in new ones, from the counts that a reference keeps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.distributions import BINS, MOST_VALUES, OTHERS
from lepton_pipeline.features.column_encoders import LARGEST, CategoricalColumn, as_numbers
from lepton_pipeline.features.encode import EncodedColumn
from lepton_pipeline.features.row_words import RowWords
from lepton_pipeline.operations.monitoring.drift import FEWEST_OF_A_LEVEL, SHOWN_CHARACTERS
from lepton_pipeline.operations.monitoring.findings import BeforeAfter
from lepton_pipeline.operations.monitoring.reference import Categories, Numbers, Words
from lepton_pipeline.system.readable import clipped

# Share of new numbers that are counted in the first and in the last bin, in which the reference has as many.
_BEYOND = 0.01


def describe_change(
    column: EncodedColumn, kept: Numbers | Categories, values: pd.Series
) -> BeforeAfter | None:
    """Distributions of a column in the reference and in new `values`; None where either has no value."""
    if isinstance(kept, Numbers):
        numbers = as_numbers(values)
        return _of_numbers(kept, np.clip(numbers[~np.isnan(numbers)], -LARGEST, LARGEST))
    if isinstance(kept, Words):
        words = RowWords.of(values)
        rows = len(values) - int(words.wordless.sum())
        return _of_categories(kept, words.counts, kept.rows, rows, others=False)
    if isinstance(column, CategoricalColumn):
        seen = column.texts(values).value_counts()
        return _of_categories(kept, seen, sum(kept.levels.values()) + kept.rare, int(seen.sum()), others=True)
    raise TypeError(f"{column.name!r} is of another kind in the reference than in the model")


def _of_numbers(kept: Numbers, known: np.ndarray) -> BeforeAfter | None:
    """Shares by 20 equal bins; rows beyond the outermost are counted in them.

    Rows of the reference are known up to its quantiles, and spread evenly between two.
    """
    if not kept.grid or not len(known):
        return None
    # As few rows as may be named lie beyond the ends.
    beyond = min(max(_BEYOND, FEWEST_OF_A_LEVEL / len(known)), 0.5)
    ends = np.quantile(known, [beyond, 1 - beyond])
    low, high = min(ends[0], kept.grid[0]), max(ends[1], kept.grid[-1])
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    places = np.clip(np.searchsorted(edges, known, side="right") - 1, 0, BINS - 1)
    after = np.bincount(places, minlength=BINS) / len(known)
    below = np.array([0.0, *(_rows_below(kept, edge) for edge in edges[1:-1]), kept.known])
    return BeforeAfter(edges.tolist(), [], (np.diff(below) / kept.known).tolist(), after.tolist())


def _rows_below(kept: Numbers, edge: float) -> float:
    """Rows of the reference with less than a value; those beyond its quantiles count as at the nearest one."""
    place = int(np.searchsorted(kept.grid, edge))
    if place == 0:
        return 0.0
    if place == len(kept.grid):
        return float(kept.known)
    start, end = kept.grid[place - 1 : place + 1]
    passed, ahead = kept.through[place - 1], kept.below[place]
    return passed + (ahead - passed) * (edge - start) / (end - start)


def _of_categories(
    kept: Categories, seen: pd.Series, rows: int, rows_new: int, *, others: bool
) -> BeforeAfter | None:
    """Shares of the eight levels with the largest changes, in order of the reference, and of all others together."""
    if not rows or not rows_new:
        return None
    before = pd.Series(kept.levels, dtype="float64") / rows
    # A level that few rows have may identify a person.
    named = seen[seen.index.isin(before.index) | (seen >= FEWEST_OF_A_LEVEL)]
    shares = pd.DataFrame({"before": before, "after": named / rows_new}).fillna(0.0)
    changes = (shares["after"] - shares["before"]).abs()
    chosen = shares.loc[changes.sort_values(ascending=False, kind="stable").index[:MOST_VALUES]]
    chosen = chosen.sort_values("before", ascending=False, kind="stable")
    names = [clipped(str(level), SHOWN_CHARACTERS) for level in chosen.index]
    rest = 1 - chosen.sum()
    if others and rest.max() > 1e-9:
        names.append(OTHERS)
        chosen.loc[OTHERS] = rest.clip(lower=0.0)
    return BeforeAfter([], names, chosen["before"].tolist(), chosen["after"].tolist())
