import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.slices import slice_rows
from lepton_pipeline.parameters import Dataset, Evaluation


def name(values, **roles):
    """Slices of one column, by name the values in each."""
    column = pd.Series(values)
    table = pd.DataFrame({"x": column})
    split = pd.DataFrame({"part": "test"}, index=table.index)
    labels = slice_rows(table, split, Dataset(target="y", positive=1, **roles), Evaluation(slices=["x"]))["x"]
    return {value: column[labels == value].tolist() for value in labels.cat.categories}


def test_numbers_fall_into_quarters_named_by_their_ends():
    slices = name([1000 * row for row in range(1, 13)])
    assert slices == {
        "1,000 to 3,000": [1000, 2000, 3000],
        "4,000 to 6,000": [4000, 5000, 6000],
        "7,000 to 9,000": [7000, 8000, 9000],
        "10,000 to 12,000": [10000, 11000, 12000],
    }


def test_a_value_that_many_rows_share_stands_in_one_slice():
    slices = name([0] * 30 + list(range(1, 11)))
    assert list(slices) == ["0", "1 to 10"]
    assert len(slices["0"]) == 30


def test_fractions_are_shown_with_as_many_digits_as_tell_them_apart():
    assert list(name(np.linspace(0.01, 0.2, 20))) == [
        "0.01 to 0.05",
        "0.06 to 0.1",
        "0.11 to 0.15",
        "0.16 to 0.2",
    ]
    # Rounded, all quarters would have one name.
    assert len(name(1 + np.arange(20) / 1e9)) == 4


def test_few_numbers_are_categories_in_their_order():
    assert list(name([10, 9, 9, 10, 1])) == ["1", "9", "10"]
    assert list(name([1.0, 0.0, np.nan])) == ["0", "1", "(missing)"]
    assert list(name(range(9), categorical=["x"])) == [str(value) for value in range(9)]


def test_missing_values_are_a_slice_of_their_own():
    slices = name(["b", None, "a"])
    assert list(slices) == ["a", "b", "(missing)"]
    assert len(slices["(missing)"]) == 1
    assert list(name([None, None])) == ["(missing)"]


def test_of_many_categories_the_largest_stand_alone():
    values = [letter for size, letter in enumerate("abcdefghijkl", start=1) for _ in range(size)]
    slices = name(values)
    assert list(slices) == [*"lkjihgfe", "(4 others)"]
    assert set(slices["(4 others)"]) == set("abcd")
    assert list(name(list("abcdefghi"))) == list("abcdefghi")


def test_truth_values_and_mixed_values_are_categories():
    assert list(name([True, False, True])) == ["False", "True"]
    assert list(name(pd.Series([1, "a", 2.5], dtype="object"))) == ["1", "2.5", "a"]


@pytest.mark.parametrize("zone", [None, "Europe/Oslo"])
def test_dates_fall_into_quarters(zone):
    days = pd.date_range("2024-01-01", periods=12, tz=zone)
    assert next(iter(name(days))) == "2024-01-01 to 2024-01-03"
    assert list(name(days + pd.Timedelta("6h")))[-1] == "2024-01-10 06:00 to 2024-01-12 06:00"
    assert list(name(days[:2])) == ["2024-01-01", "2024-01-02"]


def test_only_test_rows_are_named_by_every_sensitive_and_every_declared_column(tmp_path):
    table = pd.DataFrame({"sex": ["f", "m", "f"], "age": [30, 40, 50], "y": [0, 1, 0]}, index=[4, 6, 8])
    split = pd.DataFrame({"part": ["test", "train", "test"]}, index=table.index)
    dataset = Dataset(target="y", positive=1, sensitive=["sex"])
    labels = slice_rows(table, split, dataset, Evaluation(slices=["age", "sex"]))
    assert labels.astype(str).to_dict("index") == {4: {"sex": "f", "age": "30"}, 8: {"sex": "f", "age": "50"}}
    labels.to_parquet(tmp_path / "labels.parquet")
    back = pd.read_parquet(tmp_path / "labels.parquet")
    assert list(back["age"].cat.categories) == ["30", "50"]


def test_without_columns_there_is_nothing_to_name():
    table, split = pd.DataFrame({"y": [0, 1]}), pd.DataFrame({"part": ["test"] * 2})
    assert slice_rows(table, split, Dataset(target="y", positive=1), Evaluation()).shape == (2, 0)


def test_a_column_that_is_absent_is_named():
    table = pd.DataFrame({"city": ["a"], "y": [1]})
    split = pd.DataFrame({"part": ["test"]})
    with pytest.raises(
        DataError, match=r"no column 'citi', which evaluation\.slices declares; did you mean 'city'"
    ):
        slice_rows(table, split, Dataset(target="y", positive=1), Evaluation(slices=["citi"]))
