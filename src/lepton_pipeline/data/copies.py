"""Find files whose rows all stand in another file of the same table: they would be read twice."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from lepton_pipeline.data.raw import RawFile
from lepton_pipeline.data.suffixes import kind_of, stem_of
from lepton_pipeline.errors import DataError

Hashes = npt.NDArray[np.uint64]

# Fewer rows than this say nothing, unless the names do.
_FEWEST_ROWS = 10
_CHANCE = 1e-6
# Where so many rows of the other files stand in two of them, rows repeat.
_REPEATING = 0.5
_SHOWN = 3
_SAMPLE = 16
# Any odd number has an inverse modulo 2^64, which takes the place of a text out of its hash.
_BASE = 0x9E3779B97F4A7C15
# Bytes of texts that are hashed at once, so that their powers stay in the processor's cache.
_PIECE = 1 << 17
_NULL = np.uint64(0x5851F42D4C957F2D)
_WHOLE = 2.0**63
# What browsers, desktops and people call a copy.
_MARKS = re.compile(
    r"^(copy of|kopie von|copie de|copia de)\s+|\s*\(\d+\)$|[\s_.-]+(copy|kopie|copie|copia|backup|bak|old|orig|"
    r"checkpoint|duplicate)([\s_.-]*\(?\d+\)?)?$",
    re.IGNORECASE,
)
_WHOLE_TEXT = r"-?[0-9]{1,18}"
_LONG_TEXT = r"-?[0-9]{19,400}"
_NUMBER_TEXT = r"-?[0-9]*\.[0-9]+([eE][+-]?[0-9]{1,3})?|-?[0-9]+\.?[eE][+-]?[0-9]{1,3}"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"


@dataclass(frozen=True)
class Copy:
    """A file whose rows all stand in another one.

    Attributes:
        name: of the file.
        other: the one that has its rows.
        rows: how many it has.
        equal: whether both hold the same rows, each as often.
    """

    name: str
    other: str
    rows: int
    equal: bool


class FileCopies:
    """Row hashes of the files of a table, fed block by block; 8 bytes a row.

    Values are compared as they are given: numbers by value, whole ones exactly (1 and 1.0 are the same), times by
    instant, texts by their bytes. Where files are of several kinds (CSV beside Parquet), texts that are numbers or
    dates of ISO 8601 are compared as such. The order of columns and of rows does not matter; rows without any value are
    no evidence.

    A file is a copy if all of its rows stand in another one and
    - their names differ only in kind or compression (t.csv and t.csv.gz), in the same folder; or
    - one has the name of a copy ("t (1)", "Copy of t", "t_backup") and both hold the same rows; or
    - both hold the same rows, at least 10 different ones; or
    - at least 10 of its rows stand there just once, as in itself, and chance does not explain them: rows that stand
      once are expected to be met again as often as rows stand there twice (Good and Turing; below one in a million, by
      Chernoff's bound on Poisson counts).

    The last two hold only unless rows repeat throughout the folder: half of those of the other files stand in several.

    Args:
        files: of the table.
    """

    def __init__(self, files: Sequence[RawFile]):
        self._needed = len(files) > 1
        self._mixed = len({kind_of(file.name) for file in files}) > 1
        self._partitions = {file.name: file.partitions for file in files}
        self._parts: dict[str, list[Hashes]] = {file.name: [] for file in files}

    def add(self, name: str, batch: Any) -> None:
        """Take a block of rows of one file; of a table of one file, nothing is kept.

        Args:
            name: of the file.
            batch: pyarrow.RecordBatch or Table. Partitions that are no column of it are taken from the file.
        """
        if self._needed and batch.num_rows:
            self._parts[name].append(_row_hashes(batch, self._partitions[name], self._mixed))

    def find(self) -> list[Copy]:
        """The copies, by name."""
        counted = {name: _Counted.of(parts) for name, parts in self._parts.items() if parts}
        counted = {name: each for name, each in counted.items() if each.rows}
        if len(counted) < 2:
            return []
        shared = _shared(list(counted.values()))
        suspects = [name for name, each in counted.items() if _all_in(each.hashes, shared)]
        pairs = [pair for name in suspects if (pair := _copied(name, counted))]
        involved = {name for copy, _ in pairs for name in (copy.name, copy.other)}
        repeating = pairs and _repeat([each for name, each in counted.items() if name not in involved])
        return sorted((copy for copy, named in pairs if named or not repeating), key=lambda copy: copy.name)

    def check(self) -> None:
        """Refuse tables that hold copies of files.

        Raises:
            DataError: with the names of both files.
        """
        copies = self.find()
        if not copies:
            return
        shown = "; ".join(map(_said, copies[:_SHOWN])) + (
            f"; and {len(copies) - _SHOWN:,} more" if len(copies) > _SHOWN else ""
        )
        which = copies[0].name if len(copies) == 1 else "the copies"
        raise DataError(
            f"{shown}. Every such row would count twice: remove {which}, or put rows that are meant to be there twice "
            "into one file."
        )


@dataclass(frozen=True)
class _Counted:
    """The distinct rows of a file, sorted by hash, and how often each is there."""

    hashes: Hashes
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, parts: list[Hashes]) -> _Counted:
        return cls(*np.unique(np.concatenate(parts), return_counts=True))

    @property
    def rows(self) -> int:
        return int(self.counts.sum())

    @property
    def once(self) -> int:
        """How many rows are there just once."""
        return int((self.counts == 1).sum())

    def equals(self, other: _Counted) -> bool:
        return np.array_equal(self.hashes, other.hashes) and np.array_equal(self.counts, other.counts)

    def stands_in(self, other: _Counted) -> bool:
        step = max(1, len(self.hashes) // _SAMPLE)
        return _all_in(self.hashes[::step], other.hashes) and _all_in(self.hashes, other.hashes)


def find_copied_files(files: Sequence[RawFile], batches: Any) -> list[Copy]:
    """The copies among files; `batches` gives (name of the file, pyarrow.RecordBatch) pairs."""
    copies = FileCopies(files)
    for name, batch in batches:
        copies.add(name, batch)
    return copies.find()


def _copied(name: str, counted: dict[str, _Counted]) -> tuple[Copy, bool] | None:
    """The copy that a file is, and whether its name says so as well."""
    file = counted[name]
    found: tuple[Copy, bool] | None = None
    for other, rows in counted.items():
        named = _named_as_copy(name, other)
        telling = len(rows.hashes) == len(file.hashes) or file.once >= _FEWEST_ROWS
        if other == name or not (named or telling) or not file.stands_in(rows):
            continue
        equal = file.equals(rows)
        # Of two that are equal, the one with the plainer name is the other one.
        if equal and _order(name) < _order(other):
            continue
        copy = Copy(name, other, file.rows, equal)
        if named and (equal or stem_of(name).lower() == stem_of(other).lower()):
            return copy, True
        if found is None and _beyond_chance(file, rows, equal):
            found = copy, False
    return found


def _beyond_chance(file: _Counted, other: _Counted, equal: bool) -> bool:
    if equal and len(file.hashes) >= _FEWEST_ROWS:
        return True
    met = int(np.isin(file.hashes[file.counts == 1], other.hashes[other.counts == 1], assume_unique=True).sum())
    twice = int((other.counts == 2).sum())
    expected = file.once * 2 * (twice + 2 * math.sqrt(twice) + 3) / other.rows
    if met < _FEWEST_ROWS or met <= expected:
        return False
    return met - expected + met * math.log(expected / met) < math.log(_CHANCE)


def _repeat(files: Sequence[_Counted]) -> bool:
    """Whether most rows of files that are no copies stand in several of them."""
    if len(files) < 2:
        return False
    shared = _shared(files)
    repeated = sum(int(each.counts[np.isin(each.hashes, shared, assume_unique=True)].sum()) for each in files)
    return repeated >= _REPEATING * sum(each.rows for each in files)


def _named_as_copy(name: str, other: str) -> bool:
    return _folder(name) == _folder(other) and _plain(name) == _plain(other)


def _folder(name: str) -> str:
    return str(PurePosixPath(name).parent)


def _plain(name: str) -> str:
    """A file's name without what says that it is a copy."""
    stem = stem_of(name)
    while (shorter := _MARKS.sub("", stem)) != stem and shorter:
        stem = shorter
    return stem.lower().strip()


def _order(name: str) -> tuple[int, int, str]:
    return len(PurePosixPath(name).parts), len(name), name


def _said(copy: Copy) -> str:
    rows = "1 row" if copy.rows == 1 else f"{copy.rows:,} rows"
    if copy.equal:
        return f"{copy.name} holds the same {rows} as {copy.other}"
    return f"all {rows} of {copy.name} stand in {copy.other} as well"


def _shared(files: Sequence[_Counted]) -> Hashes:
    """The rows that stand in more than one file."""
    found = np.sort(np.concatenate([each.hashes for each in files]))
    return np.unique(found[1:][found[1:] == found[:-1]])


def _all_in(some: Hashes, others: Hashes) -> bool:
    if not len(others):
        return False
    at = np.minimum(np.searchsorted(others, some), len(others) - 1)
    return bool((others[at] == some).all())


def _row_hashes(batch: Any, partitions: dict[str, str | None], mixed: bool) -> Hashes:
    """One hash per row that has a value; the order of columns does not matter."""
    hashes = np.zeros(batch.num_rows, np.uint64)
    present = np.zeros(batch.num_rows, bool)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        values, known = _hashed(column, mixed)
        present |= known
        hashes += _spread(np.where(known, values, _NULL) ^ _text_hash(name))
    for name, value in partitions.items():
        if name not in batch.schema.names:
            hashes += _spread(np.array([_text_hash(value or "") ^ _text_hash(name)]))
    return _spread(hashes[present])


def _hashed(column: Any, mixed: bool) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """A hash of each value of an Arrow array, and where there is one."""
    import pyarrow as pa
    from pyarrow import compute

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind = column.type
    if pa.types.is_dictionary(kind):
        values, known = _hashed(column.dictionary, mixed)
        if not len(values):
            return np.zeros(len(column), np.uint64), np.zeros(len(column), bool)
        at = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
        return values[at], known[at] & ~_nulls(column)
    known = ~_nulls(column)
    if pa.types.is_null(kind):
        return np.zeros(len(column), np.uint64), known
    if pa.types.is_boolean(kind):
        if mixed:
            return _hashed(compute.if_else(column, "true", "false"), mixed)
        return column.fill_null(False).to_numpy(zero_copy_only=False).astype(np.uint64) + np.uint64(1), known
    if pa.types.is_integer(kind):
        return column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64), known
    if pa.types.is_floating(kind):
        numbers = column.cast(pa.float64()).fill_null(math.nan).to_numpy(zero_copy_only=False)
        # pandas writes a missing number as NaN.
        return _number_bits(numbers), known & ~np.isnan(numbers)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zone = getattr(kind, "tz", None)
        moments = column.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
        return moments.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64), known
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        column = _as_text(column)
    if not mixed:
        values = _text_hashes(column)
        # An absent value of a text file is an empty text.
        return values, known & (values != _text_hash(""))
    encoded = column.dictionary_encode()
    texts = compute.utf8_trim_whitespace(encoded.dictionary)
    if not len(texts):
        return np.zeros(len(column), np.uint64), known
    given = compute.not_equal(texts, "").to_numpy(zero_copy_only=False)
    at = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    return _hashes_by_meaning(texts)[at], known & given[at]


