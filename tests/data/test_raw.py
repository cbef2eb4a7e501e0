import gzip
import io
import lzma
import zipfile

import pandas as pd
import pytest

from lepton_pipeline.data.raw import read_header, read_rows
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion


def zipped(member: str = "[Content_Types].xml") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, "a,b\n1,2\n")
    return buffer.getvalue()


def parquet() -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}).to_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"<!DOCTYPE html>\n<html><body>Please log in</body></html>",
            "is HTML or XML, not CSV; download the file",
        ),
        (b"\xef\xbb\xbf\r\n <HTML>", "is HTML or XML, not CSV; download the file"),
        (b'<?xml version="1.0"?><rows/>', "is HTML or XML, not CSV; download the file"),
        (zipped("table.csv"), "is a zip archive or an Excel workbook, not CSV; give it a name that ends"),
        (zipped(), "is a zip archive or an Excel workbook, not CSV; give it a name that ends"),
        (bytes.fromhex("d0cf11e0a1b11ae1"), "is an Excel workbook, not CSV; save it as .xlsx or CSV"),
        (b"%PDF-1.7\n", "is a PDF document, not CSV; ask for the table"),
        (gzip.compress(b"a,b\n1,2\n"), r"is compressed with gzip, not CSV; give it a name that ends in \.gz"),
        (lzma.compress(b"a,b\n1,2\n"), r"is compressed with xz, not CSV; give it a name that ends in \.xz"),
        (b"(\xb5/\xfd\x04\x00", r"is compressed with zstd, not CSV; give it a name that ends in \.zst"),
        (parquet(), r"is Parquet, not CSV; give it a name that ends in \.parquet"),
    ],
    # Compressed bytes hold the time of day: as names of tests, they would differ between the processes that run them.
    ids=[
        "html",
        "html_after_a_byte_order_mark",
        "xml",
        "zip",
        "xlsx",
        "xls",
        "pdf",
        "gzip",
        "xz",
        "zstd",
        "parquet",
    ],
)
def test_a_file_of_another_kind_is_named_for_what_it_is(raw_file, content, message):
    with pytest.raises(DataError, match=r"table\.csv " + message) as error:
        read_header(raw_file(content), Ingestion())
    assert error.value.exit_code == 3


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("declared", ["utf-8", "cp1252", "utf-16-le"])
def test_a_byte_order_mark_says_the_encoding(raw_file, encoding, declared):
    file = raw_file("a,b\nä,2\n".encode(encoding))
    names = read_header(file, Ingestion(encoding=declared))
    assert names == ["a", "b"]
    assert read_rows(file, names, Ingestion(encoding=declared)).to_dict("list") == {"a": ["ä"], "b": ["2"]}


def test_utf_16_without_its_mark_is_named(raw_file):
    with pytest.raises(
        DataError, match=r"holds zero bytes, .*declare ingestion\.encoding \(utf-16-le, say\)"
    ):
        read_header(raw_file("a,b\n1,2\n".encode("utf-16-le")), Ingestion())


def test_a_parquet_file_that_was_cut_off_is_refused(raw_file):
    with pytest.raises(DataError, match=r"t\.parquet cannot be read: .*; is the file whole\?"):
        read_header(raw_file(parquet()[:-9], "t.parquet"), Ingestion())


def test_a_page_under_the_name_of_a_parquet_file_is_recognised(raw_file):
    with pytest.raises(DataError, match=r"t\.parquet is HTML or XML, not Parquet"):
        read_header(raw_file("<html></html>", "t.parquet"), Ingestion())


@pytest.mark.parametrize("header", ["<TICKER>,<DATE>", "PK,PAR1", "PAR1,PK", "BZh,b", "%PDF,b"])
def test_headers_that_merely_look_like_another_kind_are_read(raw_file, header):
    assert read_header(raw_file(f"{header}\n1,2\n"), Ingestion()) == header.split(",")


@pytest.mark.parametrize(("header", "position"), [(",a", 1), ("a, ,b", 2), ('a,b,""', 3)])
def test_a_column_without_a_name_is_refused(raw_file, header, position):
    with pytest.raises(
        DataError, match=f"table\\.csv: column {position} has no name; name every column in the header"
    ):
        read_header(raw_file(f"{header}\n1,2,3\n"), Ingestion())


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_only_the_first_rows_are_read_where_asked(raw_file, name):
    file = raw_file(parquet() if name == "t.parquet" else "a,b\n1,x\n2,y\n3,z\n", name)
    names = read_header(file, Ingestion())
    assert read_rows(file, names, Ingestion(), limit=2)["b"].tolist() == ["x", "y"]
    assert read_rows(file, names, Ingestion())["b"].tolist() == ["x", "y", "z"]


def test_the_first_rows_of_an_empty_parquet_file_are_none(raw_file):
    buffer = io.BytesIO()
    pd.DataFrame({"a": pd.Series([], dtype="int64")}).to_parquet(buffer)
    assert read_rows(
        raw_file(buffer.getvalue(), "t.parquet"), ["a"], Ingestion(), limit=2
    ).columns.tolist() == ["a"]
