import pandas as pd
import pytest

from lepton_pipeline.data.fingerprint import fingerprint, identify_test_rows
from lepton_pipeline.parameters import Features, Split
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.split import split_rows

TABLE = pd.DataFrame({"a": [1.0, 2.0, None], "b": ["x", "y", "y"]})


def test_it_counts_and_names():
    found = fingerprint(TABLE)
    assert found.rows == 3
    assert found.columns == {"a": "float64", "b": "str"}
    assert len(found.sha256) == 64


def test_the_order_of_rows_does_not_matter():
    assert fingerprint(TABLE.iloc[[2, 0, 1]]).sha256 == fingerprint(TABLE).sha256


@pytest.mark.parametrize(
    "other",
    [
        TABLE.assign(a=[1.0, 2.0, 0.0]),
        TABLE.assign(b=["x", "y", "z"]),
        TABLE.iloc[:2],
        pd.concat([TABLE, TABLE.iloc[[0]]]),
        TABLE.rename(columns={"a": "A"}),
        TABLE.assign(a=TABLE["a"].iloc[[1, 0, 2]].to_numpy()),
    ],
)
def test_any_other_content_has_another_hash(other):
    assert fingerprint(other).sha256 != fingerprint(TABLE).sha256


def identity(table, dataset, features=None, **split):
    return identify_test_rows(
        table, split_rows(table, Target(Binary()), dataset, Split(**split)), features or Features()
    )["sha256"]


def test_a_table_in_another_order_has_other_test_rows(table, dataset):
    # The fingerprint of the table is the same, and so is the declared split.
    other = table.sample(frac=1, random_state=1).reset_index(drop=True)
    assert identity(table, dataset) == identity(table.copy(), dataset)
    assert identity(table, dataset) != identity(other, dataset)


def test_the_same_rows_in_another_order_are_the_same(table):
    split = pd.DataFrame({"part": ["test", "train"] * 20, "label": [1, 0] * 20})
    turned = table.iloc[::-1]
    assert identify_test_rows(table, split, Features()) == identify_test_rows(
        turned.reset_index(drop=True), split.iloc[::-1].reset_index(drop=True), Features()
    )


@pytest.mark.parametrize("column", ["id", "age", "city", "label"])
def test_every_value_of_a_test_row_counts_and_none_of_another(table, column):
    split = pd.DataFrame({"part": ["test", "train"] * 20, "label": [1, 0] * 20})
    before = identify_test_rows(table, split, Features())
    changed = split.copy() if column == "label" else table.copy()
    for row, same in ((1, True), (2, False)):
        changed.loc[row, column] = (
            changed.loc[row + 4, column] if column != "label" else 1 - changed.loc[row, column]
        )
        if column == "city":
            changed.loc[row, column] = "Bonn"
        parts = (table, changed) if column == "label" else (changed, split)
        assert (identify_test_rows(*parts, Features()) == before) is same


def test_features_that_are_made_do_not_count(table, dataset):
    features = Features(derive={"decade": "floor(age / 10)"})
    assert identity(table.assign(decade=2.0), dataset, features) == identity(table, dataset)
