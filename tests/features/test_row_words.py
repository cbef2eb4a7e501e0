"""Words of texts, each counted once a row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.features.row_words import GROUPS, RowWords, word_bins


def words_of(*texts: object) -> RowWords:
    return RowWords.of(pd.Series(texts, name="t", dtype=object))


def test_a_word_counts_once_a_row():
    words = words_of("Sea sea SEA view", "the sea", None, "!", "", "the sea")
    assert words.counts.to_dict() == {"sea": 3, "the": 2, "view": 1}
    assert words.wordless.tolist() == [False, False, True, True, True, False]
    assert words.rows_with({"the", "view"}) == 3
    assert words.rows_with({"hill"}) == words.rows_with(set()) == 0


@pytest.mark.parametrize("texts", [(), (None, ""), ("same",), ("same", "same")])
def test_few_words_are_no_error(texts):
    words = words_of(*texts)
    assert words.counts.sum() == sum(text == "same" for text in texts)
    assert words.dependence(word_bins(words.words, set(words.words), [])) == 1.0


def test_bins_are_words_apart_groups_of_known_ones_and_others():
    bins = word_bins(["sea", "hill", "new", "the"], {"sea", "hill", "the"}, ["the"])
    assert bins[[3, 2]].tolist() == [0, GROUPS + 1]
    assert 1 <= bins[:2].min() <= bins[:2].max() <= GROUPS


def test_words_that_go_together_count_less():
    random = np.random.default_rng(1)
    alone = words_of(*(f"w{number}" for number in random.integers(0, 5, 2000)))
    every = word_bins(alone.words, set(), alone.words)
    assert alone.dependence(every) == pytest.approx(1.0, abs=0.1)
    # Three words that only stand together are one draw.
    triples = words_of(*(f"a{number} b{number} c{number}" for number in random.integers(0, 5, 2000)))
    one_bin_a_row = np.array([int(word[1:]) for word in triples.words])
    assert triples.dependence(one_bin_a_row) == pytest.approx(3.0, abs=0.3)
    assert (
        triples.in_order(one_bin_a_row).tolist()
        == np.repeat(one_bin_a_row[triples.held.indices[::3]], 3).tolist()
    )
