import datetime

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.model.attribution import show, typical_row


def test_numbers_have_their_median_other_columns_the_most_frequent_value():
    rows = pd.DataFrame(
        {
            "age": [30, 50, 40, 20] * 3,
            "size": [1.5, np.nan, 2.5, 9.0] * 3,
            "code": ["2", "1", "3", None] * 3,
            "city": ["Rome", "Oslo", "Rome", None] * 3,
            "member": [True, False, True, True] * 3,
            "day": pd.to_datetime(["2024-01-01", "2024-03-01", "2024-02-01", None] * 3),
        }
    )
    assert typical_row(rows, ["age", "size", "code"]) == {
        "age": 30,
        "size": 2.5,
        "code": 2,
        "city": "Rome",
        "member": True,
        "day": "2024-02-01T00:00:00",
    }


def test_what_is_mostly_missing_or_a_single_row_s_own_is_missing():
    rows = pd.DataFrame({"rate": [1.0] + [None] * 2, "name": ["Ann", "Bob", "Eve"], "gone": [None] * 3})
    assert typical_row(rows, ["rate"]) == {"rate": None, "name": None, "gone": None}


def test_ties_do_not_depend_on_the_order_of_rows():
    rows = pd.DataFrame({"city": ["Rome", "Oslo"] * 20})
    assert typical_row(rows, []) == typical_row(rows.iloc[::-1], []) == {"city": "Oslo"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2.0, "2"),
        (np.int64(-7), "-7"),
        (10**20, "100000000000000000000"),
        (0.1 + 0.2, "0.3"),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
        (np.True_, "True"),
        (None, "missing"),
        (np.nan, "missing"),
        (pd.NaT, "missing"),
        (pd.NA, "missing"),
        (pd.Timestamp("2024-02-01"), "2024-02-01"),
        (pd.Timestamp("2024-02-01 12:30"), "2024-02-01T12:30:00"),
        (datetime.date(2024, 2, 1), "2024-02-01"),
        (" São\nPaulo ", "São Paulo"),
        ("x" * 100, "x" * 59 + "…"),
        (["a", 1], "['a', 1]"),
    ],
)
def test_values_are_shown_as_a_reader_knows_them(value, shown):
    assert show(value) == shown


def test_no_text_is_typical_however_many_rows_share_it():
    rows = pd.DataFrame({"title": ["Private room"] * 50, "city": ["Oslo"] * 50})
    assert typical_row(rows, [], ["title"]) == {"title": "", "city": "Oslo"}
