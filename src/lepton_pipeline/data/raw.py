"""Read raw files of every kind, block by block."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
import pyarrow as pa

from lepton_pipeline.data import delimited
from lepton_pipeline.data.delimited import SetApart
from lepton_pipeline.data.documents import UNREADABLE, read_document
from lepton_pipeline.data.mask import Masker
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.data.texts import with_strings
from lepton_pipeline.errors import DataError, EmptyFileError
from lepton_pipeline.parameters import Ingestion
from lepton_pipeline.system.permissions import refused

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_NUMERIC = re.compile(r"[^\w\s]?\s*[+-]?[\d.,]*\d[\d.,]*(e[+-]?\d+)?\s*[^\w\s]?", re.IGNORECASE)
_MOST_SUSPECTS = 10_000
_START = 512
_ROWS_A_BLOCK = 1 << 16
# First bytes of other kinds of files -> their kind, and what to do. No header of a table begins so.
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


def read_header(file: RawFile, ingestion: Ingestion) -> list[str]:
    """Read the column names of one file, without blanks around them.

    Raises a DataError where the file is empty or of another kind (HTML, zip, PDF ..), or a name is missing or
    repeated.
    """
    if not file.is_document:
        _refuse_other_kinds(file, ingestion)
    with explained(file, ingestion):
        if file.is_parquet:
            from pyarrow.parquet import read_schema

            with file.open() as stream:
                names = [name for name in read_schema(stream).names if not _numbers_rows(name)]
        elif file.is_document:
            names = list(read_document(file, ingestion.decimal).column_names)
        else:
            names = delimited.header_record(file, ingestion)
    names = [delimited.plain_name(name) for name in names]
    if not any(names):
        raise EmptyFileError(f"{file.name} is empty: it has no header; put a table with column names there.")
    if any("\x00" in name for name in names):
        raise DataError(
            f"{file.name} holds zero bytes, as UTF-16 does when it is read as {ingestion.encoding}; "
            "declare ingestion.encoding (utf-16-le, say)."
        )
    if "" in names:
        raise DataError(
            f"{file.name}: column {names.index('') + 1} has no name; name every column in the header."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        shown = ", ".join(repr(name) for name in twice)
        raise DataError(f"{file.name} has several columns named {shown}; rename all but one in the file.")
    return names


def read_rows(
    file: RawFile, names: list[str], ingestion: Ingestion, limit: int | None = None
) -> pd.DataFrame:
    """The first `limit` rows (None: all) of one file; values of a text file are texts, "" where absent."""
    found: list[Any] = []
    rows = 0
    for block in read_blocks(file, names, ingestion):
        found.append(block if limit is None else block.slice(0, limit - rows))
        rows += len(found[-1])
        if limit is not None and rows >= limit:
            break
    if not found:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in names})
    return pd.DataFrame(pa.concat_tables(found).to_pandas())


def read_blocks(
    file: RawFile, names: list[str], ingestion: Ingestion, seen: SetApart | None = None
) -> Iterator[Any]:
    """Read one file as Arrow tables with the columns `names`, as `read_header` gave them.

    Text stays text ("" where a field is empty); other files keep their types. Records with fewer or more
    fields than the header, empty ones and repeated headers are left out, and counted in `seen`; with it,
    quotes are checked, too.
    """
    log = SetApart(file.name) if seen is None else seen
    with explained(file, ingestion):
        if file.is_parquet:
            blocks = _parquet_blocks(file, names)
        elif file.is_document:
            blocks = iter([read_document(file, ingestion.decimal).rename_columns(names)])
        else:
            blocks = _text_blocks(file, names, ingestion, log)
    while True:
        # Errors of whoever uses a block are not explained as the file's.
        with explained(file, ingestion):
            block = next(blocks, None)
            if block is None and seen is not None and log.quotes:
                log.doubts = check_quotes(file, names, ingestion)
        if block is None:
            return
        if len(block):
            yield block


def _text_blocks(file: RawFile, names: list[str], ingestion: Ingestion, seen: SetApart) -> Iterator[Any]:
    try:
        yield from delimited.text_blocks(file, names, ingestion, seen)
    except pa.ArrowInvalid as error:
        # Arrow names neither the byte that is no character nor the quote that is never closed.
        if "UTF8" in str(error):
            delimited.refuse_undecodable(file, ingestion)
        check_quotes(file, names, ingestion)
        if "straddling" in str(error):
            raise DataError(
                f"{file.name} holds a record longer than a block of 8 MiB; is ingestion.separator right, and does the "
                "file have line breaks?"
            ) from error
        raise


def _parquet_blocks(file: RawFile, names: list[str]) -> Iterator[Any]:
    from pyarrow.parquet import ParquetFile

    with file.open() as stream:
        for batch in ParquetFile(stream).iter_batches(batch_size=_ROWS_A_BLOCK):
            # Without the notes of pandas, for which some columns are not columns but the index.
            table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
            table = table.drop_columns([name for name in table.column_names if _numbers_rows(name)])
            yield with_strings(table.rename_columns(names))


def _numbers_rows(name: str) -> bool:
    """Whether a column of a Parquet file is an unnamed index that pandas wrote beside the columns."""
    return re.fullmatch(r"__index_level_\d+__", name) is not None


def _refuse_other_kinds(file: RawFile, ingestion: Ingestion) -> None:
    """Refuse a file that has the name of a table but the first bytes of something else."""
    with explained(file, ingestion), file.open() as stream:
        start = stream.read(_START)
    expected = "Parquet" if file.is_parquet else "CSV"
    found = [kind for signature, kind in _OTHER_KINDS.items() if start.startswith(signature)]
    if start.removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(_MARKUP):
        found = [_PAGE]
    if found and found[0][0] != expected:
        raise DataError(f"{file.name} is {found[0][0]}, not {expected}; {found[0][1]}.")


@contextmanager
def explained(file: RawFile, ingestion: Ingestion) -> Iterator[None]:
    """Turn what a reader raises about a file's content into a DataError, in which values are masked."""
    try:
        yield
    except DataError as error:
        if (masker := Masker.of(ingestion)) is None:
            raise
        said = masker.texts(str(error).split(file.name))
        # Without its cause, which may quote the same record.
        raise type(error)(file.name.join(said)) from None
    except UnicodeDecodeError as error:
        delimited.refuse_undecodable(file, ingestion)
        raise delimited.undecodable(file.name, ingestion.encoding, error) from error
    except LookupError as error:
        raise DataError(
            f"ingestion.encoding {ingestion.encoding!r} is unknown; declare one that Python knows, such as utf-8."
        ) from error
    except (*UNREADABLE, RuntimeError) as error:
        if (problem := refused(error)) is not None:
            raise problem from error
        raise DataError(f"{file.name} cannot be read: {error}; is the file whole?") from error


