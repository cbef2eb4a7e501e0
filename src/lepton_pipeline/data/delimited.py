"""Delimited text: the header, records as Arrow strings, and records that are set apart."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from unicodedata import normalize

import pyarrow as pa
import pyarrow.compute as pc

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion

Opener = Callable[[], BinaryIO]
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
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
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
    def of(cls, start: bytes, ingestion: Ingestion) -> Dialect:
        """Detect it from the first bytes: byte order mark and `sep=` line, else as declared."""
        codecs.lookup(ingestion.encoding)
        marks = [each for each in _MARKS if start.startswith(each[0])]
        mark, codec = marks[0] if marks else (b"", ingestion.encoding)
        if not mark and ingestion.encoding.lower().replace("_", "-") in ("utf-16", "utf-32"):
            # Without a mark these two stand for the byte order of the machine.
            codec = f"{ingestion.encoding}-le"
        first = start[len(mark) :].decode(codec, errors="ignore").splitlines(keepends=True)[:1]
        line = _SEPARATOR_LINE.fullmatch(first[0]) if first else None
        if line is None:
            return cls(ingestion.separator, codec, len(mark), 0)
        return cls(line[1], codec, len(mark) + len(first[0].encode(codec)), 1)


def _dialect_of(open_file: Opener, ingestion: Ingestion) -> Dialect:
    with open_file() as stream:
        return Dialect.of(stream.read(_START), ingestion)


def header_record(open_file: Opener, file: str, ingestion: Ingestion) -> list[str]:
    """The fields of the first line that is not blank; else an empty list."""
    with csv_reader(open_file, ingestion) as (reader, dialect):
        before = 0
        try:
            for record in reader:
                first, last = dialect.lines + before + 1, dialect.lines + reader.line_num
                if last - first > _MOST_HEADER_LINES:
                    raise stray_quote(file, first, last)
                if any(name.strip() for name in record):
                    return list(record)
                before = reader.line_num
        except csv.Error as error:
            raise stray_quote(file, dialect.lines + before + 1, dialect.lines + reader.line_num) from error
    return []


def text_blocks(
    open_file: Opener, names: Sequence[str], ingestion: Ingestion, seen: SetApart
) -> Iterator[Any]:
    """Read the records below the header as Arrow tables of strings, "" where a field is empty."""
    from pyarrow import csv as arrow

    dialect = _dialect_of(open_file, ingestion)
    broken: list[int] = []

    def refuse(record: Any) -> str:
        broken.append(record.number)
        # A line of blanks is no record, but has a number.
        if record.text.strip():
            seen.add(record.number, SHORT if record.actual_columns < record.expected_columns else LONG)
        return "skip"

    with open_file() as stream:
        watched = _Watched(stream, dialect)
        try:
            reader = arrow.open_csv(
                pa.PythonFile(watched, mode="r"),
                # One thread, as only then records that are refused have a number.
                read_options=arrow.ReadOptions(use_threads=False, column_names=names, block_size=_BLOCK),
                parse_options=arrow.ParseOptions(
                    delimiter=dialect.separator, newlines_in_values=True, invalid_row_handler=refuse
                ),
                convert_options=arrow.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=True
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                return
            raise
        header = header_record(open_file, seen.file, ingestion)
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
                # Only the first few need their number.
                seen.add(_number(position + at, broken) if len(seen.records) < EXAMPLES else 0, reason)
            position += len(table)
            if len(kept):
                yield kept
        seen.quotes = watched.quotes


def _number(position: int, broken: list[int]) -> int:
    """The number of a record by its position among those that were not refused."""
    number = position + 1
    for refused in broken:
        if refused > number:
            break
        number += 1
    return number


def _unused(table: Any, header: Sequence[str]) -> dict[int, str]:
    """Positions of empty records and of repeated headers."""
    names = [_plain(name) for name in header]
    first = pc.utf8_trim_whitespace(table.column(0))
    # Concatenated files may hold byte order marks within.
    written = {header[0].strip().strip(_MARK), names[0]}
    starts = {f"{marks}{name}" for name in written for marks in ("", _MARK, 2 * _MARK)}
    if table.num_columns > 1:
        starts.add("")
    elif table.num_rows and _plain(table.column(0)[0].as_py()) == names[0]:
        return {0: HEADER}
    else:
        return {}
    candidates = pc.indices_nonzero(pc.is_in(first, pa.array(sorted(starts), first.type)))
    found: dict[int, str] = {}
    for at, row in zip(candidates.to_pylist(), table.take(candidates).to_pylist(), strict=True):
        values = [_plain(value) for value in row.values()]
        if not any(values):
            found[at] = EMPTY
        elif values == names:
            found[at] = HEADER
    return found


def _plain(name: str) -> str:
    return normalize("NFC", name.strip().strip(_MARK).strip())


def find_lines(
    open_file: Opener, records: Sequence[tuple[int, str]], ingestion: Ingestion
) -> list[tuple[int, str, str]]:
    """Line, reason and text (at most 200 characters) of the records that were set apart."""
    wanted = dict(records)
    found: list[tuple[int, str, str]] = []
    with csv_reader(open_file, ingestion) as (reader, dialect):
        number = before = 0
        for record in reader:
            line, before = dialect.lines + before + 1, reader.line_num
            number += bool(record)
            if record and number in wanted:
                shown = dialect.separator.join(record)
                found.append((line, wanted.pop(number), shown[:_TEXT]))
            if not wanted:
                break
    return found


def stray_quote(file: str, first: int, last: int) -> DataError:
    """The error for a quote that swallows lines."""
    return DataError(
        f"{file} line {first}: a quote opens there and swallows the lines to {last}; close it, or take it out of the "
        'file, and write a quote inside of a quoted value twice ("").'
    )


@contextmanager
def csv_reader(
    open_file: Opener, ingestion: Ingestion, *, strict: bool = False
) -> Iterator[tuple[Any, Dialect]]:
    """Python's reader at the header of a file; it takes long fields, so that a stray quote can be reported."""
    dialect = _dialect_of(open_file, ingestion)
    before = csv.field_size_limit(_LONGEST_RECORD)
    try:
        with open_file() as stream:
            _skip(stream, dialect.skip)
            text = io.TextIOWrapper(stream, encoding=dialect.codec, newline="")
            yield csv.reader(text, delimiter=dialect.separator, strict=strict), dialect
    finally:
        csv.field_size_limit(before)


