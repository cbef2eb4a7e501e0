import datetime as dt
import io
import sys
import zipfile
from typing import Any

import openpyxl
import pytest

from lepton_pipeline.data.documents import read_document
from lepton_pipeline.errors import DataError


@pytest.fixture
def read(raw_file):
    return lambda content, name="t.xlsx": read_document(raw_file(content, name))


def book(*sheets: list[list[Any]], **formats: str) -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for number, rows in enumerate(sheets, 1):
        sheet = made.create_sheet(f"S{number}")
        for row in rows:
            sheet.append(row)
        for cell, form in formats.items():
            sheet[cell].number_format = form
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def test_a_column_of_a_workbook_has_the_type_of_its_cells(read):
    day = dt.datetime(2024, 1, 31)
    rows = [
        ["n", "x", "day", "mixed", "flag", "code", "error", "dates", 2024, "plz", "took"],
        [1, 1.5, day, 5, True, "007", 1, day, "a", 1067, dt.timedelta(hours=30)],
        [None] * 11,
        [3, 2, day.replace(hour=8), "n/a", False, "10E1", "#N/A", "none", "b", 80331, None],
        [None, None],
    ]
    table = read(book([], rows, J2="00000", J4="00000"), "t.xlsx")
    assert table.to_pydict() == {
        "n": [1, None, 3],
        "x": [1.5, None, 2.0],
        "day": [day, None, day.replace(hour=8)],
        "mixed": ["5", None, "n/a"],
        "flag": [True, None, False],
        "code": ["007", None, "10E1"],
        "error": ["1", None, "#N/A"],
        "dates": ["2024-01-31", None, "none"],
        "2024": ["a", None, "b"],
        "plz": ["01067", None, "80331"],
        "took": [dt.timedelta(hours=30), None, None],
    }
    assert [str(kind) for kind in table.schema.types[:5]] == [
        "int64",
        "double",
        "timestamp[us]",
        "string",
        "bool",
    ]


def test_the_header_is_the_first_row_that_is_not_empty(read):
    rows = [
        [],
        [None, None, None],
        [None, "a", None, "b"],
        [None, 1, None, None],
        [None, None, None, "x"],
        ["", ""],
    ]
    assert read(book(rows), "t.xlsx").to_pydict() == {"a": [1, None], "b": [None, "x"]}
    assert read(book([["a", "b"]]), "t.xlsx").shape == (0, 2)
    assert read(book([]), "t.xlsx").shape == (0, 0)


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        ([[["a"], [1]], [["b"], [2]]], r"t\.xlsx has 2 sheets with data, 'S1', 'S2'; keep one"),
        (
            [[["Report"], [], ["a", "b"], [1, 2]]],
            r"t\.xlsx, sheet 'S1': row 1 is taken for the header, 'Report', but column B has no name .* value in B3",
        ),
        ([[["a", "a "], [1, 2]]], r"more than one column named 'a'"),
        (
            [[["a", "b"], [1, "=A2*2"], [2, "=A3*2"]]],
            r"2 formulas have no value, such as '=A2\*2' in B2; open the file",
        ),
    ],
)
def test_workbooks_that_are_no_single_table_are_refused(read, sheets, message):
    with pytest.raises(DataError, match=message):
        read(book(*sheets), "t.xlsx")


def test_hidden_sheets_do_not_count(read):
    made = openpyxl.Workbook()
    made.active.append(["a"])
    made.active.append([1])
    made.create_sheet("lists").append(["x"])
    made["lists"].sheet_state = "hidden"
    buffer = io.BytesIO()
    made.save(buffer)
    assert read(buffer.getvalue(), "t.xlsm").to_pydict() == {"a": [1]}


def test_formulas_with_values_are_values(read):
    content = book([["a", "b"], [1, "=A2*2"], [2, '=""']])
    old = zipfile.ZipFile(io.BytesIO(content))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as new:
        for each in old.namelist():
            text = old.read(each)
            if each.startswith("xl/worksheets/"):
                text = text.replace(b"<f>A2*2</f><v />", b"<f>A2*2</f><v>2</v>").replace(
                    b"<f>A2*2</f><v></v>", b"<f>A2*2</f><v>2</v>"
                )
                text = text.replace(b'<c r="B3"><f>', b'<c r="B3" t="str"><f>')
            new.writestr(each, text)
    assert read(buffer.getvalue(), "t.xlsx").to_pydict() == {"a": [1, 2], "b": [2, None]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", r"t\.xlsx cannot be read: .*; is it a workbook of Excel, and whole\?"),
        (book([["a"], [1]])[:-40], r"t\.xlsx cannot be read"),
        (bytes.fromhex("d0cf11e0a1b11ae1"), r"t\.xlsx is protected by a password, or an \.xls file"),
    ],
    ids=["text", "cut", "old"],
)
def test_what_is_no_workbook_is_refused(read, content, message):
    with pytest.raises(DataError, match=message):
        read(content, "t.xlsx")


def test_without_openpyxl_the_extra_is_named(read, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        DataError, match=r"t\.xlsx is a workbook, for which openpyxl is needed: pip install .*excel"
    ):
        read(b"", "t.xlsx")