def check_quotes(file: RawFile, names: Sequence[str], ingestion: Ingestion) -> dict[str, str]:
    """Refuse a file in which a quote is not closed, or most lines within a record are whole records.

    Returns by column a doubt: a value of two lines, each of which would be a record; it may be an address.
    """
    lines = _Lines(len(names), ingestion.missing)
    suspects: list[tuple[int, int, list[str]]] = []
    dialect = delimited.Dialect.of(file, ingestion)
    for first, last, record in delimited.csv_records(file, dialect, strict=True):
        if last == first:
            lines.learn(record)
        elif len(names) > 1 and len(suspects) < _MOST_SUSPECTS:
            suspects.append((first, last, record))
    doubts: dict[str, str] = {}
    for first, last, record in suspects:
        parts = _LINE_BREAK.split(dialect.separator.join(record))
        if lines.mostly_records(parts[1:-1], dialect.separator):
            raise delimited.stray_quote(file.name, first, last)
        both = len(parts) == 2 and len(record) == len(names)
        if both and lines.mostly_records(parts, dialect.separator, all_of_them=True):
            if lines.are_distinctive:
                raise delimited.stray_quote(file.name, first, last)
            at = next(at for at, value in enumerate(record) if _LINE_BREAK.search(value))
            doubts.setdefault(
                names[at],
                f"a value of two lines ({file.name} lines {first} and {last}), each of which would "
                "be a record: is a quote astray there?",
            )
    return doubts


class _Lines:
    """What records look like, learnt from those on a line of their own."""

    _LEARNT = 500
    # A column with so few different values is a category.
    _FEW = 20
    _NEARLY = 0.9
    # Two or three texts a line stand in prose, too.
    _MANY = 3

    def __init__(self, columns: int, missing: Sequence[str]) -> None:
        self._columns = columns
        self._missing = {text.strip() for text in missing} | {""}
        self._rows = -1
        self._numbers = [0] * columns
        self._values: list[set[str]] = [set() for _ in range(columns)]

    def learn(self, record: list[str]) -> None:
        if self._rows >= self._LEARNT or len(record) != self._columns:
            return
        # The first one is the header.
        self._rows += 1
        if self._rows:
            for at, text in enumerate(map(str.strip, record)):
                self._numbers[at] += self._fits_numbers(text)
                if len(self._values[at]) <= self._FEW:
                    self._values[at].add(text)

    @property
    def are_distinctive(self) -> bool:
        """Whether two such lines are hardly anything but records: an address may have as many commas."""
        numbers = sum(count >= self._NEARLY * self._rows for count in self._numbers)
        return self._columns > self._MANY and self._rows > 0 and numbers > 1

    def mostly_records(self, lines: list[str], separator: str, *, all_of_them: bool = False) -> bool:
        """Whether most lines are records: as many fields, with values such as the column has."""
        lines = [line for line in lines if line.strip()]
        whole = [fields for line in lines if len(fields := line.split(separator)) == self._columns]
        # Prose has commas, too, but not everywhere as many, and not these values.
        needed = len(lines) if all_of_them else max(1, len(lines) / 2)
        fitting = sum(map(self._fits, whole))
        return bool(lines) and fitting >= needed

    def _fits(self, fields: list[str]) -> bool:
        known = [at for at, count in enumerate(self._numbers) if 0 < self._rows * self._NEARLY <= count]
        closed = [at for at, seen in enumerate(self._values) if at not in known and len(seen) <= self._FEW]
        closed = closed if self._rows >= 2 * self._FEW else []
        if not known and not closed:
            return self._columns > self._MANY
        texts = [text.strip() for text in fields]
        numbers = [texts[at] for at in known]
        present = sum(text not in self._missing for text in numbers)
        return (
            all(map(self._fits_numbers, numbers))
            and 2 * present >= len(numbers)
            and all(texts[at] in self._values[at] for at in closed)
        )

    def _fits_numbers(self, text: str) -> bool:
        return text in self._missing or _NUMERIC.fullmatch(text) is not None
