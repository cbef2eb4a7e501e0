"""Keep a local store with its project: MLflow stores absolute addresses, which a move or copy makes wrong."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from lepton_pipeline.errors import ConfigurationError

logger = logging.getLogger(__name__)
SQLITE = "sqlite:///"
ADOPT = "kedro adopt"
# Table, column and condition of every artefact address in MLflow's database.
_ADDRESSES = (
    ("experiments", "artifact_location", "1"),
    ("runs", "artifact_uri", "1"),
    ("logged_models", "artifact_location", "1"),
    ("model_versions", "source", "1"),
    ("model_versions", "storage_location", "1"),
    ("trace_tags", "value", "key = 'mlflow.artifactLocation'"),
)
_SECONDS, _SECONDS_TO_READ = 10, 5


@dataclass(frozen=True)
class LocalStore:
    """A SQLite store with its artefact folder (relative to the project), both below a project."""

    database: Path
    project: Path
    artifact_root: Path

    @property
    def artifacts(self) -> Path:
        """Folder of new artefacts."""
        return (self.project / self.artifact_root).resolve()

    def settle(self) -> None:
        """Rewrite addresses after the project was moved, that is, if its former folder is gone.

        Raises ConfigurationError if the project is a copy: the folder that the addresses name still exists.
        """
        former = self.former()
        for project in former:
            if _is_there(project / self.artifact_root):
                raise ConfigurationError(
                    f"{self.database} is a copy: its runs and models lie in {project / self.artifact_root}, which this "
                    f"project would write into. If they were copied to {self.artifacts}, {ADOPT} makes the copy a "
                    f"project of its own; to begin without them, remove {self.database}."
                )
        if former:
            self.rewrite(former)
            shown = ", ".join(map(str, former))
            logger.warning("%s: moved from %s; artefacts follow the project", self.database.name, shown)

    def former(self) -> list[Path]:
        """Former folders of the project, by the addresses of its experiments."""
        depth = len(self.artifact_root.parts)
        found = set()
        for name, path in self._experiments():
            # Others were put elsewhere on purpose.
            if path.name != name or path.parts[-depth - 1 : -1] != self.artifact_root.parts:
                continue
            project = path.parents[depth]
            if project != self.project and not _same(project / self.artifact_root, self.artifacts):
                found.add(project)
        return sorted(found)

    def missing(self, projects: Iterable[Path]) -> list[Path]:
        """Experiment folders below the artefacts of other projects that are absent below this one's."""
        roots = [project / self.artifact_root for project in projects]
        return [
            path
            for _, path in self._experiments()
            # MLflow makes the folder of an experiment with its first artefact.
            if path.parent in roots and path.is_dir() and not (self.artifacts / path.name).is_dir()
        ]

    def rewrite(self, projects: Sequence[Path]) -> None:
        """Point all addresses below the artefacts of other projects below this one, in one transaction."""
        if not projects:
            return
        new = (self.artifacts.as_uri(), str(self.artifacts))
        with closing(sqlite3.connect(self.database, timeout=_SECONDS)) as store, store:
            found = store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for project in projects:
                root = project / self.artifact_root
                for old, own in zip((root.as_uri(), str(root)), new, strict=True):
                    for table, column, chosen in (each for each in _ADDRESSES if (each[0],) in found):
                        store.execute(
                            f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608
                            f"WHERE {chosen} AND substr({column}, 1, ?) = ?",
                            (own, len(old) + 1, len(old) + 1, f"{old}/"),
                        )

    def _experiments(self) -> list[tuple[str, Path]]:
        """Name and folder of each experiment with a local address."""
        if not self.database.is_file():
            return []
        try:
            with existing_database(self.database) as store:
                query = "SELECT name, artifact_location FROM experiments WHERE artifact_location IS NOT NULL"
                found = store.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            # The store is being created.
            if "no such table" in str(error):
                return []
            raise
        return [(name, path) for name, location in found if (path := as_path(location)) is not None]


def local_store(tracking_uri: str, artifact_root: str | None, project: Path) -> LocalStore | None:
    """The store of a project if it is a SQLite file with artefacts below the project, else None."""
    if not tracking_uri.startswith(SQLITE) or artifact_root is None or Path(artifact_root).is_absolute():
        return None
    return LocalStore(project / tracking_uri.removeprefix(SQLITE), project, Path(artifact_root))


def existing_database(file: Path, mode: str = "ro") -> closing[sqlite3.Connection]:
    """Open a SQLite file, which is not created, for a block; a locked one is waited for."""
    return closing(
        sqlite3.connect(f"file:{quote(str(file))}?mode={mode}", uri=True, timeout=_SECONDS_TO_READ)
    )


def as_path(location: str) -> Path | None:
    """The folder of a local address, else None."""
    if location.startswith("file:"):
        return Path(unquote(urlsplit(location).path))
    return Path(location) if location.startswith("/") else None


def _is_there(path: Path) -> bool:
    """Whether a path exists; one without permission to look counts as existing."""
    try:
        return bool(path.lstat())
    except OSError as error:
        return not isinstance(error, (FileNotFoundError, NotADirectoryError))


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
