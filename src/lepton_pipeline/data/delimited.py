"""Delimited text: its header, its records as Arrow strings, and what in it is no record of the table."""

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
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# As Excel writes it, so that it knows the separator itself.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n?', re.IGNORECASE)


@dataclass
class SetApart:
    """What of one file is no row of the table.

    Attributes:
        file: its name.
        reasons: number of records by why they are none.
        records: the first of them: number (the header is 1, blank lines have none) and why.
        rows: its rows, which are counted by whoever reads them.
        quotes: whether a quote was seen.
    """

    file: str
    reasons: Counter[str] = field(default_factory=Counter)
    records: list[tuple[int, str]] = field(default_factory=list)
    rows: int = 0
    quotes: bool = False

    def add(self, number: int, reason: str) -> None:
        """Count one record."""
        self.reasons[reason] += 1
        if len(self.records) < EXAMPLES:
            self.records.append((number, reason))


@dataclass(frozen=True)
class Dialect:
    """How the text of one file is read.

    Attributes:
        separator: as a line `sep=` of the file says, or else as declared.
        codec: as a byte order mark says, or else as declared.
        skip: bytes before the header: the mark and the line.
        lines: lines among them.
    """

    separator: str
    codec: str
    skip: int
    lines: int

    @classmethod
    def of(cls, start: bytes, ingestion: Ingestion) -> Dialect:
        """Tell from the first bytes of a file.

        Raises:
            LookupError: the declared encoding is unknown.
        """
        codecs.lookup(ingestion.encoding)
        mark, codec = next(
            ((mark, codec) for mark, codec in _MARKS if start.startswith(mark)), (b"", ingestion.encoding)
        )
        if not mark and ingestion.encoding.lower().replace("_", "-") in ("utf-16", "utf-32"):
            # Without a mark these two stand for the byte order of the machine.
            codec = f"{ingestion.encoding}-le"
        first = start[len(mark) :].decode(codec, errors="ignore").splitlines(keepends=True)[:1]
        line = _SEPARATOR_LINE.fullmatch(first[0]) if first else None
        if line is None:
            return cls(ingestion.separator, codec, len(mark), 0)
        return cls(line[1], codec, len(mark) + len(first[0].encode(codec)), 1)


def dialect_of(open_file: Callable[[], BinaryIO], ingestion: Ingestion) -> Dialect:
    """Look at the first bytes of a file."""
    with open_file() as stream:
        return Dialect.of(stream.read(_START), ingestion)


def header_record(open_file: Callable[[], BinaryIO], ingestion: Ingestion) -> list[str]:
    """The fields of the first line that is not blank; an empty list where there is none."""
    with _text_of(open_file, dialect_of(open_file, ingestion)) as (text, dialect):
        return next((record for record in csv.reader(text, delimiter=dialect.separator) if not _blank(record)), [])


