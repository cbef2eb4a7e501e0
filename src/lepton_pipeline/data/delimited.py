"""Delimited text: the header, records as Arrow strings, and records that are set apart."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

import pyarrow as pa
import pyarrow.compute as pc

from lepton_pipeline.data.mask import Masker
from lepton_pipeline.data.raw_file import RawFile, Readable
from lepton_pipeline.data.reading import BrokenRecord
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion

SHORT, LONG = "short records", "long records"
EMPTY, HEADER = "rows without a value", "repeated headers"
# Records that are broken count towards `contract.max_quarantined`; these two hold nothing that could be lost.
HARMLESS = {EMPTY, HEADER}
EXAMPLES = 20
_BLOCK = 1 << 23
# A quote that is never closed swallows the rest of the file, which must not fill the memory.
_LONGEST_RECORD = 1 << 27
_TEXT = 200
_START = 512
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_MARK = "\ufeff"
_MOST_HEADER_LINES = 20
# As Excel writes it, so that it knows the separator itself.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n?', re.IGNORECASE)


@dataclass
class SetApart:
    """Records of one file that are not rows of the table.

    Attributes:
        reasons: number of records by reason.
        records: the first ones: number (the header is 1, blank lines have none) and reason.
        rows: rows of the file, counted by the reader.
        quotes: whether a quote was seen.
        doubts: by column, what `check_quotes` is not sure of.
    """

    file: str
    reasons: Counter[str] = field(default_factory=Counter)
    records: list[tuple[int, str]] = field(default_factory=list)
    rows: int = 0
    quotes: bool = False
    doubts: dict[str, str] = field(default_factory=dict)

    def add(self, number: int, reason: str) -> None:
        """Count one record."""
        self.reasons[reason] += 1
        if len(self.records) < EXAMPLES:
            self.records.append((number, reason))


@dataclass(frozen=True)
class Dialect:
    """Separator and codec of one file, and the bytes (`skip`) and `lines` before its header."""

    separator: str
    codec: str
    skip: int
    lines: int

    @classmethod
    def of(cls, file: RawFile, ingestion: Ingestion) -> Dialect:
        """Detect it from the first bytes: byte order mark and `sep=` line, else as declared."""
        with file.open() as stream:
            start = stream.read(_START)
        codecs.lookup(ingestion.encoding)
        mark = next(filter(start.startswith, _MARKS), b"")
        codec = _MARKS.get(mark, ingestion.encoding)
        if not mark and ingestion.encoding.lower().replace("_", "-") in ("utf-16", "utf-32"):
            # Without a mark these two stand for the byte order of the machine.
            codec = f"{ingestion.encoding}-le"
        first = start[len(mark) :].decode(codec, errors="ignore").splitlines(keepends=True)[:1]
        line = _SEPARATOR_LINE.fullmatch(first[0]) if first else None
        if line is None:
            return cls(ingestion.separator, codec, len(mark), 0)
        return cls(line[1], codec, len(mark) + len(first[0].encode(codec)), 1)


def header_record(file: RawFile, ingestion: Ingestion) -> list[str]:
    """The fields of the first line that is not blank; else an empty list."""
    with closing(csv_records(file, Dialect.of(file, ingestion))) as records:
        for first, last, record in records:
            if last - first > _MOST_HEADER_LINES:
                raise stray_quote(file.name, first, last)
            if any(name.strip() for name in record):
                return record
    return []


def text_blocks(file: RawFile, names: Sequence[str], ingestion: Ingestion, seen: SetApart) -> Iterator[Any]:
    """Read the records below the header as Arrow tables of strings, "" where a field is empty."""
    from pyarrow import csv as arrow

    dialect = Dialect.of(file, ingestion)
    broken: list[int] = []

    def refuse(record: Any) -> str:
        broken.append(record.number)
        # A line of blanks is no record, but has a number.
        if record.text.strip():
            seen.add(record.number, SHORT if record.actual_columns < record.expected_columns else LONG)
        return "skip"

    with file.open() as stream:
        stream.read(dialect.skip)
        watched = _Watched(stream)
        reader = arrow.open_csv(
            pa.PythonFile(watched, mode="r"),
            # One thread, as only then records that are refused have a number.
            read_options=arrow.ReadOptions(
                use_threads=False, column_names=names, block_size=_BLOCK, encoding=dialect.codec
            ),
            parse_options=arrow.ParseOptions(
                delimiter=dialect.separator, newlines_in_values=True, invalid_row_handler=refuse
            ),
            convert_options=arrow.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=True
            ),
        )
        header = header_record(file, ingestion)
        position, below = 0, False
        for batch in reader:
            table = kept = pa.Table.from_batches([batch])
            unused = _unused(table, header)
            if unused:
                kept = table.filter(pa.array([at not in unused for at in range(len(table))]))
            for at, reason in unused.items():
                if reason == HEADER and not below:
                    below = True
                    continue
                number = position + at + 1
                if len(seen.records) < EXAMPLES:
                    # Those that were refused have numbers, too.
                    number += sum(refused - before <= number for before, refused in enumerate(broken))
                seen.add(number, reason)
            position += len(table)
            if len(kept):
                yield kept
        seen.quotes = watched.quotes


def _unused(table: Any, header: Sequence[str]) -> dict[int, str]:
    """Positions of empty records and of repeated headers."""
    names = [plain_name(name) for name in header]
    if table.num_columns == 1:
        repeated = table.num_rows and plain_name(table.column(0)[0].as_py()) == names[0]
        return {0: HEADER} if repeated else {}
    first = pc.utf8_trim_whitespace(table.column(0))
    # Concatenated files may hold byte order marks within.
    written = {header[0].strip().strip(_MARK), names[0]}
    starts = {"", *(f"{marks}{name}" for name in written for marks in ("", _MARK, 2 * _MARK))}
    candidates = pc.indices_nonzero(pc.is_in(first, pa.array(sorted(starts), first.type)))
    found: dict[int, str] = {}
    for at, row in zip(candidates.to_pylist(), table.take(candidates).to_pylist(), strict=True):
        values = [plain_name(value) for value in row.values()]
        if not any(values):
            found[at] = EMPTY
        elif values == names:
            found[at] = HEADER
    return found


def plain_name(name: str) -> str:
    """A column name in NFC, without blanks or byte order marks around it."""
    return normalize("NFC", name.strip().strip(_MARK).strip())


def find_lines(file: RawFile, records: list[tuple[int, str]], ingestion: Ingestion) -> list[BrokenRecord]:
    """The records that were set apart, with at most 200 characters of their text."""
    wanted = dict(records)
    found: list[BrokenRecord] = []
    dialect, number = Dialect.of(file, ingestion), 0
    masker = Masker.of(ingestion)
    with closing(csv_records(file, dialect)) as lines:
        for line, _, record in lines:
            number += bool(record)
            if record and number in wanted:
                # Which column a value belongs to is not known.
                fields = record if masker is None else masker.texts(record)
                shown = dialect.separator.join(fields)
                found.append(BrokenRecord(file.name, line, wanted.pop(number), shown[:_TEXT]))
            if not wanted:
                break
    return found


def stray_quote(file: str, first: int, last: int) -> DataError:
    """The error for a quote that swallows lines."""
    return DataError(
        f"{file} line {first}: a quote opens there and swallows the lines to {last}; close it, or take it out of the "
        'file, and write a quote inside of a quoted value twice ("").'
    )


def csv_records(
    file: RawFile, dialect: Dialect, *, strict: bool = False
) -> Generator[tuple[int, int, list[str]]]:
    """The records of a file, header included, with their first and last lines.

    Raises a DataError for a stray quote, and, if `strict`, for text behind a closing one.
    """
    before = csv.field_size_limit(_LONGEST_RECORD)
    last = dialect.lines
    try:
        with file.open() as stream:
            stream.read(dialect.skip)
            text = io.TextIOWrapper(stream, encoding=dialect.codec, newline="")
            reader = csv.reader(text, delimiter=dialect.separator, strict=strict)
            try:
                for record in reader:
                    first, last = last + 1, dialect.lines + reader.line_num
                    yield first, last, record
            except csv.Error as error:
                here = dialect.lines + reader.line_num
                if "expected after" in str(error):
                    raise DataError(
                        f"{file.name} line {here}: text follows a closing quote; write a quote inside of a "
                        'quoted value twice ("").'
                    ) from error
                raise stray_quote(file.name, last + 1, here) from error
    finally:
        csv.field_size_limit(before)


class _Watched(Readable):
    """A file that records whether it holds a quote."""

    quotes = False

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        self.quotes = self.quotes or b'"' in bytes(buffer[:count])
        return count


def refuse_undecodable(file: RawFile, ingestion: Ingestion) -> None:
    """Raise a DataError with the line of the first byte that cannot be decoded, if there is one."""
    dialect = Dialect.of(file, ingestion)
    with file.open() as stream:
        stream.read(dialect.skip)
        # In UTF-16 and UTF-32 a line break may be half a character.
        for number, line in enumerate(stream, dialect.lines + 1):
            try:
                line.decode(dialect.codec)
            except UnicodeDecodeError as error:
                raise undecodable(f"{file.name} line {number}", dialect.codec, error) from error


def undecodable(where: str, codec: str, error: UnicodeDecodeError) -> DataError:
    """The error of bytes that are no text in a codec."""
    seen = error.object[error.start : error.end].hex(" ")
    return DataError(
        f"{where} is not {codec}: byte {seen} cannot be decoded; "
        "declare ingestion.encoding (latin-1 or cp1252, say)."
    )
