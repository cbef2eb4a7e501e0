import json

import pandas as pd
import pyarrow as pa
import pytest

from lepton_pipeline.data.documents import read_document
from lepton_pipeline.errors import DataError


@pytest.fixture
def read(raw_file):
    return lambda content, name="t.json": read_document(raw_file(content, name))


RECORDS = {"a": ["1.10", None], "b": ["x", "12345678901234567890"]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.jsonl", '{"a": 1.10, "b": "x"}\n\n{"b": 12345678901234567890}\n'),
        ("t.NDJSON", '{"a": 1.10, "b": "x"}\r\n{"b": 12345678901234567890, "a": null}'),
        ("t.json", '{"a": 1.10, "b": "x"}\n{"b": 12345678901234567890}'),
        ("t.json", '[{"a": 1.10, "b": "x"},\n {"b": 12345678901234567890}]'),
        ("t.json", '\ufeff{"meta": {"n": 2}, "data": [{"a": 1.10, "b": "x"}, {"b": 12345678901234567890}]}'),
        ("t.json", '{"a": [1.10, null], "b": ["x", 12345678901234567890]}'),
        (
            "t.json",
            '{"columns": ["a", "b"], "index": [0, 1], "data": [[1.10, "x"], [NaN, 12345678901234567890]]}',
        ),
    ],
)
def test_json_gives_texts_as_they_were_written(read, name, content):
    table = read(content, name)
    assert table.to_pydict() == RECORDS
    assert set(table.schema.types) == {pa.string()}


@pytest.mark.parametrize("orient", ["records", "split", "table"])
def test_what_pandas_writes_is_read(read, orient):
    frame = pd.DataFrame({"a": [1.5, 2.0], "b": ["x", "y"], "c": [True, False]})
    table = read(frame.to_json(orient=orient, index=orient == "split"))
    assert table.to_pydict() == {"a": ["1.5", "2.0"], "b": ["x", "y"], "c": ["true", "false"]}


@pytest.mark.parametrize("content", ["", "\n", "[]"])
def test_json_without_rows_has_no_columns(read, content):
    assert read(content).shape == (0, 0)
    assert read("", "t.jsonl").shape == (0, 0)


def test_later_keys_and_empty_objects_leave_nulls(read):
    table = read('[{"a": 1}, {}, {"b": 2}]')
    assert table.to_pydict() == {"a": ["1", None, None], "b": [None, None, "2"]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "t.jsonl",
            '{"a": 1}\n{"a": 1',
            r"t\.jsonl, line 2: \{\"a\": 1 is not JSON .*; correct it",
        ),
        ("t.jsonl", '{"a": 1}\n[1]', r"t\.jsonl, line 2: \[1\] is no object; give one {"),
        (
            "t.jsonl",
            '{"a": [1]}',
            r"t\.jsonl, line 1: 'a' holds a list, \[\"1\"\]; give every value a key of its own",
        ),
        ("t.jsonl", '{"a": 1, "a": 2}', r"t\.jsonl, line 1: .* the key 'a' twice"),
        ("t.jsonl", b'{"a": 1}\n{"a": "\xe4"}', r"t\.jsonl, line 2: byte e4 is not utf-8; JSON is UTF-8"),
        ("t.json", '[{"a": 1},\n{"a": {"b": 2}}]', r"t\.json, record 2: 'a' holds an object"),
        ("t.json", '[{"a": 1},\n{"a": ]', r"t\.json, line 2: not JSON .*; is the file whole\?"),
        ("t.json", "[1, 2]", r"t\.json, record 1: \"1\" is no object; give a list of objects"),
        ("t.json", "3", r"t\.json holds \"3\", not a table; give a list of objects"),
        (
            "t.json",
            '{"a": {"0": 1}, "b": {"0": 2}}',
            r"an object with the keys 'a', 'b', and nothing says which are rows",
        ),
        ("t.json", '{"a": [{"x": 1}], "b": [{"x": 2}]}', r"nothing says which are rows"),
        ("t.json", '{"a": [1, 2], "b": [1]}', r"its lists differ in length \('a' 2, 'b' 1\)"),
        ("t.json", '{"columns": ["a"], "data": [[1, 2]]}', r"row 1 does not have 1 values"),
        ("t.json", r'[{"a": "\ud800"}]', r"holds half a character"),
    ],
)
def test_json_that_is_no_table_is_refused_by_line_and_key(read, name, content, message):
    with pytest.raises(DataError, match=message):
        read(content, name)


def test_long_values_are_cut_in_messages(read):
    with pytest.raises(DataError) as error:
        read(json.dumps([{"a": list(range(1000))}]))
    assert len(str(error.value)) < 300
