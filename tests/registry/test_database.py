import pytest
from sqlalchemy.exc import SQLAlchemyError

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.registry.database import require_database


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "sqlite:///nowhere/mlflow.db", "databricks"])
def test_what_is_no_database_server_is_not_asked(uri):
    require_database(uri)


def test_a_driver_that_is_not_installed_is_named():
    with pytest.raises(ConfigurationError, match=r"mysql\+pymysql:// needs a driver that is not installed: .*pymysql"):
        require_database("mysql+pymysql://me:secret@127.0.0.1:1/db")


def test_an_unknown_dialect_is_an_error_of_the_library():
    with pytest.raises(SQLAlchemyError):
        require_database("postgresql+nothing://127.0.0.1:1/db")
