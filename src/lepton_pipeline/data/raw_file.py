"""One table file: what its name says (the last suffixes count, in any case), and its bytes, decompressed."""

from __future__ import annotations

import bz2
import grp
import gzip
import io
import lzma
import os
import pwd
import stat
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from lepton_pipeline.errors import DataError

TEXT, PARQUET, JSON, WORKBOOK = "text", "parquet", "json", "workbook"

_KINDS = {
    **dict.fromkeys((".csv", ".tsv"), TEXT),
    **dict.fromkeys((".parquet", ".pq"), PARQUET),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), JSON),
    **dict.fromkeys((".xlsx", ".xlsm"), WORKBOOK),
}
TABLE_SUFFIXES = tuple(_KINDS)
# Suffix -> the name of its compression.
COMPRESSIONS = {".bz2": "bz2", ".xz": "xz", ".zip": "zip"}
COMPRESSIONS |= dict.fromkeys((".gz", ".gzip"), "gzip") | dict.fromkeys((".zst", ".zstd"), "zstd")
# pandas' documentation names a file df.parquet.gzip by the compression of its pages.
_OF_PAGES = {*COMPRESSIONS, ".snappy", ".lz4", ".brotli", ".br"}

# Longest line of text, which is held in memory; a value with line breaks may be as long as a block.
LONGEST_LINE = 1 << 23
_BYTES_AT_ONCE = 1 << 16
_SHOWN = 3
# Largest size of a file read whole, in bytes and in times of its packed size: JSON and sheets reach 30.
_UNPACKED = 1 << 28
_TIMES = 100


@dataclass(frozen=True)
class RawFile:
    """An unopened table file; `open` gives its decompressed bytes.

    Its name is the path relative to the listed folder, with suffixes that tell the kind. Its partitions are
    columns from its folders (Hive, `key=value/`); None is a missing value.
    """

    name: str
    open: Callable[[], BinaryIO]
    partitions: dict[str, str | None] = field(default_factory=dict, hash=False)

    @property
    def is_parquet(self) -> bool:
        """Whether the file name is one of Parquet."""
        return kind_of(self.name) == PARQUET

    @property
    def is_document(self) -> bool:
        """Whether the file name is one of JSON or of a workbook, which `read_document` reads."""
        return kind_of(self.name) in (JSON, WORKBOOK)


def table_suffix(name: str) -> str | None:
    """The suffix by which a file is a table, in lower case, or None.

    >>> table_suffix("2024/FEB.CSV.GZ"), table_suffix("t.csv.bak"), table_suffix("t.csv~")
    ('.csv', None, None)
    """
    *_, before, last = ("", "", *(suffix.lower() for suffix in PurePosixPath(name).suffixes))
    if last in TABLE_SUFFIXES:
        return last
    packed = {PARQUET: _OF_PAGES, TEXT: COMPRESSIONS, JSON: COMPRESSIONS}
    return before if last in packed.get(_KINDS.get(before, ""), ()) else None


def kind_of(name: str) -> str:
    """TEXT, PARQUET, JSON or WORKBOOK, by the file name; TEXT by default."""
    return _KINDS.get(table_suffix(name) or "", TEXT)


def compression_of(name: str) -> str | None:
    """Compression of the whole file, by its name: "gzip", "bz2", "xz", "zip", "zstd", or None."""
    return COMPRESSIONS.get(PurePosixPath(name).suffix.lower())


def stem_of(name: str) -> str:
    """File name without folder and without the suffixes of table and compression.

    >>> stem_of("2024/sales.v2.CSV.gz")
    'sales.v2'
    """
    base = PurePosixPath(name).name
    while (suffix := PurePosixPath(base).suffix) and suffix.lower() in {*TABLE_SUFFIXES, *_OF_PAGES}:
        base = base.removesuffix(suffix)
    return base


def open_table(fs: Any, path: str, name: str) -> BinaryIO:
    """Open a table file for reading, decompressed as its name says.

    Raises a DataError for a pipe or a device, a link that its owner may not follow, and a zip archive without
    exactly one file; on reading, for a line longer than `LONGEST_LINE`, and for a document that unpacks to a
    multiple of its size.
    """
    if "file" in protocols(fs):
        _require_file(Path(fs._strip_protocol(path)), name)
    stream = cast(BinaryIO, fs.open(path, "rb"))
    kind, packed = kind_of(name), compression_of(name) is not None
    if kind == PARQUET:
        stream = _seekable(stream)
        start = stream.read(4)
        stream.seek(0)
        # The last suffix of df.parquet.gzip may speak of the pages within.
        if start == b"PAR1" or not packed:
            return stream
    unpacked = _decompressed(stream, name)
    if kind == TEXT:
        return io.BufferedReader(_Bounded(unpacked, name, longest_line=LONGEST_LINE), _BYTES_AT_ONCE)
    if packed:
        bounded = _Bounded(unpacked, name, packed=fs.size(path) or 0)
        unpacked = io.BufferedReader(bounded, _BYTES_AT_ONCE)
    return io.BytesIO(unpacked.read()) if kind == PARQUET else cast(BinaryIO, unpacked)


