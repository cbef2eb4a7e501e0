from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion
from lepton_pipeline.serving.requests import CSV, JSON, PARQUET, read_request, rows_of, unsupported

ROWS = [{"a": 1, "b": "x"}, {"a": None, "b": 2**63 + 1}]


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": ROWS},
        {"instances": ROWS},
        {"inputs": ROWS},
        {"inputs": {"a": [1, None], "b": ["x", 2**63 + 1]}},
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [None, 2**63 + 1]], "index": [4, 5]}},
    ],
)
def test_every_form_of_json_gives_the_values_as_they_were_sent(body):
    rows, params = read_request(json.dumps(body | {"params": {"reasons": 3}}).encode(), JSON, Ingestion())
    assert rows.to_dict(orient="records") == ROWS
    assert params == {"reasons": 3}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.ones((2, 2)), "what is handed in is a ndarray; send a DataFrame"),
        (
            pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
            "names of several levels",
        ),
    ],
)
def test_what_is_no_frame_with_one_name_a_column_is_refused_in_words(data, said):
    with pytest.raises(DataError, match=said):
        rows_of(data)


def test_one_row_may_be_given_as_values_by_column():
    rows, _ = read_request(b'{"inputs": {"a": 1, "b": "x"}}', JSON, Ingestion())
    assert rows.to_dict(orient="records") == ROWS[:1]


def test_csv_is_read_as_texts_with_the_declared_separator():
    rows, params = read_request(
        'a;b\n1;"x; é"\n;007\n'.encode(), CSV, Ingestion(separator=";", encoding="utf-16")
    )
    assert rows.to_dict(orient="records") == [{"a": "1", "b": "x; é"}, {"a": "", "b": "007"}]
    assert params is None


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"[" * 100_000, JSON, "nested too deeply"),
        (b'{"dataframe_records": [{"a": ' + b"9" * 5000 + b"}]}", JSON, "no JSON that can be read"),
        (b"\xff\xfe\x00", JSON, "no JSON that can be read"),
        (b"", JSON, "no JSON that can be read"),
        (b"[]", JSON, "must be a JSON object"),
        (b"{}", JSON, "has 0 of them"),
        (b'{"inputs": [], "instances": []}', JSON, "has 2 of them"),
        (b'{"dataframe_records": []}', JSON, "holds no rows"),
        (b'{"dataframe_records": [{}]}', JSON, "holds no rows"),
        (b'{"dataframe_records": {"a": 1}}', JSON, "must be a list of objects"),
        (b'{"dataframe_records": [null]}', JSON, "must be a list of objects"),
        (
            b'{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}',
            JSON,
            "one value for each of the columns",
        ),
        (b'{"dataframe_split": {"data": [[1, 2]]}}', JSON, "of columns, a list of names"),
        (b'{"inputs": {"a": [1], "b": []}}', JSON, "as many values"),
        (b"", CSV, "is empty"),
        (b"a,b\n", CSV, "only a header"),
        (b"a,b\n1,2\n3\n", CSV, "not every record of the body is a row"),
        (b"a,b\n1,2\n,\n", CSV, "not every record of the body is a row"),
        (b"a,b\n\xff,2\n", CSV, "cannot be decoded"),
        (b"PAR1 and then nothing", PARQUET, "cannot be read"),
    ],
)
def test_what_holds_no_rows_is_refused_with_the_reason(body, content_type, reason):
    with pytest.raises(DataError, match=reason):
        read_request(body, content_type, Ingestion())


@pytest.mark.parametrize(
    ("content_type", "served"),
    [
        (JSON, True),
        ("text/csv; charset=UTF-8", True),
        (None, False),
        ("", False),
        ("text/plain", False),
        ("application/json; charset=utf-16", False),
        ("application/json; format=pandas-split", False),
    ],
)
def test_other_types_of_content_are_told(content_type, served):
    assert (unsupported(content_type) is None) == served