def text_blocks(
    open_file: Callable[[], BinaryIO], names: Sequence[str], ingestion: Ingestion, seen: SetApart
) -> Iterator[Any]:
    """Read the records below the header as Arrow tables of strings, "" where a field is empty.

    Args:
        open_file: opens the file, decompressed.
        names: its columns.
        ingestion: separator and encoding.
        seen: is told what is left out.

    Raises:
        UnicodeDecodeError: bytes cannot be decoded.
        pyarrow.ArrowInvalid: the text cannot be parsed.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow

    dialect = dialect_of(open_file, ingestion)
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
        position = 0
        for batch in reader:
            table = pa.Table.from_batches([batch])
            kept = table
            unused = _unused(table, names)
            if unused:
                kept = table.filter(pa.array([at not in unused for at in range(len(table))]))
            for at, reason in unused.items():
                # The first record of all is the header itself.
                if position + at or reason != HEADER:
                    seen.add(_number(position + at, broken), reason)
            position += len(table)
            if len(kept):
                yield kept
        seen.quotes = watched.quotes


def _number(position: int, broken: list[int]) -> int:
    """The number of the record at a position among those that were not refused."""
    number = position + 1
    for refused in broken:
        if refused > number:
            break
        number += 1
    return number


def _unused(table: Any, names: Sequence[str]) -> dict[int, str]:
    """Positions of records that hold nothing, or the header once more."""
    import pyarrow.compute as pc

    found: dict[int, str] = {}
    if len(names) > 1:
        first = pc.utf8_trim_whitespace(table.column(0))
        for wanted, reason in (([""] * len(names), EMPTY), (list(names), HEADER)):
            candidates = pc.indices_nonzero(pc.equal(first, wanted[0]))
            if not len(candidates):
                continue
            rows = table.take(candidates)
            same = [
                pc.equal(pc.utf8_trim_whitespace(column), text)
                for column, text in zip(rows.columns, wanted, strict=True)
            ]
            for at, alike in zip(
                candidates.to_pylist(), zip(*(each.to_pylist() for each in same), strict=True), strict=True
            ):
                if all(alike):
                    found[at] = reason
    elif len(table) and table.column(0)[0].as_py().strip() == names[0]:
        found[0] = HEADER
    return found


def check_quotes(open_file: Callable[[], BinaryIO], file: str, names: Sequence[str], ingestion: Ingestion) -> None:
    """Refuse a file in which a quote swallows the lines below it.

    Args:
        open_file: opens the file, decompressed.
        file: its name, for the message.
        names: its columns.
        ingestion: separator and encoding.

    Raises:
        DataError: a quote is never closed, text follows a closing quote, or a value with line breaks is made of whole
            records; with file and lines.
    """
    numbers = _NumberColumns(len(names))
    with _text_of(open_file, dialect_of(open_file, ingestion)) as (text, dialect), _long_fields():
        reader = csv.reader(text, delimiter=dialect.separator, strict=True)
        suspects: list[tuple[int, int, list[list[str]]]] = []
        before = 0
        try:
            for record in reader:
                first, before = dialect.lines + before + 1, reader.line_num
                if dialect.lines + before == first:
                    numbers.learn(record)
                elif len(suspects) < EXAMPLES and (parts := _records_within(record, dialect.separator, len(names))):
                    suspects.append((first, dialect.lines + before, parts))
        except csv.Error as error:
            last = dialect.lines + reader.line_num
            if "expected after" in str(error):
                raise DataError(
                    f"{file} line {last}: text follows a closing quote; write a quote inside of a quoted value twice "
                    '("").'
                ) from error
            raise _stray(file, dialect.lines + before + 1, last) from error
        for first, last, parts in suspects:
            if numbers.hold(parts):
                raise _stray(file, first, last)


def find_lines(
    open_file: Callable[[], BinaryIO], records: Sequence[tuple[int, str]], ingestion: Ingestion
) -> list[dict[str, Any]]:
    """Say on which lines records stand, and what they hold.

    Args:
        open_file: opens the file, decompressed.
        records: number and reason of each, see `SetApart`.
        ingestion: separator and encoding.

    Returns:
        `line`, `reason` and `text` (at most 200 characters) of each, in order.
    """
    wanted = dict(records)
    found: list[dict[str, Any]] = []
    with _text_of(open_file, dialect_of(open_file, ingestion)) as (text, dialect), _long_fields():
        reader = csv.reader(text, delimiter=dialect.separator)
        number = before = 0
        for record in reader:
            line, before = dialect.lines + before + 1, reader.line_num
            number += bool(record)
            if record and number in wanted:
                shown = dialect.separator.join(record)
                found.append({"line": line, "reason": wanted.pop(number), "text": shown[:_TEXT]})
            if not wanted:
                break
    return found


class _NumberColumns:
    """Which columns hold numbers, learnt from records on a line of their own."""

    _ENOUGH = 200

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._rows = -1
        self._numbers = [0] * columns

    def learn(self, record: list[str]) -> None:
        if self._rows >= self._ENOUGH or len(record) != self._columns:
            return
        # The first one is the header.
        self._rows += 1
        if self._rows:
            self._numbers = [count + _numeric(text) for count, text in zip(self._numbers, record, strict=True)]

    def hold(self, records: list[list[str]]) -> bool:
        """Whether what would be records has numbers where others have; by their number alone where none has."""
        known = [at for at, count in enumerate(self._numbers) if self._rows > 0 and count >= 0.9 * self._rows]
        if not known:
            return self._columns > 3  # two or three texts a line stand in prose, too
        cells = [record[at].strip() for record in records for at in known]
        return all(map(_numeric, cells)) and sum(map(bool, cells)) > len(cells) / 2


def _numeric(text: str) -> bool:
    return bool(
        re.fullmatch(
            r"\s*[^\w\s]?\s*[+-]?[\d.,]*\d[\d.,]*(e[+-]?\d+)?\s*[^\w\s]?\s*|\s*(na|n/a|nan|null)?\s*", text, re.I
        )
    )


def _records_within(record: list[str], separator: str, columns: int) -> list[list[str]]:
    """The lines of a record that has several, where each would be a record by itself; else none."""
    if columns == 1 or len(record) != columns:
        return []
    parts = [line.split(separator) for line in re.split(r"\r\n|\r|\n", separator.join(record))]
    return parts if all(len(part) == columns for part in parts) else []


def _stray(file: str, first: int, last: int) -> DataError:
    return DataError(
        f"{file} line {first}: a quote opens there and swallows the lines to {last}; close it, or take it out of the "
        'file, and write a quote inside of a quoted value twice ("").'
    )


def _blank(record: list[str]) -> bool:
    return not any(text.strip() for text in record)


@contextmanager
def _text_of(open_file: Callable[[], BinaryIO], dialect: Dialect) -> Iterator[tuple[io.TextIOWrapper, Dialect]]:
    with open_file() as stream:
        _skip(stream, dialect.skip)
        yield io.TextIOWrapper(stream, encoding=dialect.codec, newline=""), dialect


def _skip(stream: BinaryIO, count: int) -> None:
    while count:
        count -= len(stream.read(count)) or count


@contextmanager
def _long_fields() -> Iterator[None]:
    before = csv.field_size_limit(_LONGEST_RECORD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


class _Watched(io.RawIOBase):
    """A file as UTF-8 without its byte order mark; says whether there was a quote in it."""

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


def decode_all(open_file: Callable[[], BinaryIO], ingestion: Ingestion) -> None:
    """Read all of a file as text.

    Raises:
        UnicodeDecodeError: with the bytes that cannot be decoded.
    """
    with _text_of(open_file, dialect_of(open_file, ingestion)) as (text, _):
        while text.read(_BLOCK):
            pass
