"""Interactions per customer, item and day."""

from __future__ import annotations

import pandas as pd
import pytest
from shop_interactions import declared, visits

from lepton_pipeline.errors import DataError
from lepton_pipeline.recommendation.interactions import Codes, read_interactions

ROWS = [
    ("a", "x", "2020-01-02"),
    ("a", "x", "2020-01-01"),
    ("b", "x", "2020-01-01"),
    ("a", "y", "2020-01-01"),
]


def test_a_row_is_a_customer_an_item_and_a_day():
    found = read_interactions(visits(ROWS), declared())
    assert found[["customer", "item", "day"]].to_numpy().tolist() == [
        ["a", "x", 18262],
        ["a", "x", 18263],
        ["a", "y", 18262],
        ["b", "x", 18262],
    ]
    assert found["units"].tolist() == [1.0] * 4
    assert found["price"].tolist() == [2.0] * 4


def test_a_row_that_stands_twice_is_one_purchase():
    once, twice = (read_interactions(visits(rows), declared()) for rows in (ROWS, ROWS + ROWS[:1]))
    assert len(twice) == len(once)
    assert twice["units"].sum() == once["units"].sum() + 1


def test_returns_and_rows_without_a_name_or_date_count_for_nothing():
    table = visits([*ROWS, ("c", "z", "2020-01-01"), (None, "z", "2020-01-01"), ("c", None, "2020-01-01")])
    table.loc[4, "units"] = -3
    table.loc[0, "when"] = pd.NaT
    found = read_interactions(table, declared())
    assert set(found["customer"]) == {"a", "b"}
    assert len(found) == 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"units": 0}, "none of the 4 interactions has a who, a what and a when with a units above 0"),
        ({"when": "today"}, "recommendation.time: column 'when' holds 'today', no date; declare its format"),
        ({"units": "many"}, "column 'units' holds 'many', no number"),
    ],
)
def test_what_cannot_be_used_is_refused(change, told):
    with pytest.raises(DataError, match=told):
        read_interactions(visits(ROWS).assign(**change), declared())


def test_an_absent_column_and_an_empty_table_are_named():
    with pytest.raises(DataError, match=r"no column 'what', which recommendation.item declares"):
        read_interactions(visits(ROWS).drop(columns="what"), declared())
    with pytest.raises(DataError, match="the table of interactions has no row"):
        read_interactions(visits(ROWS).iloc[:0], declared())


def test_an_unknown_name_has_no_place():
    assert Codes(pd.Index(["a", "c"])).of(pd.Series(["c", "b"])).tolist() == [1, -1]
