import json
import re

import numpy as np
import pandas as pd
import pytest
from many_columns import DATASET, draw, learn

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.operations.monitoring.reference import (
    Reference,
    count_categories,
    count_numbers,
    describe_reference,
)
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

BINARY = Target(Binary())


def test_numbers_are_counted_by_tenths_and_quantiles():
    values = np.append(np.random.default_rng(1).normal(size=4000), [np.nan] * 7)
    kept = count_numbers("size", values)
    known = values[:4000]
    assert (kept.missing, kept.known, len(kept.counts)) == (7, 4000, 10)
    assert kept.counts == [400] * 10
    assert len(kept.grid) == 99
    assert kept.through == [int((known <= point).sum()) for point in kept.grid]
    assert kept.below == [int((known < point).sum()) for point in kept.grid]


def test_values_that_repeat_are_one_point():
    kept = count_numbers("flag", np.array([0.0] * 900 + [1.0] * 100))
    assert kept.edges == [0.0]
    assert kept.counts == [900, 100]
    assert count_numbers("empty", np.array([np.nan] * 3)).counts == [0]
    assert count_numbers("huge", np.array([np.inf, -np.inf, 1.0] * 40)).grid[0] == -1e300


def test_a_cell_of_few_rows_is_not_kept():
    kept = count_numbers("size", np.random.default_rng(1).normal(size=300))
    cells = np.diff([0, *kept.through, 300])
    assert cells.min() >= 20


def test_rare_levels_are_hashes():
    texts = pd.Series(["Oslo"] * 60 + ["Rome"] * 39 + ["Ann Lee, 5 Elm St"] + [None] * 5)
    kept = count_categories("city", texts)
    assert kept.levels == {"Oslo": 60, "Rome": 39}
    assert (kept.rare, kept.missing, len(kept.rare_hashes)) == (1, 5, 1)
    assert "Elm" not in json.dumps(kept.rare_hashes)
    many = pd.Series([f"name {number}" for number in range(6000)])
    assert count_categories("name", many).rare_hashes is None


def test_the_reference_holds_no_row_and_is_small():
    table = draw(4000, 1).assign(name=[f"person {number} of Oslo" for number in range(4000)])
    dataset = Dataset(target="y", positive=1, exclude=["name"], id=None)
    encoder = Encoder.fit(table, dataset)
    split = pd.DataFrame({"part": ["train"] * 2000 + ["validation"] * 1000 + ["test"] * 1000})
    scores = pd.DataFrame(
        {"part": "test", "label": 0, "model": np.random.default_rng(1).random(1000)}, index=range(3000, 4000)
    )
    text = json.dumps(describe_reference(table, split, scores, BINARY, encoder, dataset))
    assert len(text) < 60_000
    assert "person" not in text
    numbers = {
        repr(float(each)) for value in ("size", "double", "heavy", "gappy") for each in table[value].dropna()
    }
    assert len(numbers) > 14_000
    assert not numbers & set(re.findall(r"-?\d+\.\d+(?:e-?\d+)?", text))
    # No two values of a row stand beside each other: each column is kept apart, in its own order.
    reference = Reference.from_dict(json.loads(text))
    assert reference.rows == 3000
    for column in reference.columns:
        ordered = getattr(column, "grid", [])
        assert ordered == sorted(ordered)


def test_only_rows_that_are_learnt_from_are_counted_and_scores_of_test_rows():
    table = draw(300, 1)
    split = pd.DataFrame({"part": ["train"] * 100 + ["validation"] * 100 + ["test"] * 100})
    table.loc[200:, "size"] = 50.0
    scores = pd.DataFrame(
        {"part": ["validation"] * 100 + ["test"] * 100, "label": 0, "model": [0.9] * 100 + [0.2] * 100}
    )
    encoder = Encoder.fit(table[:100], DATASET)
    reference = Reference.from_dict(describe_reference(table, split, scores, BINARY, encoder, DATASET))
    size = next(column for column in reference.columns if column.name == "size")
    assert size.known == 200
    assert max(size.grid) < 50
    assert reference.scores.grid == [0.2]
    assert reference.span is None


def test_rows_are_counted_over_time():
    table = draw(700, 1).assign(day=pd.date_range("2026-01-01", periods=700, freq="6h"))
    _, reference = learn(table, Dataset(target="y", positive=1, time="day"))
    assert reference.volume.unit == 7 * 86400 or reference.volume.unit == 86400
    assert set(reference.volume.counts) == {int(reference.volume.unit / 21600)}
    numbered = draw(700, 1).assign(day=np.arange(700))
    _, reference = learn(numbered, Dataset(target="y", positive=1, time="day"))
    assert reference.span == (0, 699)
    assert sum(reference.volume.counts) in (699, 700)


def test_another_format_is_refused():
    with pytest.raises(DataError, match="format 99"):
        Reference.from_dict({"format": 99})


@pytest.mark.parametrize("rows", [1, 19, 39, 60])
def test_a_tiny_table_leaves_no_value_of_its_own(rows):
    values = np.random.default_rng(rows).normal(size=rows)
    kept = count_numbers("salary", values)
    assert not set(kept.edges + kept.grid) & set(values)
    assert len(kept.grid) == len(kept.edges) == max(0, rows // 20 - 1)
    assert sum(kept.counts) == rows
    texts = pd.Series(["Ann Lee"] * 19 + ["Oslo"] * 20 + ["Bo Berg"] * 3)
    assert count_categories("name", texts).levels == {"Oslo": 20}


def test_values_that_many_rows_share_are_kept_as_they_are():
    kept = count_numbers("stars", np.repeat([1.0, 2.0, 5.0], 100))
    assert kept.grid == [1.0, 2.0, 5.0]


def test_how_far_rows_hang_together_is_measured_where_they_have_a_time():
    random = np.random.default_rng(1)
    days = pd.date_range("2026-01-01", periods=3000, freq="h")
    table = draw(3000, 1).assign(day=days, slow=np.repeat(random.normal(size=30), 100))
    table["size"] = random.normal(size=3000)
    dataset = Dataset(target="y", positive=1, time="day")
    _, reference = learn(table.sample(frac=1, random_state=1), dataset)
    dependence = {each.name: each.dependence for each in reference.columns}
    assert dependence["size"] < 1.5
    assert dependence["city"] < 1.5
    assert dependence["slow"] > 50
    assert reference.step == 3600
    _, without = learn(table.drop(columns="day"))
    assert {each.dependence for each in without.columns} == {1.0}
