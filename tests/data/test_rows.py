import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.rows import Rows
from lepton_pipeline.datasets import StreamedParquetDataset

TABLE = pd.DataFrame(
    {
        "a": np.arange(30),
        "t": pd.date_range("2024-01-01", periods=30, freq="s", tz="Europe/Berlin").as_unit("us"),
        "s": ["x", None, "y"] * 10,
        "i": pd.array([1, None, 3] * 10, dtype="Int64"),
        "b": pd.array([True, None, False] * 10, dtype="boolean"),
    }
)


@pytest.fixture(params=["file", "frame"])
def rows(request):
    return (
        Rows.spooled(TABLE[at : at + 7] for at in range(0, 30, 7)) if request.param == "file" else Rows(TABLE)
    )


def test_rows_keep_types_values_and_numbers(rows):
    assert (len(rows), rows.names) == (30, list(TABLE.columns))
    pd.testing.assert_frame_equal(rows.frame(), TABLE)
    chunks = list(rows.chunks(["s", "a"], rows=8))
    assert [list(chunk.columns) for chunk in chunks] == [["s", "a"]] * 4
    assert np.concatenate([chunk.index for chunk in chunks]).tolist() == list(range(30))
    pd.testing.assert_frame_equal(rows.take([3, 29]), TABLE.iloc[[3, 29]])


def test_rows_that_are_left_out_leave_the_numbers_of_the_others(rows, tmp_path):
    kept = rows.without(pd.Index([0, 5, 29]))
    file = StreamedParquetDataset(filepath=str(tmp_path / "t.parquet"))
    file.save(kept)
    expected = TABLE.drop(index=[0, 5, 29])
    for found in (kept.frame(), file.load()):
        pd.testing.assert_frame_equal(found, expected, check_index_type=False)


def test_a_table_without_rows_is_one_empty_chunk(tmp_path):
    file = StreamedParquetDataset(filepath=str(tmp_path / "t.parquet"), by_chunks=True)
    file.save(TABLE[:0])
    assert [chunk.shape for chunk in file.load().chunks()] == [(0, 5)]
