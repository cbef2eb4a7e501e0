import pandas as pd
import pytest

from lepton_pipeline.data.fingerprint import fingerprint

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
