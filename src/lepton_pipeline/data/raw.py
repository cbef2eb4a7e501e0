"""Raw files: unopened, then read as text, field by field."""

from __future__ import annotations

import codecs
import csv
import io
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pandas as pd

from lepton_pipeline.data.suffixes import JSON, PARQUET, WORKBOOK, kind_of
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion

_START = 512
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# How a file of another kind begins -> what it is, and what to do. Long enough that no header of a table begins so.
_OTHER_KINDS = {
    b"PK\x03\x04": ("a zip archive or an Excel workbook", "give it a name that ends in .csv.zip or .xlsx"),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook", "save it as .xlsx or CSV and put that there"),
    b"%PDF-": ("a PDF document", "ask for the table as CSV or Parquet and put that there"),
    b"\x1f\x8b": ("compressed with gzip", "give it a name that ends in .gz"),
    b"BZh91AY&SY": ("compressed with bzip2", "give it a name that ends in .bz2"),
    b"\xfd7zXZ\x00": ("compressed with xz", "give it a name that ends in .xz"),
    b"(\xb5/\xfd": ("compressed with zstd", "give it a name that ends in .zst"),
    b"PAR1\x15": ("Parquet", "give it a name that ends in .parquet"),
}
_PAGE = "HTML or XML", "download the file itself: what was saved is a page, often one that asks to log in"
# Not every "<": some exchanges write headers such as <TICKER>,<DATE>.
_MARKUP = (b"<!doctype", b"<html", b"<head", b"<body", b"<table", b"<?xml", b"<!--")


@dataclass(frozen=True)
class RawFile:
    """One table file that has not been opened yet.

    Attributes:
        name: its path relative to the folder that was listed, or the file's name; for messages, and for its kind.
        open: opens it for reading, decompressed.
        partitions: columns that its folders give it in the manner of Hive (`key=value/`); None is a missing value.
    """

    name: str
    open: Callable[[], BinaryIO]
    partitions: dict[str, str | None] = field(default_factory=dict, hash=False)

    @property
    def is_parquet(self) -> bool:
        """Whether the file says by its name that it is Parquet."""
        return kind_of(self.name) == PARQUET

    @property
    def is_document(self) -> bool:
        """Whether the file says by its name that it is JSON or a workbook, which `read_document` reads."""
        return kind_of(self.name) in (JSON, WORKBOOK)


def read_header(file: RawFile, ingestion: Ingestion) -> list[str]:
    """Read the column names of one file and nothing else.

    Args:
        file: a CSV or Parquet file.
        ingestion: separator and encoding of text files.

    Returns:
        Names in order, without blanks around them.

    Raises:
        DataError: the file is empty or of another kind (HTML, zip, PDF ..), its names cannot be decoded, one stands
            twice, or a column has none.
    """
    _refuse_other_kinds(file, ingestion)
    with _explained(file, ingestion), file.open() as stream:
        if file.is_parquet:
            from pyarrow.parquet import read_schema

            names = [name for name in read_schema(stream).names if not _numbers_rows(name)]
        else:
            text = io.TextIOWrapper(stream, encoding=_codec(ingestion), newline="")
            names = next(csv.reader(text, delimiter=ingestion.separator), [])
    names = [name.strip() for name in names]
    if not any(names):
        raise DataError(f"{file.name} is empty: it has no header; put a table with column names there.")
    if "" in names:
        raise DataError(f"{file.name}: column {names.index('') + 1} has no name; name every column in the header.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        shown = ", ".join(repr(name) for name in twice)
        raise DataError(f"{file.name} has more than one column named {shown}; rename all but one in the file.")
    return names


def read_rows(file: RawFile, names: list[str], ingestion: Ingestion, limit: int | None = None) -> pd.DataFrame:
    """Read the rows of one file.

    Args:
        file: a CSV or Parquet file.
        names: its column names, as `read_header` gave them.
        ingestion: separator and encoding of text files.
        limit: the first so many rows only; None for all.

    Returns:
        One row per record; every value of a text file is text, an absent one is "".

    Raises:
        DataError: the bytes cannot be decoded, or a record has more fields than the header.
    """
    with _explained(file, ingestion), file.open() as stream, warnings.catch_warnings():
        # pandas only warns when it drops fields beyond the header.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        if file.is_parquet:
            return _read_parquet(stream, limit).set_axis(names, axis="columns")
        rows: pd.DataFrame = pd.read_csv(stream, nrows=limit, **_text_options(names, ingestion))
        return rows


def read_blocks(file: RawFile, names: list[str], ingestion: Ingestion, size: int) -> Iterator[pd.DataFrame]:
    """Read the rows of one file, a block of them at a time.

    Args:
        file: a CSV or Parquet file.
        names: its column names, as `read_header` gave them.
        ingestion: separator and encoding of text files.
        size: rows of a block.

    Yields:
        What `read_rows` gives, in blocks; nothing where there is no row.

    Raises:
        DataError: as `read_rows`.
    """
    with _explained(file, ingestion), file.open() as stream:
        if file.is_parquet:
            from pyarrow.parquet import ParquetFile

            batches = ParquetFile(stream).iter_batches(batch_size=size)
            blocks: Iterator[pd.DataFrame] = (
                _without_index(batch).set_axis(names, axis="columns") for batch in batches
            )
        else:
            blocks = pd.read_csv(stream, chunksize=size, **_text_options(names, ingestion))
        while True:
            # What pandas warns of is an error here, but not in what is done with a block.
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)
                block = next(blocks, None)
            if block is None:
                return
            if len(block):
                yield block


