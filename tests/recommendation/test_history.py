"""What was known at a cut."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from shop_interactions import declared, visits

from lepton_pipeline.errors import DataError
from lepton_pipeline.recommendation.history import History, later_pairs
from lepton_pipeline.recommendation.interactions import day_number, read_interactions

ROWS = [
    ("a", "x", "2020-01-01"),
    ("a", "x", "2020-01-11"),
    ("a", "y", "2020-01-11"),
    ("b", "x", "2020-01-06"),
    ("b", "y", "2020-01-06"),
    ("b", "rare", "2020-01-06"),
    # At the cut and after it.
    ("b", "x", "2020-01-21"),
    ("c", "x", "2020-01-25"),
    ("a", "y", "2020-02-20"),
]
CUT = day_number(pd.Timestamp("2020-01-21"))


def history(rows=ROWS, cut=CUT, **changes):
    recommendation = declared(half_life="10d", **changes)
    return History.before(read_interactions(visits(rows), recommendation), cut, 30, recommendation)


def test_only_what_lies_before_the_cut_is_known():
    found = history()
    assert found.customers.names.tolist() == ["a", "b"]
    assert found.items.names.tolist() == ["x", "y"]
    assert found.own["visits"].tolist() == [2, 1, 1, 1]
    assert (found.cut - found.own["last"]).tolist() == [10, 10, 15, 15]
    assert found.own["recent"].tolist() == pytest.approx([0.25 + 0.5, 0.5, 2**-1.5, 2**-1.5])


def test_features_of_items_and_customers():
    found = history()
    assert found.of_items["item_customers"].tolist() == [2, 2]
    assert found.of_items["item_visits_30d"].tolist() == [3, 2]
    assert found.of_items["item_repeat_share"].tolist() == [0.5, 0.0]
    assert found.of_items["item_age_days"].tolist() == [20, 15]
    assert found.of_items["item_season"].isna().all()
    assert found.of_customers["customer_visits"].tolist() == [2, 1]
    assert found.of_customers["customer_basket"].tolist() == [1.5, 2.0]
    assert found.of_customers["customer_last_days"].tolist() == [10, 15]


def test_the_season_is_that_of_a_year_ago():
    rows = [
        ("a", "x", "2019-01-01"),
        ("b", "x", "2019-01-25"),
        ("b", "x", "2019-03-25"),
        ("a", "x", "2019-01-21"),
    ]
    found = history(rows)
    assert found.of_items["item_season"].tolist() == [2.0]
    assert found.own["season"].tolist() == [1.0, 1.0]


def test_weights_halve_in_a_half_life():
    assert np.allclose(history().bought(weighted=True).toarray(), [[0.5, 0.5], [2**-1.5, 2**-1.5]])
    assert history().bought(weighted=False).toarray().tolist() == [[1, 1], [1, 1]]


def test_later_pairs_are_those_of_known_customers_and_items_in_the_label_time():
    found = history()
    # The last row lies 30 days after the cut, customer c was not known.
    assert later_pairs(read_interactions(visits(ROWS), declared()), found, 30).tolist() == [2]
    assert later_pairs(read_interactions(visits(ROWS), declared()), found, 31).tolist() == [1, 2]


def test_later_rows_change_no_bit_of_a_history():
    whole, short = history(), history(ROWS[:6])
    pd.testing.assert_frame_equal(whole.own, short.own, check_exact=True)
    pd.testing.assert_frame_equal(whole.of_items, short.of_items, check_exact=True)
    pd.testing.assert_frame_equal(whole.of_customers, short.of_customers, check_exact=True)


def test_no_item_of_enough_customers_is_refused():
    with pytest.raises(
        DataError, match=r"before 2020-01-21 no item was bought by 9 customers \(the most are 2\)"
    ):
        history(min_customers=9)
