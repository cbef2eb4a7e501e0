"""What a file name says: the kind of table and its compression. The last suffixes count, in any case."""

from __future__ import annotations

from pathlib import PurePosixPath

TEXT, PARQUET, JSON, WORKBOOK = "text", "parquet", "json", "workbook"

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson", ".json", ".xlsx", ".xlsm")
# Suffix -> the name of its compression.
COMPRESSIONS = {
    ".gz": "gzip",
    ".gzip": "gzip",
    ".bz2": "bz2",
    ".xz": "xz",
    ".zip": "zip",
    ".zst": "zstd",
    ".zstd": "zstd",
}

_KINDS = {
    ".parquet": PARQUET,
    ".pq": PARQUET,
    ".jsonl": JSON,
    ".ndjson": JSON,
    ".json": JSON,
    ".xlsx": WORKBOOK,
    ".xlsm": WORKBOOK,
}
# pandas' documentation names a file df.parquet.gzip by the compression of its pages.
_OF_PAGES = {*COMPRESSIONS, ".snappy", ".lz4", ".brotli", ".br"}


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


def mentions_a_table(name: str) -> bool:
    """Whether a table suffix occurs anywhere in a file name, as in t.csv.bak or #t.csv#."""
    return any(f"{suffix}" in PurePosixPath(name).name.lower() for suffix in TABLE_SUFFIXES)


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
