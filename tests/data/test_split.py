import pandas as pd
import pytest

from lepton_pipeline.data.split import split_rows
from lepton_pipeline.errors import DataError, SplitError
from lepton_pipeline.parameters import Split


def test_every_row_is_in_one_part_with_the_declared_share_and_base_rate(table, dataset):
    parts = split_rows(table, dataset, Split(test=0.25, validation=0.25))
    assert parts.index.equals(table.index)
    assert parts["part"].value_counts().to_dict() == {"train": 20, "validation": 10, "test": 10}
    assert parts.groupby("part")["label"].sum().to_dict() == {"train": 10, "validation": 5, "test": 5}
    assert (parts["label"] == (table["bought"] == "yes")).all()


def test_gaps_in_the_index_are_kept(table, dataset):
    clean = table.drop([0, 5, 17])
    parts = split_rows(clean, dataset, Split())
    assert parts.index.equals(clean.index)
    assert parts["part"].isin(["train", "validation", "test"]).all()


def test_the_seed_decides(table, dataset):
    one, again, other = (split_rows(table, dataset, Split(seed=seed)) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)


def test_a_class_too_rare_for_three_parts_is_refused(table, dataset):
    rare = table.assign(bought=["yes", "yes"] + ["no"] * 38)
    with pytest.raises(SplitError, match="40 rows, 2 of them positive"):
        split_rows(rare, dataset, Split())


def test_one_class_is_refused(table, dataset):
    with pytest.raises(DataError, match="holds 'no'"):
        split_rows(table[table["bought"] == "no"], dataset, Split())