def _text_options(names: list[str], ingestion: Ingestion) -> dict[str, Any]:
    return {
        "sep": ingestion.separator,
        "encoding": _codec(ingestion),
        "header": 0,
        "names": names,
        "index_col": False,
        "dtype": str,
        "keep_default_na": False,
        "na_filter": False,
    }


def _read_parquet(stream: BinaryIO, limit: int | None) -> pd.DataFrame:
    from pyarrow.parquet import ParquetFile

    file = ParquetFile(stream)
    found = file.read() if limit is None else next(file.iter_batches(batch_size=limit), file.schema_arrow.empty_table())
    return _without_index(found)


def _without_index(found: Any) -> pd.DataFrame:
    """What pyarrow has read, without the notes of pandas, for which some columns are not columns but the index."""
    rows: pd.DataFrame = found.replace_schema_metadata(None).to_pandas()
    return rows.drop(columns=[name for name in rows if _numbers_rows(str(name))])


def _numbers_rows(name: str) -> bool:
    """Whether a column of a Parquet file is an index without a name, which pandas has written beside the columns."""
    return re.fullmatch(r"__index_level_\d+__", name) is not None


def _refuse_other_kinds(file: RawFile, ingestion: Ingestion) -> None:
    """Say what a file is that has the name of a table and begins like something else."""
    with _explained(file, ingestion), file.open() as stream:
        start = stream.read(_START)
    expected = "Parquet" if file.is_parquet else "CSV"
    found = [kind for signature, kind in _OTHER_KINDS.items() if start.startswith(signature)]
    if start.removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(_MARKUP):
        found = [_PAGE]
    if found and found[0][0] != expected:
        raise DataError(f"{file.name} is {found[0][0]}, not {expected}; {found[0][1]}.")


def _codec(ingestion: Ingestion) -> str:
    """The declared encoding, or for UTF-8 its variant that drops a byte order mark."""
    return "utf-8-sig" if ingestion.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else ingestion.encoding


@contextmanager
def _explained(file: RawFile, ingestion: Ingestion) -> Iterator[None]:
    """Turn what a reader raises about a file's content into a DataError."""
    name, encoding = file.name, ingestion.encoding
    try:
        yield
    except UnicodeDecodeError as error:
        seen = error.object[error.start : error.end].hex(" ")
        likely = "utf-16" if error.object.startswith(_UTF16) else "latin-1 or cp1252, say"
        raise DataError(
            f"{name} is not {encoding}: byte {seen} cannot be decoded; declare ingestion.encoding ({likely})."
        ) from error
    except LookupError as error:
        raise DataError(
            f"ingestion.encoding {encoding!r} is unknown; declare one that Python knows, such as utf-8."
        ) from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise DataError(
            f"{name} cannot be read as a table: {error}; check ingestion.separator and the file's quotes."
        ) from error
    except (OSError, EOFError, ValueError, RuntimeError, lzma.LZMAError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{name} cannot be read: {error}; is the file whole?") from error
