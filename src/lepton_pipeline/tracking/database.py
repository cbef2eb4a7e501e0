"""Check that a database answers, before MLflow does, and tell temporary errors from lasting ones."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.system.permissions import refusal
from lepton_pipeline.tracking.local_store import SQLITE, existing_database

# Errors of SQLite and PostgreSQL that do not pass.
_LASTING = ("unable to open database file", "readonly database", "authentication failed", "does not exist")
_SERVERS = ("postgresql", "mysql", "mssql")
_DAMAGED = ("file is not a database", "disk image is malformed")
# Half a minute for an absent server, not four; three minutes for a hanging one, not ten.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
_FIRST_CONTACT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


@contextmanager
def first_contact() -> Iterator[None]:
    """Let MLflow retry a server once and briefly, unless the environment says otherwise."""
    before = {name: value for name, value in os.environ.items() if name in _FIRST_CONTACT}
    ours = [name for name in _FIRST_CONTACT if before.get(name) in (None, PATIENCE[name])]
    os.environ.update({name: _FIRST_CONTACT[name] for name in ours})
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]
        os.environ.update(before)


def require_database(uri: str) -> None:
    """Connect once to a SQLite file or database server: MLflow would retry silently for 100 seconds.

    Raises ConfigurationError if the driver is missing or the file unreadable or damaged,
    sqlite3.OperationalError if it is locked, SQLAlchemyError if the server is unreachable or refuses the
    login.
    """
    if uri.startswith(SQLITE):
        _require_file(Path(uri.removeprefix(SQLITE)))
    if not uri.startswith(_SERVERS):
        return
    from sqlalchemy import NullPool, create_engine

    try:
        engine = create_engine(uri, poolclass=NullPool)
    except ImportError as error:
        scheme = uri.partition(":")[0]
        raise ConfigurationError(
            f"mlflow.yml: a store at {scheme}:// needs a driver that is not installed: {error}; "
            "pip install '.[postgres]' installs PostgreSQL's, for postgresql+psycopg://."
        ) from error
    with engine.connect():
        pass


def _require_file(file: Path) -> None:
    if not file.exists():
        return
    if not os.access(file, os.R_OK):
        raise refusal(file)
    # With write access SQLite first rolls back what a killed process left.
    mode = "rw" if os.access(file, os.W_OK) else "ro"
    try:
        with existing_database(file, mode) as store:
            store.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if (problem := damaged(str(error), file)) is not None:
            raise problem from error
        raise


def damaged(said: str, file: str | Path = "MLflow's database") -> ConfigurationError | None:
    """The error about a damaged SQLite file; None if `said` is about something else."""
    reason = next((reason for reason in _DAMAGED if reason in said), None)
    if reason is None:
        return None
    return ConfigurationError(
        f"{file} is damaged: {reason}. Put a backup of it there; without one, `sqlite3 FILE .recover` may save what it "
        "holds, and once it is moved away, the next run begins a store without runs and champions."
    )


def may_pass(error: BaseException) -> bool:
    """Whether a store may be usable in a minute.

    True for a server that does not answer and a locked or full SQLite file; False for a refused password or a
    database or folder that does not exist.
    """
    from requests.exceptions import RequestException
    from sqlalchemy.exc import OperationalError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, RequestException):
            return True
        if isinstance(cause, (OperationalError, sqlite3.OperationalError)):
            return not any(word in str(cause) for word in _LASTING)
        cause = cause.__cause__ or cause.__context__
    return False
