"""Embeddings that are known already: hashes of texts and vectors in a SQLite file, no text."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

from lepton_pipeline.system.permissions import share, shared_folder

logger = logging.getLogger(__name__)
Halves = npt.NDArray[np.float16]
# Parallel runs write in turns.
_SECONDS = 60
_ASKED_AT_ONCE = 500
_TABLE = (
    "CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, vector BLOB NOT NULL, crc INTEGER NOT NULL)"
)


class EmbeddingCache:
    """Vectors by the hashes of their texts; what is damaged is as good as absent, and made anew."""

    def __init__(self, file: Path):
        self.file = file

    def read(self, keys: Sequence[bytes]) -> dict[bytes, Halves]:
        """The known ones of some keys; a vector that does not match its checksum is not known."""
        rows: list[tuple[bytes, bytes, int]] = []
        with self._rebuilding(), self._store() as store:
            for start in range(0, len(keys), _ASKED_AT_ONCE):
                asked = keys[start : start + _ASKED_AT_ONCE]
                marks = ", ".join("?" * len(asked))
                query = f"SELECT key, vector, crc FROM embeddings WHERE key IN ({marks})"  # noqa: S608  # only marks
                rows += store.execute(query, asked)
        return {key: np.frombuffer(vector, "<f2") for key, vector, crc in rows if crc32(key + vector) == crc}

    def write(self, vectors: Mapping[bytes, Halves]) -> None:
        """Keep vectors for later runs."""
        written = [(key, vector.astype("<f2").tobytes()) for key, vector in vectors.items()]
        rows = [(key, vector, crc32(key + vector)) for key, vector in written]
        with self._rebuilding(), self._store() as store:
            store.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)", rows)

    @contextmanager
    def _store(self) -> Iterator[sqlite3.Connection]:
        shared_folder(self.file.parent)
        new = not self.file.exists()
        with closing(sqlite3.connect(self.file, timeout=_SECONDS)) as store, store:
            store.execute(_TABLE)
            yield store
        if new:
            share(self.file)

    @contextmanager
    def _rebuilding(self) -> Iterator[None]:
        """Remove a file that is no intact store; a store that is locked or has no room is an error."""
        try:
            yield
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            logger.warning("%s is damaged (%s); texts are encoded again", self.file, error)
            self.file.unlink(missing_ok=True)
