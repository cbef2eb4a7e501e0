"""The rows to score, which may be read again and again, a chunk at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.data.fingerprint import fingerprint
from lepton_pipeline.data.ingest import Raw, checked_frame, no_rows, read_headers
from lepton_pipeline.data.raw import RawFile, read_blocks
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion

_BYTES_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Source:
    """Table files, or a table in memory, that hold every column that is needed.

    Attributes:
        raw: the files, or the table.
        ingestion: how text becomes values.
        headers: column names of each file, or of the table; the first one gives the order of the columns.
    """

    raw: Raw
    ingestion: Ingestion
    headers: list[list[str]]

    @classmethod
    def open(cls, raw: Raw, ingestion: Ingestion, needed: dict[str, list[str]]) -> Source:
        """Look at the headers.

        Args:
            raw: table files, whose rows stand one below the other; or a table that a catalog entry has loaded.
            ingestion: separator, encoding and so on.
            needed: column names by what needs them.

        Raises:
            DataError: a column is absent, or a header cannot be used, as in ingestion.
        """

        def check(names: Sequence[str], where: str) -> None:
            check_columns(names, needed, where)

        if isinstance(raw, pd.DataFrame):
            table = checked_frame(raw, check)
            return cls(table, ingestion, [list(table.columns)])
        return cls(raw, ingestion, read_headers(raw, ingestion, check))

    @property
    def names(self) -> list[str]:
        """The columns, in order."""
        return self.headers[0]

    def chunks(self, rows: int) -> Iterator[pd.DataFrame]:
        """Give all rows as they were read, at most `rows` at a time, numbered from 0 by the index.

        Raises:
            DataError: there is no row, or a file cannot be read.
        """
        start = 0
        for block in self._blocks(rows):
            yield block[self.names].set_axis(pd.RangeIndex(start, start + len(block)))
            start += len(block)
        if start == 0 and not isinstance(self.raw, pd.DataFrame):
            raise no_rows(self.raw)

    def fingerprints(self) -> list[dict[str, Any]]:
        """Identify the content: `name` and `sha256` of each file, of its bytes as they are once decompressed."""
        if isinstance(self.raw, pd.DataFrame):
            return [{"name": "table", "sha256": fingerprint(self.raw)["sha256"]}]
        return [{"name": file.name, "sha256": _hash(file)} for file in self.raw]

    def _blocks(self, rows: int) -> Iterator[pd.DataFrame]:
        if isinstance(self.raw, pd.DataFrame):
            for start in range(0, len(self.raw), rows):
                yield self.raw.iloc[start : start + rows]
            return
        for file, names in zip(self.raw, self.headers, strict=True):
            yield from read_blocks(file, names, self.ingestion, rows)


def _hash(file: RawFile) -> str:
    digest = hashlib.sha256()
    try:
        with file.open() as stream:
            while part := stream.read(_BYTES_AT_ONCE):
                digest.update(part)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{file.name} cannot be read: {error}; is the file whole?") from error
    return digest.hexdigest()
