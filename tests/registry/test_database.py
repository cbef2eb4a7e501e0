import pytest
from mlflow.exceptions import MlflowException
from requests.exceptions import ConnectionError as NoConnectionError
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.registry.database import may_pass, require_database


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "sqlite:///nowhere/mlflow.db", "databricks"])
def test_what_is_no_database_server_is_not_asked(uri):
    require_database(uri)


def test_a_driver_that_is_not_installed_is_named():
    with pytest.raises(ConfigurationError, match=r"mysql\+pymysql:// needs a driver that is not installed: .*pymysql"):
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
        (OperationalError("select 1", {}, Exception('FATAL:  password authentication failed for user "me"')), False),
        (OperationalError("select 1", {}, Exception("unable to open database file")), False),
        (DatabaseError("select 1", {}, Exception("file is not a database")), False),
    ],
)
def test_what_may_pass_is_told_from_what_must_be_mended(cause, passes):
    error = MlflowException("store")
    error.__cause__ = cause
    assert may_pass(error) is may_pass(cause) is passes
