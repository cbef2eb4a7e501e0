"""Kedro data sets the catalog needs and kedro-datasets does not offer."""

from __future__ import annotations

import json
from os.path import normpath
from pathlib import Path
from typing import Any

import fsspec
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import get_protocol_and_path
from kedro.utils import load_obj

from lepton_pipeline.data.files import RawFiles, find_tables, no_tables, raw_file, shown_path
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.errors import DataError
from lepton_pipeline.system.files import remove, replacing
from lepton_pipeline.system.records import from_json, to_json

_ROWS_A_GROUP = 1 << 16


class RawTableDataset(AbstractDataset[None, list[RawFile]]):
    """The table files at a path, with or without its suffix, or below a folder; local or remote; read only.

    `data/files.py` says which files are tables. They are handed on unopened: how their text becomes values is declared
    by the vertical (`ingestion:`).
    """

    def __init__(
        self, *, filepath: str, credentials: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
    ):
        protocol, path = get_protocol_and_path(filepath)
        self._fs = fsspec.filesystem(protocol, **(credentials or {}))
        # The path of a file on a web server is its address.
        self._path = f"{protocol}://{path}" if protocol in ("http", "https") else path
        self.metadata = metadata

    def load(self) -> RawFiles:
        """List the table files, by name, and what is not read.

        Raises:
            DataError: there is no table file at the path, or folders give only some files a partition.
        """
        found = find_tables(self._fs, self._path)
        if not found.files:
            raise DataError(
                f"{no_tables(self._path, found.skipped)} or declare its entry in the vertical's own catalog.yml."
            )
        return RawFiles((raw_file(self._fs, each) for each in found.files), found.skipped)

    def save(self, data: None) -> None:
        """Refuse: raw data is never written by a run."""
        raise DatasetError("raw data is read only")

    def _exists(self) -> bool:
        return bool(find_tables(self._fs, self._path).files)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": shown_path(self._path)}


class _LocalDataset(AbstractDataset[Any, Any]):
    """A path that is written under a temporary name beside it, then renamed: it is there whole, or not at all."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self.path = Path(filepath)
        self.metadata = metadata

    def save(self, data: Any) -> None:
        """Write `data` whole, or leave what was there."""
        with replacing(self.path, alone=True) as temporary:
            self._write(data, temporary)

    def load(self) -> Any:
        """Read what is at the path."""
        return self._read(self.path)

    def remove(self) -> None:
        """Delete what is at the path, if anything is."""
        remove(self.path)

    def _write(self, data: Any, path: Path) -> None:
        raise NotImplementedError

    def _read(self, path: Path) -> Any:
        raise NotImplementedError

    def _exists(self) -> bool:
        return self.path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.path)}


class AtomicDataset(_LocalDataset):
    """Any local file data set of Kedro, written atomically.

    Example:
        ``{type: lepton_pipeline.datasets.AtomicDataset, filepath: t.parquet, dataset: pandas.ParquetDataset}``
    """

    def __init__(self, *, filepath: str, dataset: str | dict[str, Any], metadata: dict[str, Any] | None = None):
        super().__init__(filepath=filepath, metadata=metadata)
        self._config = {"type": dataset} if isinstance(dataset, str) else dataset

    def _inner(self, path: Path) -> AbstractDataset[Any, Any]:
        return AbstractDataset.from_config(self.path.name, {**self._config, "filepath": str(path)})

    def _write(self, data: Any, path: Path) -> None:
        self._inner(path).save(data)

    def _read(self, path: Path) -> Any:
        return self._inner(path).load()


class RecordDataset(_LocalDataset):
    """A record (a frozen dataclass or a pydantic model) as a file of JSON.

    Args:
        filepath: the file.
        holds: dotted name of the record's class.
        metadata: for hooks.
    """

    def __init__(self, *, filepath: str, holds: str, metadata: dict[str, Any] | None = None):
        super().__init__(filepath=filepath, metadata=metadata)
        self._holds = holds

    def _write(self, data: Any, path: Path) -> None:
        if not isinstance(data, load_obj(self._holds)):
            raise DatasetError(f"{self.path} holds a {self._holds}, not a {type(data).__name__}; return one.")
        path.write_text(to_json(data), encoding="utf-8")

    def _read(self, path: Path) -> Any:
        return from_json(load_obj(self._holds), path.read_bytes(), str(path))


class FolderDataset(_LocalDataset):
    """A folder of files: a mapping of relative path to bytes, or an object with `save(folder)` and `load(folder)`.

    Args:
        filepath: the folder.
        holds: dotted name of the object's class; without it the data is the mapping.
        metadata: for hooks.
    """

    def __init__(self, *, filepath: str, holds: str | None = None, metadata: dict[str, Any] | None = None):
        super().__init__(filepath=filepath, metadata=metadata)
        self._holds = holds

    def _write(self, data: Any, path: Path) -> None:
        path.mkdir()
        if self._holds:
            data.save(path)
            return
        files = {normpath(path / name): content for name, content in data.items()}
        for file in files:
            if not Path(file).is_relative_to(normpath(path)):
                raise DatasetError(f"{file} lies outside of the folder it is to be written to; name it otherwise.")
        for file, content in files.items():
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_bytes(content)

    def _read(self, path: Path) -> Any:
        if self._holds:
            return load_obj(self._holds).load(path)
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


class StreamedParquetDataset(_LocalDataset):
    """A Parquet file of more rows than fit into memory: written block by block, the same bytes however it is divided.

    What is saved is iterated over for frames with the same columns, at least one; where it has a method `written`, that
    is called when the file is in its place.
    """

    def save(self, data: Any) -> None:
        """Write `data` whole, or leave what was there."""
        super().save(data)
        if hasattr(data, "written"):
            data.written()

    def _write(self, data: Any, path: Path) -> None:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        writer: Any = None
        waiting: list[Any] = []
        try:
            for frame in data:
                schema = None if writer is None else writer.schema
                block = _noted(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
                writer = writer or ParquetWriter(path, block.schema)
                waiting.append(block)
                if sum(map(len, waiting)) >= _ROWS_A_GROUP:
                    waiting = [_write_groups(writer, pa.concat_tables(waiting))]
            writer.write_table(pa.concat_tables(waiting).combine_chunks())
        finally:
            if writer is not None:
                writer.close()

    def _read(self, path: Path) -> Any:
        import pandas as pd

        return pd.read_parquet(path)


def _noted(block: Any) -> Any:
    """Keep pandas' notes on types, without which whole numbers are read as floats where one is missing."""
    notes = json.loads(block.schema.metadata[b"pandas"])
    for column in notes["columns"]:
        if column["numpy_type"].startswith("list"):
            # pandas writes this one, but cannot read it.
            column["numpy_type"] = "object"
    return block.replace_schema_metadata({b"pandas": json.dumps(notes)})


def _write_groups(writer: Any, rows: Any) -> Any:
    """Write whole groups of rows; what is left over waits for more."""
    while len(rows) >= _ROWS_A_GROUP:
        writer.write_table(rows.slice(0, _ROWS_A_GROUP).combine_chunks())
        rows = rows.slice(_ROWS_A_GROUP)
    return rows


class WorkFolderDataset(AbstractDataset[None, Path]):
    """A folder in which a stage keeps what it has finished; loading gives its path, whether it exists or not."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self.path = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """The folder."""
        return self.path

    def save(self, data: None) -> None:
        """Refuse: the stage itself writes below the folder."""
        raise DatasetError("a work folder is written by the stage that was given its path")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.path)}
