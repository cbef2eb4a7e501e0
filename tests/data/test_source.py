from __future__ import annotations

import gzip
import io

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.ingest import read_table
from lepton_pipeline.data.source import Source
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Contract, Ingestion

INGESTION = Ingestion()


def parquet(table):
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [1, 2, 100])
def test_files_of_any_kind_stand_one_below_the_other(raw_file, size):
    files = [
        raw_file("a,b\n1,x\n2,y\n3,z\n", "1.csv"),
        raw_file("b,a\nv,4\n", "2.csv"),
        raw_file(parquet(pd.DataFrame({"a": [5, 6], "b": ["t", "u"]}, index=[7, 9])), "3.parquet"),
    ]
    source = Source.open(files, INGESTION, {"the model": ["a", "b"]})
    chunks = list(source.chunks(size))
    assert max(len(chunk.block) for chunk in chunks) <= size
    kinds = source.survey().kinds.of
    rows = pd.concat(chunk.typed(kinds, INGESTION) for chunk in chunks)
    assert rows.index.tolist() == list(range(6))
    assert rows["a"].astype(str).tolist() == list("123456")
    assert rows["b"].tolist() == list("xyzvtu")
    # They may be read again.
    assert sum(len(chunk.block) for chunk in source.chunks(size)) == 6


def test_a_table_in_memory_is_a_source_too():
    table = pd.DataFrame({"a": [1, 2, 3]}, index=[5, 5, 6])
    source = Source.open(table, INGESTION, {})
    assert [(chunk.start, chunk.stop) for chunk in source.chunks(2)] == [(0, 2), (2, 3)]
    assert source.fingerprints() != Source.open(table + 1, INGESTION, {}).fingerprints()


def test_a_fingerprint_is_that_of_the_content(raw_file):
    plain = Source.open([raw_file("a\n1\n")], INGESTION, {}).fingerprints()
    assert plain == Source.open([raw_file("a\n1\n")], INGESTION, {}).fingerprints()
    assert plain != Source.open([raw_file("a\n2\n")], INGESTION, {}).fingerprints()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "table.csv is empty"),
        ("a,b\n", "table.csv: only a header, no rows"),
        ("a;b\n1;2\n", "declare ingestion.separator"),
        ("a,c\n1,2\n", "has no column 'b', which the model declares"),
        (gzip.compress(b"a,b\n1,2\n"), "compressed with gzip"),
    ],
    # Compressed bytes hold the time, so they are no name: processes would disagree on it.
    ids=["empty", "header only", "separator", "column absent", "compressed"],
)
def test_what_cannot_be_read_is_explained(raw_file, content, message):
    with pytest.raises(DataError, match=message):
        list(Source.open([raw_file(content)], INGESTION, {"the model": ["a", "b"]}).chunks(1))


def test_a_file_that_is_the_copy_of_another_kind_stops_the_reading(raw_file):
    rows = pd.DataFrame({"a": range(30), "b": [f"{at / 8}" for at in range(30)]})
    files = [
        raw_file(rows.to_csv(index=False), "t.csv"),
        raw_file(parquet(rows.assign(b=rows["b"].astype(float))), "u.parquet"),
    ]
    with pytest.raises(DataError, match=r"u\.parquet holds the same 30 rows as t\.csv"):
        read_table(files, INGESTION, Contract(), "visits")
    # As of an earlier date, only what was known then counts.
    known = Source.open(files, INGESTION, {}).survey().copies(np.arange(60) < 30)
    assert known.find() == []
