"""The typed rows of a table: a Parquet file read by chunks, or a frame."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile, copyfileobj
from tempfile import SpooledTemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

Frames = Iterator[pd.DataFrame]
CHUNK_ROWS = 1 << 17
_ROWS_A_GROUP = 1 << 16
# Packed rows up to this size wait in memory, not on disk, until they are saved.
_IN_MEMORY = 1 << 24


class _Spool(SpooledTemporaryFile[bytes]):
    """A temporary file that is closed with the last reference to it."""

    def __del__(self) -> None:
        self.close()


@dataclass(frozen=True, eq=False)
class Rows:
    """The typed rows of one table: a Parquet file, or a frame, whose index labels are kept.

    `left_out` has the numbers of the rows that do not count, ascending; the others keep theirs.
    """

    source: Path | _Spool | pd.DataFrame
    left_out: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def spooled(cls, frames: Iterable[pd.DataFrame]) -> Rows:
        """Write frames with the same columns, at least one, to a temporary Parquet file."""
        file = _Spool(_IN_MEMORY)
        write_frames(frames, file)
        return cls(file)

    @classmethod
    def of(cls, table: Rows | pd.DataFrame) -> Rows:
        """Rows as they are, or those of a frame."""
        return table if isinstance(table, Rows) else cls(table)

    def __len__(self) -> int:
        return self._count() - len(self.left_out)

    @property
    def names(self) -> list[str]:
        """The columns, in order."""
        if isinstance(self.source, pd.DataFrame):
            return [str(name) for name in self.source.columns]
        return list(self._none().columns)

    @property
    def index(self) -> pd.Index:
        """The labels of all rows, those left out included: a frame's own, or row numbers."""
        return self.source.index if isinstance(self.source, pd.DataFrame) else pd.RangeIndex(self._count())

    def without(self, labels: pd.Index) -> Rows:
        """Leave out the rows with these labels."""
        return Rows(self.source, np.flatnonzero(self.index.isin(labels)))

    def chunks(self, columns: Sequence[str] | None = None, rows: int = CHUNK_ROWS) -> Iterator[pd.DataFrame]:
        """Give the rows as frames, at least an empty one, indexed by row number.

        A chunk has at most `rows` rows, before any are left out.
        """
        start = 0
        for frame in self._blocks(columns, rows):
            numbers = pd.RangeIndex(start, start + len(frame))
            gone = self.left_out[slice(*np.searchsorted(self.left_out, [start, numbers.stop]))]
            start = numbers.stop
            frame = frame.set_axis(numbers)
            yield frame.drop(index=pd.Index(gone)) if len(gone) else frame

    def frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows with their labels."""
        if isinstance(self.source, pd.DataFrame):
            whole = self.source if columns is None else self.source[list(columns)]
            return whole[~np.isin(np.arange(len(whole)), self.left_out)] if len(self.left_out) else whole
        parts = list(self.chunks(columns))
        return pd.concat(parts) if len(parts) > 1 else parts[0]

    def take(self, numbers: Sequence[int] | npt.NDArray[np.int64]) -> pd.DataFrame:
        """The rows with these ascending numbers, with their labels."""
        wanted = np.asarray(numbers, np.int64)
        if isinstance(self.source, pd.DataFrame):
            return self.source.iloc[wanted]
        parts, start = [self._none()], 0
        batches = self._file().iter_batches(batch_size=CHUNK_ROWS, use_threads=False) if len(wanted) else ()
        for batch in batches:
            inside = wanted[slice(*np.searchsorted(wanted, [start, start + len(batch)]))]
            if len(inside):
                parts.append(batch.take(inside - start).to_pandas().set_axis(inside))
            start += len(batch)
        return pd.concat(parts[1:] or parts)

    def save(self, path: Path) -> None:
        """Write the rows that count as Parquet, with their labels where these are not 0, 1, 2 and so on."""
        if isinstance(self.source, pd.DataFrame):
            self.frame().to_parquet(path)
        elif len(self.left_out):
            write_frames((chunk.set_axis(np.asarray(chunk.index)) for chunk in self.chunks()), path)
        elif isinstance(self.source, Path):
            copyfile(self.source, path)
        else:
            self.source.seek(0)
            with path.open("wb") as written:
                copyfileobj(self.source, written)

    def _blocks(self, columns: Sequence[str] | None, rows: int) -> Iterator[pd.DataFrame]:
        if isinstance(self.source, pd.DataFrame):
            whole = self.source if columns is None else self.source[list(columns)]
            yield from (whole[start : start + rows] for start in range(0, max(len(whole), 1), rows))
            return
        file = self._file()
        if not file.metadata.num_rows:
            yield self._none()[list(columns or self.names)]
        wanted = None if columns is None else list(columns)
        for batch in file.iter_batches(batch_size=rows, columns=wanted, use_threads=False):
            yield batch.to_pandas()

    def _none(self) -> pd.DataFrame:
        """No row of a Parquet file."""
        empty: pd.DataFrame = self._file().schema_arrow.empty_table().to_pandas()
        return empty

    def _file(self) -> Any:
        from pyarrow.parquet import ParquetFile

        return ParquetFile(self.source, pre_buffer=False)

    def _count(self) -> int:
        if isinstance(self.source, pd.DataFrame):
            return len(self.source)
        return int(self._file().metadata.num_rows)


def as_frames(made: Mapping[str, object]) -> dict[str, object]:
    """Outputs of stages for stages that run in memory: rows as frames."""
    return {name: each.frame() if isinstance(each, Rows) else each for name, each in made.items()}


def write_frames(frames: Iterable[pd.DataFrame], file: Path | _Spool) -> None:
    """Write frames with the same columns, at least one, as Parquet: the same bytes however divided.

    An index that is no `RangeIndex` is written, too.
    """
    from pyarrow.parquet import ParquetWriter

    writer: Any = None
    waiting: list[Any] = []
    try:
        for frame in frames:
            schema = None if writer is None else writer.schema
            labelled = not isinstance(frame.index, pd.RangeIndex)
            with warnings.catch_warnings():
                # pyarrow asks times with a zone for what pandas will give otherwise from version 4 on.
                warnings.filterwarnings("ignore", "Series.values returning")
                block = _noted(pa.Table.from_pandas(frame, schema=schema, preserve_index=labelled))
            writer = writer or ParquetWriter(file, block.schema)
            waiting.append(block)
            count = sum(map(len, waiting))
            if count >= _ROWS_A_GROUP:
                rows, rest = pa.concat_tables(waiting), count % _ROWS_A_GROUP
                writer.write_table(rows.slice(0, count - rest).combine_chunks(), _ROWS_A_GROUP)
                waiting = [rows.slice(count - rest)]
        writer.write_table(pa.concat_tables(waiting).combine_chunks())
    finally:
        if writer is not None:
            writer.close()


def _noted(block: Any) -> Any:
    """Keep pandas' type notes, without which integers with a missing value are read as floats."""
    notes = json.loads(block.schema.metadata[b"pandas"])
    for column in notes["columns"]:
        if column["numpy_type"].startswith("list"):
            # pandas writes this one, but cannot read it.
            column["numpy_type"] = "object"
    return block.replace_schema_metadata({b"pandas": json.dumps(notes)})
