from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.contracts.result import Example
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.column_encoders import CategoricalColumn
from lepton_pipeline.features.derive import Derivation
from lepton_pipeline.features.unseen import Unseen, UnseenCounts, require_seen
from lepton_pipeline.system.records import from_json, to_json

NOTHING_DERIVED = Derivation({}, {})


@pytest.fixture
def city():
    return CategoricalColumn.fit(pd.Series(["Oslo", "Rome"] * 30 + ["Lima", None], name="city"), "text")


def counted(column, values, size=1000, derivation=NOTHING_DERIVED):
    """What is found of the values of a column, read in chunks."""
    counts = UnseenCounts([column], derivation)
    rows = pd.DataFrame({column.name: values})
    chunks = (rows.iloc[start : start + size] for start in range(0, len(rows), size))
    assert sum(len(chunk) for chunk in counts.watch(chunks)) == len(rows)
    (found,) = counts.found() or [None]
    return found


def test_missing_seen_rare_and_unseen_rows_are_told_apart(city):
    found = counted(city, ["Oslo", None, "Lima", "OSLO", "OSLO", "Bonn", np.nan, "Rome", "Rome"])
    assert (found.rows, found.missing, found.seen, found.rare, found.unseen) == (9, 2, 3, 1, 3)
    assert found.share == 3 / 7
    assert found.examples == [Example(3, "OSLO"), Example(5, "Bonn")]
    assert str(found) == (
        "column 'city': 3 of 7 values were never seen in training, e.g. 'OSLO' (row 3), 'Bonn' (row 5); likely cause: "
        "capital and small letters ('OSLO' for 'Oslo'), in 2 of 3 rows"
    )
    assert from_json(Unseen, to_json(found)) == found
    assert counted(city, ["Oslo", "Lima", None]) is None


@pytest.mark.parametrize("size", [1, 7])
def test_chunks_do_not_matter(city, size, monkeypatch):
    monkeypatch.setattr("lepton_pipeline.features.unseen._REMEMBERED", 5)
    values = [f"Shop {row * row % 13}" for row in range(60)]
    assert counted(city, values, size) == counted(city, values)


@pytest.mark.parametrize(("rows", "stops"), [(49, False), (50, True)])
def test_only_a_batch_of_fifty_rows_stops(city, rows, stops):
    found = counted(city, ["OSLO"] * rows)
    assert found.is_surprising(0.5) == stops
    if stops:
        with pytest.raises(
            DataError, match=r"^a.csv: (.|\n)*'city': 50 of 50(.|\n)*shop.scoring.unseen=warn"
        ):
            require_seen([found], 0.5, "shop", "a.csv")


def test_the_share_is_that_of_the_values_and_not_of_a_few(city):
    assert counted(city, ["OSLO"] * 30 + ["Oslo"] * 30).is_surprising(0.5)
    assert not counted(city, ["OSLO"] * 29 + ["Oslo"] * 31).is_surprising(0.5)
    assert counted(city, ["OSLO"] * 29 + ["Oslo"] * 31).is_surprising(0.2)
    assert counted(city, ["OSLO"] * 30 + [None] * 60).is_surprising(0.5)
    assert not counted(city, ["OSLO"] * 3 + [None] * 60).is_surprising(0.5)


def test_a_column_of_which_training_had_mostly_rare_values_never_stops():
    names = [f"name {row}" for row in range(60)] + ["Ann"] * 40
    found = counted(
        CategoricalColumn.fit(pd.Series(names, name="name"), "text"), [f"other {row}" for row in range(90)]
    )
    assert found.share == 1
    assert not found.is_surprising(0.5)
    assert "never seen in training (in training, 60% of the values were rare), e.g. 'other 0' (row 0)" in str(
        found
    )


def test_an_encoder_that_does_not_know_what_was_rare_never_stops(city):
    found = counted(replace(city, known=None, rare=None), ["Lima", "Bonn"] * 40)
    assert (found.unseen, found.certain, found.is_surprising(0.5)) == (80, False, False)
    assert "80 of 80 values were rare in training, or never seen" in str(found)


def test_derived_columns_are_counted_where_they_can_be_computed(city):
    derivation = Derivation({}, {"city": "lower(town)"})
    counts = UnseenCounts([replace(city, categories=("oslo",)), replace(city, name="before")], derivation)
    assert counts.derives
    counts.add_derived(pd.DataFrame({"other": ["x"]}))
    assert counts.found() == []
    rows = pd.DataFrame(
        {"town": ["OSLO", "Bonn"], "before": ["Rome", "Oslo"], "city": ["ignored", "ignored"]}
    )
    counts.add_given(rows)
    counts.add_derived(rows)
    (found,) = counts.found()
    assert found.examples == [Example(1, "bonn")]
    assert counts.of_rows(rows) == ["", "city = bonn"]


def test_the_new_values_of_each_row_are_told(city):
    code = CategoricalColumn.fit(pd.Series([1, 2, 3] * 20, name="code"), "number")
    counts = UnseenCounts([city, code, replace(city, name="old", rare=None)], NOTHING_DERIVED)
    rows = pd.DataFrame(
        {"city": ["Oslo", "Bonn", None], "code": [1, 9, 9.0], "old": ["?"] * 3}, index=[5, 7, 9]
    )
    assert counts.of_rows(rows) == ["", "city = Bonn; code = 9", "code = 9"]
