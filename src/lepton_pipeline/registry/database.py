"""Ask a database whether it answers, before MLflow does."""

from __future__ import annotations

from lepton_pipeline.errors import ConfigurationError

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