def _as_text(column: Any) -> Any:
    """Values of other types as texts: decimals, times of day, durations, lists."""
    import pyarrow as pa

    try:
        return column.cast(pa.large_string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.array([None if value is None else repr(value) for value in column.to_pylist()], pa.large_string())


def _nulls(column: Any) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    return found


def _number_bits(numbers: npt.NDArray[np.float64]) -> Hashes:
    """Whole numbers as integers have them, others by their bits."""
    whole = (np.abs(numbers) < _WHOLE) & (np.floor(numbers) == numbers)
    found = numbers.view(np.uint64).copy()
    found[whole] = numbers[whole].astype(np.int64).astype(np.uint64)
    return found


def _text_hashes(column: Any) -> Hashes:
    """A polynomial of each text's bytes modulo 2^64, by running sums over all of them."""
    import pyarrow as pa

    column = column.cast(pa.large_string())
    _, bounds, data = column.buffers()
    ends = np.frombuffer(bounds, np.int64)[column.offset : column.offset + len(column) + 1]
    found = np.zeros(len(column), np.uint64)
    start = 0
    while start < len(column):
        stop = max(start + 1, int(np.searchsorted(ends, ends[start] + _PIECE, side="right")) - 1)
        first, last = int(ends[start]), int(ends[stop])
        powers, inverses = _powers(max(last - first, _PIECE))
        sums = np.zeros(last - first + 1, np.uint64)
        # A byte of 0 counts as well.
        raw = np.frombuffer(data, np.uint8, last - first, first) if last > first else np.zeros(0, np.uint8)
        np.cumsum((raw.astype(np.uint64) + np.uint64(1)) * powers[: last - first], out=sums[1:])
        at = ends[start : stop + 1] - first
        found[start:stop] = (sums[at[1:]] - sums[at[:-1]]) * inverses[at[:-1]]
        start = stop
    return _spread(found)


@lru_cache(maxsize=1)
def _powers(size: int) -> tuple[Hashes, Hashes]:
    found = []
    for base in (_BASE, pow(_BASE, -1, 2**64)):
        powers = np.full(size + 1, base, np.uint64)
        powers[0] = 1
        found.append(np.cumprod(powers))
    return found[0], found[1]


def _text_hash(text: str) -> np.uint64:
    """As `_text_hashes` gives it."""
    import pyarrow as pa

    return np.uint64(_text_hashes(pa.array([text], pa.large_string()))[0])


def _hashes_by_meaning(texts: Any) -> Hashes:
    """Hashes of texts that another file may hold as numbers, dates, or true and false."""
    import pyarrow as pa
    from pyarrow import compute

    lower = compute.utf8_lower(texts)
    found = _text_hashes(compute.if_else(compute.is_in(lower, pa.array(["true", "false"], lower.type)), lower, texts))
    readers = {_WHOLE_TEXT: _whole_hashes, _LONG_TEXT: _long_hashes, _NUMBER_TEXT: _float_hashes, _DATE: _date_hashes}
    for pattern, read in readers.items():
        fits = compute.match_substring_regex(texts, f"^({pattern})$")
        if compute.any(fits).as_py():
            found[fits.to_numpy(zero_copy_only=False)] = read(texts.filter(fits))
    return found


def _whole_hashes(texts: Any) -> Hashes:
    import pyarrow as pa

    whole: Hashes = texts.cast(pa.int64()).to_numpy(zero_copy_only=False).astype(np.uint64)
    return whole


def _long_hashes(texts: Any) -> Hashes:
    return np.array([int(text) % 2**64 for text in texts.to_pylist()], np.uint64)


def _float_hashes(texts: Any) -> Hashes:
    import pyarrow as pa

    return _number_bits(texts.cast(pa.float64()).to_numpy(zero_copy_only=False))


def _date_hashes(texts: Any) -> Hashes:
    return np.array([_date_hash(text) for text in texts.to_pylist()], np.uint64)


def _date_hash(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return int(_text_hash(text))
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) % 2**64


def _spread(hashes: Hashes) -> Hashes:
    """Spread the bits (splitmix64, Steele, Lea and Flood, 2014)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Hashes = hashes ^ (hashes >> np.uint64(31))
    return found