def _skip(stream: BinaryIO, count: int) -> None:
    while count:
        count -= len(stream.read(count)) or count


class _Watched(io.RawIOBase):
    """A file as UTF-8 without byte order mark; records whether it holds a quote."""

    def __init__(self, stream: BinaryIO, dialect: Dialect) -> None:
        _skip(stream, dialect.skip)
        self._stream = stream
        self._decoder = None if _is_utf8(dialect.codec) else codecs.getincrementaldecoder(dialect.codec)()
        self._waiting = b""
        self.quotes = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._waiting:
            self._waiting = self._next(len(buffer))
        part, self._waiting = self._waiting[: len(buffer)], self._waiting[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def _next(self, size: int) -> bytes:
        found = b""
        while not found:
            read = self._stream.read(size)
            found = read if self._decoder is None else self._decoder.decode(read, final=not read).encode()
            if not read:
                break
        self.quotes = self.quotes or b'"' in found
        return found


def _is_utf8(codec: str) -> bool:
    return codecs.lookup(codec).name == "utf-8"


def refuse_undecodable(open_file: Opener, file: str, ingestion: Ingestion) -> None:
    """Raise a DataError with the line of the first byte that cannot be decoded, if there is one."""
    dialect = _dialect_of(open_file, ingestion)
    with open_file() as stream:
        _skip(stream, dialect.skip)
        # In UTF-16 and UTF-32 a line break may be half a character.
        for number, line in enumerate(stream, dialect.lines + 1):
            try:
                line.decode(dialect.codec)
            except UnicodeDecodeError as error:
                seen = error.object[error.start : error.end].hex(" ")
                raise DataError(
                    f"{file} line {number} is not {dialect.codec}: byte {seen} cannot be decoded; "
                    "declare ingestion.encoding (latin-1 or cp1252, say)."
                ) from error
