"""Whether a quote in delimited text swallows the lines below it."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from lepton_pipeline.data.delimited import Opener, csv_reader, stray_quote
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_NUMERIC = re.compile(r"[^\w\s]?\s*[+-]?[\d.,]*\d[\d.,]*(e[+-]?\d+)?\s*[^\w\s]?", re.IGNORECASE)
_MOST_SUSPECTS = 10_000


def check_quotes(open_file: Opener, file: str, names: Sequence[str], ingestion: Ingestion) -> dict[str, str]:
    """Refuse a file in which a quote is not closed, or most lines within a record are whole records.

    Returns by column a doubt: a value of two lines, each of which would be a record; it may be an address.
    """
    lines = _Lines(len(names), ingestion.missing)
    suspects: list[tuple[int, int, list[str]]] = []
    with csv_reader(open_file, ingestion, strict=True) as (reader, dialect):
        before = 0
        try:
            for record in reader:
                first, before = dialect.lines + before + 1, reader.line_num
                if dialect.lines + before == first:
                    lines.learn(record)
                elif len(names) > 1 and len(suspects) < _MOST_SUSPECTS:
                    suspects.append((first, dialect.lines + before, record))
        except csv.Error as error:
            last = dialect.lines + reader.line_num
            if "expected after" in str(error):
                raise DataError(
                    f"{file} line {last}: text follows a closing quote; write a quote inside of a quoted value twice "
                    '("").'
                ) from error
            raise stray_quote(file, dialect.lines + before + 1, last) from error
    doubts: dict[str, str] = {}
    for first, last, record in suspects:
        parts = _LINE_BREAK.split(dialect.separator.join(record))
        if lines.mostly_records(parts[1:-1], dialect.separator):
            raise stray_quote(file, first, last)
        both = len(parts) == 2 and len(record) == len(names)
        if both and lines.mostly_records(parts, dialect.separator, all_of_them=True):
            if lines.are_distinctive:
                raise stray_quote(file, first, last)
            at = next(at for at, value in enumerate(record) if _LINE_BREAK.search(value))
            doubts.setdefault(
                names[at],
                f"a value of two lines ({file} lines {first} and {last}), each of which would be a record: is a quote "
                "astray there?",
            )
    return doubts


class _Lines:
    """What records look like, learnt from those on a line of their own."""

    _LEARNT = 500
    # So few different values are known after so many records.
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
                self._numbers[at] += text in self._missing or _is_numeric(text)
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
            all(text in self._missing or _is_numeric(text) for text in numbers)
            and 2 * present >= len(numbers)
            and all(texts[at] in self._values[at] for at in closed)
        )


def _is_numeric(text: str) -> bool:
    return _NUMERIC.fullmatch(text) is not None
