"""Kedro data sets that kedro-datasets does not offer."""

from __future__ import annotations

from os.path import normpath
from pathlib import Path
from typing import Any

import fsspec
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import get_protocol_and_path
from kedro.utils import load_obj

from lepton_pipeline.data.files import RawFiles, find_tables, no_tables, shown_path
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.errors import DataError
from lepton_pipeline.system.files import remove, replacing
from lepton_pipeline.system.memory import release_after_reading
from lepton_pipeline.system.records import from_json, to_json

Options = dict[str, Any]  # what a catalog entry gives beside the path


class RawTableDataset(AbstractDataset[None, list[RawFile]]):
    """Table files (see `data/files.py`) at a local or remote path, its suffix optional, or below a folder.

    They are read only and handed on unopened, as the vertical's `ingestion` declares how to parse them.
    """

    def __init__(self, *, filepath: str, credentials: Options | None = None, metadata: Options | None = None):
        protocol, path = get_protocol_and_path(filepath)
        self._fs = fsspec.filesystem(protocol, **(credentials or {}))
        # The path of a file on a web server is its address.
        self._path = f"{protocol}://{path}" if protocol in ("http", "https") else path
        self.metadata = metadata

    def load(self) -> RawFiles:
        """List table files by name, and skipped ones; DataError without a table file, or with mixed partitions."""
        files = find_tables(self._fs, self._path)
        if not files:
            raise DataError(
                f"{no_tables(self._path, files.skipped)} or declare it in the vertical's catalog.yml."
            )
        return files

    def save(self, data: None) -> None:
        """Refuse: raw data is never written by a run."""
        raise DatasetError("raw data is read only")

    def _exists(self) -> bool:
        return bool(find_tables(self._fs, self._path))

    def _describe(self) -> Options:
        return {"filepath": shown_path(self._path)}


class _LocalDataset(AbstractDataset[Any, Any]):
    """A path that is written atomically."""

    def __init__(self, *, filepath: str, metadata: Options | None = None):
        self.path = Path(filepath)
        self.metadata = metadata

    def save(self, data: Any) -> None:
        """Write `data` whole, or keep the former content."""
        with replacing(self.path, alone=True) as temporary:
            self._write(data, temporary)

    def load(self) -> Any:
        """Read the path."""
        data = self._read(self.path)
        release_after_reading(self.path)
        return data

    def remove(self) -> None:
        """Delete the path, if it exists."""
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

    def _at(self, path: Path) -> AbstractDataset[Any, Any]:
        return AbstractDataset.from_config(self.path.name, {**self._config, "filepath": str(path)})

    def _write(self, data: Any, path: Path) -> None:
        self._at(path).save(data)

    def _read(self, path: Path) -> Any:
        return self._at(path).load()


class RecordDataset(_LocalDataset):
    """A record of class `holds` (dotted name of a frozen dataclass or pydantic model) as a JSON file."""

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
    """A folder of files: a mapping of relative path to bytes, or an object of class `holds` (dotted name).

    Such an object has `save(folder)` and `load(folder)`.
    """

    def __init__(self, *, filepath: str, holds: str | None = None, metadata: Options | None = None):
        super().__init__(filepath=filepath, metadata=metadata)
        self._holds = holds

    def _write(self, data: Any, path: Path) -> None:
        path.mkdir()
        if self._holds:
            data.save(path)
            return
        files = {Path(normpath(path / name)): content for name, content in data.items()}
        for file in files:
            if not file.is_relative_to(normpath(path)):
                raise DatasetError(f"{file} lies outside of its folder; rename it.")
        for file, content in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def _read(self, path: Path) -> Any:
        if self._holds:
            return load_obj(self._holds).load(path)
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


class StreamedParquetDataset(_LocalDataset):
    """A Parquet file written block by block, with the same bytes however its rows are divided.

    Saves `Rows`, a frame, or an iterable of at least one frame; its method `written`, if any, is called at
    the end. With `by_chunks`, loading gives `Rows` instead of a frame.
    """

    def __init__(self, *, filepath: str, by_chunks: bool = False, metadata: Options | None = None):
        super().__init__(filepath=filepath, metadata=metadata)
        self._by_chunks = by_chunks

    def save(self, data: Any) -> None:
        """Write `data` whole, or keep the former content."""
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


class WorkFolderDataset(_LocalDataset):
    """A folder in which a stage keeps finished work; loading gives its path, even if it is absent."""

    def load(self) -> Path:
        """The folder."""
        return self.path

    def save(self, data: None) -> None:
        """Refuse: the stage itself writes below the folder."""
        raise DatasetError("a work folder is written by the stage that was given its path")

    def _exists(self) -> bool:
        return True
