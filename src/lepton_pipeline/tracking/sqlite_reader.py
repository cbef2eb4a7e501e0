"""Read a local store without MLflow, whose import would dominate the time of `kedro status`."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lepton_pipeline.tracking.local_store import existing_database
from lepton_pipeline.tracking.runs import Tracking

# The revision of MLflow's schema that is read here.
REVISION = "dc11669786a5"
_VERSION = "SELECT name, version, run_id, creation_time FROM model_versions"
_PRESENT = "name = ? AND workspace = 'default' AND current_stage != 'Deleted_Internal'"
_RUN = "SELECT run_uuid, experiment_id, status, start_time, end_time FROM runs"


class MissingError(LookupError):
    """The store lacks what was asked for; has the error code of MLflow's exception."""

    error_code = "RESOURCE_DOES_NOT_EXIST"


def open_reader(tracking: Tracking, project: Path) -> SqliteReader | None:
    """A reader of the store; None if it is no SQLite file, has another schema, or cannot be read now."""
    file = tracking.sqlite_file(project)
    # MLflow refuses such names with a message.
    if file is None or not file.is_file() or re.search(r"\?|%[0-9A-Fa-f]{2}", str(file)):
        return None
    reader = SqliteReader(file)
    try:
        return reader if reader.rows("SELECT version_num FROM alembic_version") == [(REVISION,)] else None
    except sqlite3.Error:
        return None


class SqliteReader:
    """The methods of an MLflow client that `kedro status` needs, with their names and results."""

    def __init__(self, file: Path) -> None:
        self._file = file.resolve()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with existing_database(self._file) as connection:
            return connection.execute(query, values).fetchall()

    def search_registered_models(self, where: str) -> list[Any]:
        """The model of a `name_filter`, with its aliases."""
        name = _named(where)
        query = "SELECT alias, version FROM registered_model_aliases WHERE name = ? AND workspace = 'default'"
        found = self.rows(query, name)
        return [SimpleNamespace(name=name, aliases=dict(found))]

    def search_model_versions(self, where: str, page_token: str | None = None) -> Any:
        """All versions of the model of a `name_filter`, as one page."""
        return _Page(map(self._version, self.rows(f"{_VERSION} WHERE {_PRESENT}", _named(where))))

    def get_model_version(self, name: str, version: str) -> Any:
        """One version, with its tags."""
        for row in self.rows(f"{_VERSION} WHERE {_PRESENT} AND version = ?", name, int(version)):
            return self._version(row)
        raise MissingError(f"{name}: version {version} is not in the store")

    def get_experiment_by_name(self, name: str) -> Any:
        """An experiment, deleted or not; None if absent."""
        query = "SELECT experiment_id FROM experiments WHERE name = ? AND workspace = 'default'"
        for row in self.rows(query, name):
            return SimpleNamespace(experiment_id=str(row[0]))
        return None

    def search_runs(
        self, experiments: list[str], where: str, *, order_by: list[str], max_results: int
    ) -> list[Any]:
        """The latest runs of one experiment, the latest first."""
        if where or order_by != ["attributes.start_time DESC"] or len(experiments) != 1:
            raise NotImplementedError(f"{experiments}: {where!r} by {order_by}")
        where = "experiment_id = ? AND lifecycle_stage = 'active'"
        query = f"{_RUN} WHERE {where} ORDER BY start_time DESC, run_uuid LIMIT ?"
        return [self._run(row) for row in self.rows(query, int(experiments[0]), max_results)]

    def get_run(self, run_id: str) -> Any:
        """One run, deleted or not."""
        for row in self.rows(f"{_RUN} WHERE run_uuid = ?", run_id):
            return self._run(row)
        raise MissingError(f"run {run_id} is not in the store")

    def _version(self, row: tuple[Any, ...]) -> Any:
        name, version, *_ = row
        query = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"
        names, tags = ("name", "version", "run_id", "creation_timestamp"), self.rows(query, name, version)
        return SimpleNamespace(**dict(zip(names, row, strict=True)), tags=dict(tags))

    def _run(self, row: tuple[Any, ...]) -> Any:
        run_id, experiment, status, start, end = row
        info = SimpleNamespace(run_id=run_id, experiment_id=str(experiment), status=status)
        info.start_time, info.end_time = start, end
        tags = self.rows("SELECT key, value FROM tags WHERE run_uuid = ?", run_id)
        params = self.rows("SELECT key, value FROM params WHERE run_uuid = ?", run_id)
        return SimpleNamespace(info=info, data=SimpleNamespace(tags=dict(tags), params=dict(params)))


class _Page(list[Any]):
    token = None


def _named(where: str) -> str:
    return where.removeprefix("name = '").removesuffix("'")
