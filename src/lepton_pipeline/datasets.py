"""Kedro data sets the catalog needs and kedro-datasets does not offer."""

from __future__ import annotations

from os.path import normpath
from pathlib import Path
from typing import Any

import fsspec
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import get_protocol_and_path
from kedro.utils import load_obj

from lepton_pipeline.data.files import RawFiles, find_tables, no_tables, raw_files, shown_path
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.errors import DataError
from lepton_pipeline.system.files import remove, replacing
from lepton_pipeline.system.records import from_json, to_json

Options = dict[str, Any]  # what a catalog entry gives beside the path


class RawTableDataset(AbstractDataset[None, list[RawFile]]):
    """The table files at a path, with or without its suffix, or below a folder; local or remote; read only.

    `data/files.py` says which files are tables. They are handed on unopened: how their text becomes values is
    declared by the vertical (`ingestion:`).
    """

    def __init__(self, *, filepath: str, credentials: Options | None = None, metadata: Options | None = None):
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
        files = raw_files(self._fs, self._path)
        if not files:
            raise DataError(
                f"{no_tables(self._path, files.skipped)} or declare its entry in the vertical's own catalog.yml."
            )
        return files

    def save(self, data: None) -> None:
        """Refuse: raw data is never written by a run."""
        raise DatasetError("raw data is read only")

    def _exists(self) -> bool:
        return bool(find_tables(self._fs, self._path).files)

    def _describe(self) -> Options:
        return {"filepath": shown_path(self._path)}


class _LocalDataset(AbstractDataset[Any, Any]):
    """A path that is written atomically: it is there whole, or not at all."""

    def __init__(self, *, filepath: str, metadata: Options | None = None):
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

    def _describe(self) -> Options:
        return {"filepath": str(self.path)}


class AtomicDataset(_LocalDataset):
    """Any local file data set of Kedro, written atomically.

    Example:
        ``{type: lepton_pipeline.datasets.AtomicDataset, filepath: t.csv, dataset: pandas.CSVDataset}``
    """

    def __init__(self, *, filepath: str, dataset: str | Options, metadata: Options | None = None):
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

    def __init__(self, *, filepath: str, holds: str, metadata: Options | None = None):
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

    def __init__(self, *, filepath: str, holds: str | None = None, metadata: Options | None = None):
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
                raise DatasetError(
                    f"{file} lies outside of the folder it is to be written to; name it otherwise."
                )
        for file, content in files.items():
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_bytes(content)

    def _read(self, path: Path) -> Any:
        if self._holds:
            return load_obj(self._holds).load(path)
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


class StreamedParquetDataset(_LocalDataset):
    """A Parquet file written block by block: the same bytes however its rows are divided.

    What is saved are `Rows`, a frame, or what is iterated over for frames with the same columns, at least
    one; where it has a method `written`, that is called when the file is in its place.

    Args:
        filepath: the file.
        by_chunks: whether loading gives `Rows`, which are read a chunk at a time, instead of a frame.
        metadata: for hooks.
    """

    def __init__(self, *, filepath: str, by_chunks: bool = False, metadata: dict[str, Any] | None = None):
        super().__init__(filepath=filepath, metadata=metadata)
        self._by_chunks = by_chunks

    def save(self, data: Any) -> None:
        """Write `data` whole, or leave what was there."""
        super().save(data)
        if hasattr(data, "written"):
            data.written()

    def _write(self, data: Any, path: Path) -> None:
        import pandas as pd

        from lepton_pipeline.data.rows import Rows, write_frames

        if isinstance(data, Rows | pd.DataFrame):
            Rows.of(data).save(path)
        else:
            write_frames(data, path)

    def _read(self, path: Path) -> Any:
        import pandas as pd

        from lepton_pipeline.data.rows import Rows

        return Rows(path) if self._by_chunks else pd.read_parquet(path)


class WorkFolderDataset(AbstractDataset[None, Path]):
    """A folder in which a stage keeps what it has finished; loading gives its path, even if absent."""

    def __init__(self, *, filepath: str, metadata: Options | None = None):
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

    def _describe(self) -> Options:
        return {"filepath": str(self.path)}
