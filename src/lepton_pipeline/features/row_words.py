"""Words of texts, each counted once a row, by which rows are compared."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.features.column_encoders import distinct_texts
from lepton_pipeline.features.grams import WORD
from lepton_pipeline.features.text import clean

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# A word that fewer rows share may identify a person.
FEWEST_ROWS = 20
# Words that are too few to compare alone are compared in so many groups, by hash: another topic has others.
GROUPS = 20

Bins = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class RowWords:
    """Which row has which word, sparse [rows, words] of ones, however often it stands there."""

    words: list[str]
    held: csr_matrix

    @classmethod
    def of(cls, column: pd.Series) -> RowWords:
        """Split the texts of a column; a missing text has no words."""
        from scipy.sparse import csr_matrix

        positions, texts = distinct_texts(column, "text")
        find, codes = re.compile(WORD).findall, dict[str, int]()
        own = [
            np.array(list({codes.setdefault(word, len(codes)) for word in find(clean(text))}), np.int32)
            for text in [*texts, ""]
        ]
        places = np.concatenate([[0], np.cumsum([len(each) for each in own])])
        shape = (len(own), len(codes))
        held = csr_matrix((np.ones(places[-1], np.int8), np.concatenate(own), places), shape=shape)
        # A missing value has position -1, which is the last entry.
        return cls(list(codes), held[positions % len(own)])

    @property
    def wordless(self) -> npt.NDArray[np.bool_]:
        """Which rows have no word, [rows]."""
        return np.asarray(np.diff(self.held.indptr) == 0)

    @property
    def counts(self) -> pd.Series:
        """Rows that have each word, the most frequent first."""
        rows = np.bincount(self.held.indices, minlength=len(self.words))
        counted = pd.Series(rows, pd.Index(self.words, dtype=object))
        return counted.sort_index().sort_values(ascending=False, kind="stable")

    def rows_with(self, words: Collection[str]) -> int:
        """How many rows have at least one of some words."""
        asked = np.array([word in words for word in self.words], dtype=bool)
        # A row that has several counts once.
        rows = np.repeat(np.arange(self.held.shape[0]), np.diff(self.held.indptr))
        return len(np.unique(rows[asked[self.held.indices]]))

    def dependence(self, bins: Bins) -> float:
        """How many words carry as much information on the shares of bins as one that is drawn by itself.

        Words of one row go together. This is the mean design effect of cluster sampling with rows as clusters
        (Rao and Scott 1981, "The Analysis of Categorical Data from Complex Sample Surveys", section 3), by which
        a chi-square statistic of words is too large on average. `bins` are of `words`; at least 1.
        """
        from scipy.sparse import csr_matrix

        rows, number = self.held.shape[0], int(bins.max(initial=0)) + 1
        ones = np.ones(len(self.words))
        binned = self.held @ csr_matrix((ones, (np.arange(len(self.words)), bins)), (len(self.words), number))
        counts = np.asarray(binned.sum(axis=0)).ravel()
        used, total = counts > 0, counts.sum()
        if used.sum() < 2 or rows < 2:
            return 1.0
        shares, words = counts / total, np.diff(self.held.indptr)
        squares = np.asarray(binned.multiply(binned).sum(axis=0)).ravel()
        products = np.asarray(binned.T @ words).ravel()
        # Sum over rows of (count - share * words) ** 2.
        spread = squares - 2 * shares * products + shares**2 * (words.astype(np.float64) ** 2).sum()
        effect = (spread[used] / shares[used]).sum() / total * rows / (rows - 1) / (used.sum() - 1)
        return float(max(effect, 1.0))

    def in_order(self, bins: Bins) -> Bins:
        """Bins of all words of all rows, row by row."""
        return bins[self.held.indices]


def word_bins(words: Sequence[str], known: Collection[str], apart: Sequence[str]) -> Bins:
    """Bin of each word: its own if it stands apart, one of 20 if it is known, else the last."""
    own = {word: place for place, word in enumerate(apart)}
    last = len(own) + GROUPS
    return np.array(
        [
            own[word] if word in own else len(own) + crc32(word.encode()) % GROUPS if word in known else last
            for word in words
        ],
        dtype=np.intp,
    )
