"""Ask a database whether it answers, before MLflow does, and tell what may pass from what must be mended."""

from __future__ import annotations

import sqlite3

from lepton_pipeline.errors import ConfigurationError

# Of what SQLite and PostgreSQL say: neither waiting nor another try changes it.
_LASTING = ("unable to open database file", "readonly database", "authentication failed", "does not exist")
_SERVERS = ("postgresql", "mysql", "mssql")


def require_database(uri: str) -> None:
    """Connect once to a database server: MLflow tries again and again for 100 seconds, and says nothing meanwhile.

    Args:
        uri: address of a store; of one that is no database server nothing is asked.

    Raises:
        ConfigurationError: the database's driver is not installed.
        SQLAlchemyError: it cannot be reached, or refuses user and password.
    """
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


def may_pass(error: BaseException) -> bool:
    """Whether a store that cannot be used may be usable in a minute.

    A server that does not answer, or a SQLite file that is locked or has no room, may; a refused password, a database
    or a folder that does not exist will not.
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
