"""Measures of ranked lists, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lepton_pipeline.statistics.ranking_measures import hit_rate, ndcg, novelty, recall

HITS = np.array([[False, True, True, False], [False, False, False, False], [True, True, False, False]])
RELEVANT = np.array([3, 1, 2])


def test_ndcg_is_relative_to_what_the_list_could_hold():
    by_hand = (1 / np.log2(3) + 1 / np.log2(4)) / (1 + 1 / np.log2(3) + 1 / np.log2(4))
    assert ndcg(HITS, RELEVANT, at=3).tolist() == pytest.approx([by_hand, 0, 1])
    # The ideal of two places, however many items are relevant.
    assert ndcg(HITS, np.array([100, 1, 2]), at=2)[0] == pytest.approx(
        (1 / np.log2(3)) / (1 + 1 / np.log2(3))
    )


def test_recall_counts_as_many_as_fit():
    assert recall(HITS, RELEVANT, at=2).tolist() == [0.5, 0, 1]
    assert recall(HITS, RELEVANT, at=4).tolist() == pytest.approx([2 / 3, 0, 1])


def test_one_hit_is_enough():
    assert hit_rate(HITS, at=1).tolist() == [0, 0, 1]
    assert hit_rate(HITS, at=2).tolist() == [1, 0, 1]


def test_a_rare_item_is_new_and_a_short_list_counts_what_it_has():
    offered = np.array([[0, 1], [1, -1], [-1, -1]])
    assert novelty(offered, np.array([0.25, 0.5]), at=2).tolist() == [1.5, 1.0, 0.0]
