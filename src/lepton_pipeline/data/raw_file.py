"""One table file: what its name says (the last suffixes count, in any case), and how to open it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import BinaryIO

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
    suffixes = _suffixes(name)
    if suffixes and suffixes[-1] in TABLE_SUFFIXES:
        return suffixes[-1]
    before = suffixes[-2] if len(suffixes) > 1 else ""
    if before not in TABLE_SUFFIXES or _KINDS.get(before) == WORKBOOK:
        return None
    packed = _OF_PAGES if _KINDS.get(before) == PARQUET else COMPRESSIONS
    return before if suffixes[-1] in packed else None


def kind_of(name: str) -> str:
    """TEXT, PARQUET, JSON or WORKBOOK, by the file name; TEXT by default."""
    return _KINDS.get(table_suffix(name) or "", TEXT)


def compression_of(name: str) -> str | None:
    """Compression of the whole file, by its name: "gzip", "bz2", "xz", "zip", "zstd", or None."""
    suffixes = _suffixes(name)
    return COMPRESSIONS.get(suffixes[-1]) if suffixes else None


def stem_of(name: str) -> str:
    """File name without folder and without the suffixes of table and compression.

    >>> stem_of("2024/sales.v2.CSV.gz")
    'sales.v2'
    """
    base = PurePosixPath(name).name
    while (suffix := PurePosixPath(base).suffix) and suffix.lower() in {*TABLE_SUFFIXES, *_OF_PAGES}:
        base = base.removesuffix(suffix)
    return base


def _suffixes(name: str) -> list[str]:
    return [suffix.lower() for suffix in PurePosixPath(name).suffixes]
