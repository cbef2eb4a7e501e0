"""Hashes of rows, by which equal ones are found in 8 bytes a row."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

# Any odd number has an inverse modulo 2^64, which takes the place of a text out of its hash.
_BASE = 0x9E3779B97F4A7C15
# Bytes of texts that are hashed at once, so that their powers stay in the processor's cache.
_PIECE = 1 << 17
_NULL = np.uint64(0x5851F42D4C957F2D)
_WHOLE = 2.0**63
_WHOLE_TEXT = r"-?[0-9]{1,18}"
_LONG_TEXT = r"-?[0-9]{19,400}"
_NUMBER_TEXT = r"-?[0-9]*\.[0-9]+([eE][+-]?[0-9]{1,3})?|-?[0-9]+\.?[eE][+-]?[0-9]{1,3}"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"


def row_hashes(batch: Any, partitions: dict[str, str | None], by_meaning: bool) -> Hashes:
    """One hash per row that has a value; the order of columns does not matter.

    Args:
        batch: pyarrow.RecordBatch or Table.
        partitions: further columns, with one value for all rows.
        by_meaning: whether texts that are numbers, dates, or true and false are hashed as such.
    """
    hashes = np.zeros(batch.num_rows, np.uint64)
    present = np.zeros(batch.num_rows, bool)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        values, known = _hashed(column, by_meaning)
        present |= known
        hashes += _spread(np.where(known, values, _NULL) ^ _text_hash(name))
    for name, value in partitions.items():
        if name not in batch.schema.names:
            hashes += _spread(np.array([_text_hash(value or "") ^ _text_hash(name)]))
    return _spread(hashes[present])


def _hashed(column: Any, by_meaning: bool) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """A hash of each value of an Arrow array, and where there is one."""
    import pyarrow as pa
    from pyarrow import compute

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind = column.type
    if pa.types.is_dictionary(kind):
        values, known = _hashed(column.dictionary, by_meaning)
        if not len(values):
            return np.zeros(len(column), np.uint64), np.zeros(len(column), bool)
        at = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
        return values[at], known[at] & ~_nulls(column)
    known = ~_nulls(column)
    if pa.types.is_null(kind):
        return np.zeros(len(column), np.uint64), known
    if pa.types.is_boolean(kind):
        if by_meaning:
            return _hashed(compute.if_else(column, "true", "false"), by_meaning)
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
    if not by_meaning:
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
