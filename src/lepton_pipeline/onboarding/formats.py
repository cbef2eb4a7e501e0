"""Read table files whose encoding and separator nobody has declared."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pandas as pd

from lepton_pipeline.data.raw import RawFile, read_header, read_rows
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion

_HEAD = 1 << 16
_LINES = 100
_SEPARATORS = (",", ";", "\t", "|")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# cp1252 leaves five bytes undefined; latin-1 has a character for every byte, so it always reads.
_ENCODINGS = ("utf-8", "cp1252", "latin-1")


def read_texts(files: Sequence[RawFile]) -> tuple[pd.DataFrame, Ingestion]:
    """Read table files whose format is not declared.

    Args:
        files: at least one; all have the same columns.

    Returns:
        Their rows one below the other, text files as text; and the encoding and the separator that were found.

    Raises:
        DataError: a file is no table, is empty, has only a header, a column twice or without a name; or the files
            differ in their columns.
    """
    first = next((file for file in files if not file.is_parquet and not file.is_document), None)
    # Read with any format: a file that is not a table at all is refused here, before its text is looked at.
    head = b"" if first is None else _head(first)
    encodings = ("utf-16",) if head.startswith(_UTF16) else _ENCODINGS
    for encoding in encodings:
        separator = _separator(head.decode(encoding, errors="replace").removeprefix("\ufeff"))
        ingestion = Ingestion(encoding=encoding, separator=separator)
        try:
            return _read(files, ingestion), ingestion
        except DataError as error:
            if not isinstance(error.__cause__, UnicodeDecodeError) or encoding == encodings[-1]:
                raise
    raise AssertionError("the last encoding has read the file or raised")


def _head(file: RawFile) -> bytes:
    # Latin-1 decodes everything: what is refused here is a file of another kind or one that cannot be decompressed.
    read_header(file, Ingestion(encoding="latin-1", separator="\x1f"))
    try:
        with file.open() as stream:
            return stream.read(_HEAD)
    except Exception:  # what cannot be read to its end is explained by whoever reads all of it
        return b""


def _separator(text: str) -> str:
    """The separator that divides most lines into as many fields as the header, and into the most of them."""
    complete = text[: text.rfind("\n") + 1] or text

    def fit(separator: str) -> tuple[float, int]:
        rows = csv.reader(io.StringIO(complete, newline=""), delimiter=separator)
        try:
            lengths = [len(row) for row, _ in zip(rows, range(_LINES), strict=False) if row]
        except csv.Error:
            return 0.0, 0
        if not lengths or lengths[0] < 2:
            return 0.0, 0
        return lengths.count(lengths[0]) / len(lengths), lengths[0]

    return max(_SEPARATORS, key=fit)


def _read(files: Sequence[RawFile], ingestion: Ingestion) -> pd.DataFrame:
    headers = [read_header(file, ingestion) for file in files]
    for file, names in zip(files, headers, strict=True):
        if "" in names:
            raise DataError(f"{file.name}: column {names.index('') + 1} has no name; name every column in the header.")
        if set(names) != set(headers[0]):
            differing = ", ".join(repr(name) for name in sorted(set(names) ^ set(headers[0])))
            raise DataError(
                f"{files[0].name} and {file.name} differ in the column(s) {differing}; give files with the same ones. "
                "Tables that belong together by a key need a module of the vertical, which this command does not write."
            )
    parts = [read_rows(file, names, ingestion) for file, names in zip(files, headers, strict=True)]
    rows = pd.concat(parts, ignore_index=True)
    if rows.empty:
        raise DataError(f"{', '.join(file.name for file in files)}: only a header, no rows; put data below it.")
    return rows
