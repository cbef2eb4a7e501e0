"""Finished chunks of a scoring, kept in a folder, so that a killed process can resume."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lepton_pipeline.system.files import replacing, write_text

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Work:
    """Finished chunks in a folder, each a Parquet file that is written whole or not at all."""

    folder: Path

    @classmethod
    def resume(cls, folder: Path, manifest: dict[str, Any]) -> Work:
        """Resume from the folder, or empty it where its `manifest`, ready for JSON, differs."""
        file = folder / _MANIFEST
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
        if not file.exists() or file.read_text("utf-8") != text:
            shutil.rmtree(folder, ignore_errors=True)
            write_text(file, text, alone=True)
        return cls(folder)

    def has(self, number: int) -> bool:
        """Whether a chunk is finished."""
        return self._path(number).exists()

    def write(self, number: int, rows: pd.DataFrame) -> None:
        """Keep a finished chunk."""
        with replacing(self._path(number), alone=True) as temporary:
            rows.to_parquet(temporary, index=False)

    def read(self, number: int) -> pd.DataFrame:
        """Read a finished chunk."""
        return pd.read_parquet(self._path(number))

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Read all finished chunks in order."""
        return (pd.read_parquet(path) for path in sorted(self.folder.glob("chunk-*.parquet")))

    def discard(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"chunk-{number:08d}.parquet"


@dataclass(frozen=True)
class FinishedRows:
    """The rows of all finished chunks, for a data set that writes them chunk by chunk."""

    work: Work

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return self.work.chunks()

    def written(self) -> None:
        """Called when they are saved elsewhere: removes the chunks."""
        self.work.discard()