def protocols(fs: Any) -> tuple[str, ...]:
    """Names of a file system of fsspec."""
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def listed(names: Sequence[str]) -> str:
    """The first names, for messages."""
    return ", ".join([repr(name) for name in names[:_SHOWN]] + ["…"] * (len(names) > _SHOWN))


def require_small(name: str, size: int, packed: int) -> None:
    """Refuse a file whose bytes, held in memory, are many times its own `packed` ones."""
    most = max(_UNPACKED, _TIMES * packed)
    if size > most:
        raise DataError(
            f"{name} unpacks to more than {most >> 20:,} MiB, many times its size; unpack it, look at it, "
            "and put a table there that fits into memory."
        )


def _open_zipped(archive: BinaryIO, name: str) -> Any:
    packed = zipfile.ZipFile(archive)
    # macOS adds a folder and hidden files of its own.
    shown = [each for each in packed.namelist() if not (each.endswith("/") or each.startswith("__MACOSX/"))]
    names = [each for each in shown if not any(part.startswith(".") for part in PurePosixPath(each).parts)]
    if len(names) != 1:
        raise DataError(
            f"{name} must hold one file, but holds {len(names)} ({listed(names) or 'none'}); put its tables there "
            "unpacked."
        )
    return packed.open(names[0])


def _decompressed(stream: BinaryIO, name: str) -> Any:
    match compression_of(name):
        case "gzip":
            return gzip.GzipFile(fileobj=stream)
        case "bz2":
            return bz2.BZ2File(stream)
        case "xz":
            return lzma.open(stream)  # whoever opens the table closes it
        case "zip":
            # fsspec would take the first file of several.
            return _open_zipped(_seekable(stream), name)
        case "zstd":
            # Python has none before 3.14; pyarrow's stream is no BufferedReader, which text needs.
            from pyarrow import CompressedInputStream

            return io.BufferedReader(Readable(CompressedInputStream(stream, "zstd")), _BYTES_AT_ONCE)
    return stream


class Readable(io.RawIOBase):
    """A stream of pyarrow, or any other, as Python's."""

    def __init__(self, stream: Any):
        self._stream = stream

    def readable(self) -> bool:  # noqa: D102  # as its base says
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: D102  # as its base says
        part = self._stream.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:  # noqa: D102  # as its base says
        if not self.closed:
            self._stream.close()
        super().close()


class _Bounded(Readable):
    """Raises a DataError where the stream, or one of its lines, is longer than may be held in memory."""

    def __init__(self, stream: Any, name: str, *, longest_line: int | None = None, packed: int | None = None):
        super().__init__(stream)
        self._name, self._longest_line, self._packed = name, longest_line, packed
        self._line = self._read = 0

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        self._read += count
        if self._packed is not None:
            require_small(self._name, self._read, self._packed)
        if self._longest_line is not None:
            part = bytes(buffer[:count])
            end = max(part.rfind(b"\n"), part.rfind(b"\r"))
            self._line = count - end - 1 if end >= 0 else self._line + count
            if self._line > self._longest_line:
                raise DataError(
                    f"{self._name} holds a line longer than {self._longest_line >> 20} MiB; is it a table, and does it "
                    "have line breaks?"
                )
        return count


def _require_file(file: Path, name: str) -> None:
    """Refuse what would hang or never end, and links whose owner may not read their target."""
    facts = file.stat()
    if not stat.S_ISREG(facts.st_mode) and not stat.S_ISDIR(facts.st_mode):
        raise DataError(f"{name} is a pipe, a device or a socket; put a file there.")
    for link in (each for each in (file, *file.parents) if each.is_symlink()):
        owner = link.lstat().st_uid
        if owner not in (0, os.geteuid(), facts.st_uid) and not _may_read(owner, facts):
            raise DataError(
                f"{name} lies behind {link}, a link of a user who may not read it; put the file itself there, or let "
                "that user read it."
            )


def _may_read(user: int, facts: os.stat_result) -> bool:
    if facts.st_mode & stat.S_IROTH:
        return True
    try:
        person, group = pwd.getpwuid(user), grp.getgrgid(facts.st_gid)
    except KeyError:
        return False
    member = person.pw_gid == facts.st_gid or person.pw_name in group.gr_mem
    return bool(facts.st_mode & stat.S_IRGRP) and member


def _seekable(stream: BinaryIO) -> BinaryIO:
    """Some servers give a file only whole and once."""
    if stream.seekable():
        return stream
    with stream:
        return io.BytesIO(stream.read())
