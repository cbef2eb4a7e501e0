"""Read table files of unknown encoding and separator."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lepton_pipeline.data.raw import read_header
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.data.source import Source, Survey
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Contract, Ingestion

_HEAD = 1 << 16
_LINES = 100
_SEPARATORS = (",", ";", "\t", "|")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# cp1252 leaves five bytes undefined; latin-1 has a character for every byte, so it always reads.
_ENCODINGS = ("utf-8", "cp1252", "latin-1")


@dataclass(frozen=True)
class RawRows:
    """Rows of table files as Arrow blocks, with the encoding and separator found.

    `survey` lists the files and what was set apart; None where only a part of each file was read.
    """

    blocks: list[Any]
    ingestion: Ingestion
    survey: Survey | None

    @property
    def frame(self) -> pd.DataFrame:
        """All rows, text as text."""
        frames: list[pd.DataFrame] = [block.to_pandas() for block in self.blocks]
        return pd.concat(frames, ignore_index=True)


def read_texts(files: Sequence[RawFile], *, whole: bool = True) -> RawRows:
    """Read table files whose format is not declared.

    Args:
        files: at least one; all have the same columns.
        whole: False for the beginnings of files, which may end within a record.

    Raises:
        DataError: a file is no table, is empty or has only a header, a column name is missing or repeated,
            too many records are broken, or the files differ in their columns.
    """
    first = next((file for file in files if not file.is_parquet and not file.is_document), None)
    head = b"" if first is None else _head(first)
    encodings = ("utf-16",) if head.startswith(_UTF16) else _ENCODINGS
    for encoding in encodings:
        separator = _separator(head.decode(encoding, errors="replace").removeprefix("\ufeff"))
        ingestion = Ingestion(encoding=encoding, separator=separator)
        try:
            return _read(files, ingestion, whole)
        except DataError as error:
            if not isinstance(error.__cause__, UnicodeDecodeError) or encoding == encodings[-1]:
                raise
    raise AssertionError("the last encoding has read the file or raised")


def _head(file: RawFile) -> bytes:
    # Latin-1 decodes everything: this refuses other kinds of files, and broken compression.
    read_header(file, Ingestion(encoding="latin-1", separator="\x1f"))
    try:
        with file.open() as stream:
            return stream.read(_HEAD)
    except Exception:  # reading the whole file reports it
        return b""


def _separator(text: str) -> str:
    """The separator that splits most lines into as many fields as the header; of several, the most fields."""
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


def _read(files: Sequence[RawFile], ingestion: Ingestion, whole: bool) -> RawRows:
    source = Source.open(list(files), ingestion, {})
    survey = source.survey() if whole else None
    if survey is not None:
        survey.require_whole(Contract().max_quarantined, "contract.max_quarantined")
    return RawRows([chunk.block for chunk in source.chunks()], ingestion, survey)
