import os
import sqlite3
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from requests.exceptions import ConnectionError as NoConnectionError
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.tracking.database import PATIENCE, first_contact, may_pass, require_database


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "sqlite:///nowhere/mlflow.db", "databricks"])
def test_what_is_no_database_server_is_not_asked(uri):
    require_database(uri)


def test_a_driver_that_is_not_installed_is_named():
    with pytest.raises(
        ConfigurationError, match=r"mysql\+pymysql:// needs a driver that is not installed: .*pymysql"
    ):
        require_database("mysql+pymysql://me:secret@127.0.0.1:1/db")


def test_an_unknown_dialect_is_an_error_of_the_library():
    with pytest.raises(SQLAlchemyError):
        require_database("postgresql+nothing://127.0.0.1:1/db")


@pytest.mark.parametrize(
    ("cause", "passes"),
    [
        (NoConnectionError("refused"), True),
        (OperationalError("select 1", {}, Exception("database is locked")), True),
        (OperationalError("select 1", {}, Exception("connection refused")), True),
        (
            OperationalError(
                "select 1", {}, Exception('FATAL:  password authentication failed for user "me"')
            ),
            False,
        ),
        (OperationalError("select 1", {}, Exception("unable to open database file")), False),
        (DatabaseError("select 1", {}, Exception("file is not a database")), False),
    ],
)
def test_what_may_pass_is_told_from_what_must_be_mended(cause, passes):
    error = MlflowException("store")
    error.__cause__ = cause
    assert may_pass(error) is may_pass(cause) is passes


def fill(file: Path, rows: int) -> sqlite3.Connection:
    store = sqlite3.connect(file)
    store.execute("CREATE TABLE IF NOT EXISTS t (a)")
    store.commit()
    store.execute("PRAGMA cache_size = 2")
    store.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * rows)
    return store


def test_a_damaged_file_is_told_from_a_wrong_address(tmp_path):
    file = tmp_path / "mlflow.db"
    file.write_text("not a database")
    with pytest.raises(ConfigurationError, match=f"{file} is damaged: file is not a database. Put a backup"):
        require_database(f"sqlite:///{file}")


def test_a_file_that_may_not_be_read_is_said_at_once(tmp_path, monkeypatch):
    file = tmp_path / "mlflow.db"
    file.touch()
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.R_OK)
    with pytest.raises(ConfigurationError, match=f"{file} cannot be read by"):
        require_database(f"sqlite:///{file}")


def test_what_a_killed_process_left_half_done_is_undone(tmp_path):
    """Opened for reading only, SQLite refuses such a file."""
    file = tmp_path / "mlflow.db"
    if (child := os.fork()) == 0:
        fill(file, 100)
        os._exit(0)
    os.waitpid(child, 0)
    assert file.with_name("mlflow.db-journal").exists()
    require_database(f"sqlite:///{file}")
    assert not file.with_name("mlflow.db-journal").exists()


@pytest.mark.parametrize("retries", [None, PATIENCE["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]])
def test_the_first_contact_with_a_server_is_short_unless_the_environment_says_otherwise(monkeypatch, retries):
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    if retries is not None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", retries)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    before = dict(os.environ)
    with first_contact():
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "60"
    assert dict(os.environ) == before
