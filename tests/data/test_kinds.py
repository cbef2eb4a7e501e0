from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest

from lepton_pipeline.data.ingest import typed_column
from lepton_pipeline.data.kinds import find_kinds, typed_chunk
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion

INGESTION = Ingestion(dates={"day": "%d.%m.%Y"}, missing=["", "?"])
ROWS = pd.DataFrame(
    {
        "whole": ["1", "2", " 3", "4", "5"],
        "with_missing": ["1", "2", "?", "4", ""],
        "fraction": ["1", "2", "3.5", "4", "5"],
        "late_text": ["1", "2", "3", "4", "five"],
        "code": ["7", "8", "9", "10", "007"],
        "nothing": ["", "?", "", "", ""],
        "day": ["01.02.2024", "", "03.02.2024", "", ""],
    }
)


def chunks(rows, size):
    return [rows.iloc[start : start + size] for start in range(0, len(rows), size)]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_chunks_get_the_types_that_ingestion_gives_the_whole(size):
    kinds, count = find_kinds(chunks(ROWS, size), INGESTION, numbers=[], texts=[])
    assert count == 5
    assert kinds == {
        "whole": "whole",
        "with_missing": "number",
        "fraction": "number",
        "late_text": "text",
        "code": "text",
        "nothing": "empty",
        "day": "date",
    }
    typed = pd.concat([typed_chunk(chunk, kinds, INGESTION) for chunk in chunks(ROWS, size)])
    whole = pd.DataFrame({name: typed_column(ROWS[name], INGESTION) for name in ROWS})
    pd.testing.assert_frame_equal(typed, whole)


def test_what_the_model_reads_decides_where_the_rows_do_not():
    rows = pd.DataFrame({"amount": ["", ""], "branch": ["12", "13"]})
    kinds, _ = find_kinds([rows], INGESTION, numbers=["amount"], texts=["branch"])
    typed = typed_chunk(rows, kinds, INGESTION)
    assert typed.dtypes.astype(str).to_dict() == {"amount": "float64", "branch": "str"}
    assert typed["branch"].tolist() == ["12", "13"]


def test_values_of_parquet_files_keep_one_type_whatever_their_chunk_lacks():
    parts = [
        pd.DataFrame({"n": [1, 2], "flag": [True, False], "at": [datetime(2024, 1, 1), datetime(2024, 1, 2)]}),
        pd.DataFrame({"n": [1.0, None], "flag": pd.array([True, None], "boolean"), "at": [datetime(2024, 1, 3), None]}),
    ]
    kinds, _ = find_kinds(parts, INGESTION, [], [])
    assert kinds == {"n": "number", "flag": "truth or missing", "at": "date"}
    for part in parts:
        assert typed_chunk(part, kinds, INGESTION).dtypes.astype(str).to_list()[:2] == ["float64", "boolean"]


def test_kinds_that_do_not_go_together_are_named():
    parts = [pd.DataFrame({"x": [True, False]}), pd.DataFrame({"x": [1, 2]})]
    with pytest.raises(DataError, match=r"column 'x' holds values of several kinds \(truth, whole\)"):
        find_kinds(parts, INGESTION, [], [])
