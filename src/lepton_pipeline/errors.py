"""The errors a user can cause, each with the exit code of the process it ends.

Every message says what was wrong, which value was seen, and what to do.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator


class LeptonError(Exception):
    """Base of all errors that are shown without a traceback."""

    exit_code = 1


class ConfigurationError(LeptonError):
    """A declaration or a command line that cannot be followed."""

    exit_code = 2


class DataError(LeptonError):
    """Data that cannot be used as declared."""

    exit_code = 3


class ContractError(DataError):
    """An expectation with `on_failure: stop` failed, or too many rows were quarantined.

    Args:
        message: what, which value, what to do.
        key: where the contract is declared, "contract" or "tables.<name>".
    """

    def __init__(self, message: str, key: str = "contract") -> None:
        super().__init__(message)
        self.key = key


class EmptyFileError(DataError):
    """A file without a header."""


class SplitError(DataError):
    """The rows cannot be divided as declared."""


class GateRefusedError(LeptonError):
    """The gate did not promote the model and the caller asked for that to be a failure."""

    exit_code = 4


class NotReproducedError(LeptonError):
    """A run could not be made again, or gave other figures."""

    exit_code = 5


class DiskFullError(LeptonError):
    """No room is left for what a run writes."""


class BusyError(LeptonError):
    """Another process is at work on the same pipeline, whose files it writes."""


class StoreError(LeptonError):
    """MLflow's store was there when the run began, and cannot be reached any more."""


def store_lost(error: BaseException) -> bool:
    """Whether an error says that MLflow's server or database cannot be reached."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import OperationalError

    chain = list(_chain(error))
    return any(isinstance(each, MlflowException) for each in chain) and any(
        isinstance(each, (RequestException, OperationalError)) for each in chain
    )


def user_error(error: BaseException) -> LeptonError | None:
    """The error that a user can mend, in whatever the libraries have wrapped it.

    Returns:
        The `LeptonError` in the chain of causes, one made of a library's error that is a user's to mend, or None.
    """
    from kedro.config import MissingConfigException
    from kedro.io import DatasetError
    from yaml import YAMLError

    from lepton_pipeline.system.permissions import refused
    from lepton_pipeline.tracking.database import damaged

    for cause in _chain(error, implicit=False):
        if isinstance(cause, LeptonError):
            return cause
    for cause in _chain(error):
        if (problem := refused(cause)) is not None:
            return problem
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            where = f" for {cause.filename}" if cause.filename else ""
            return DiskFullError(f"the disk is full{where}; make room, and start the same command again.")
    if isinstance(error, (MissingConfigException, YAMLError)):
        return ConfigurationError(str(error))
    if isinstance(error, DatasetError):
        return DataError(f"{error}; check the entry in the catalog and what it points to.")
    said = "".join(map(str, _chain(error)))
    if (problem := damaged(said)) is not None:
        return problem
    if "attempt to write a readonly database" in said:
        return ConfigurationError(
            "MLflow's database cannot be written by this user: let its owner run the command, or let the owner share "
            "the project with a group (docs/operating.md, Several users)."
        )
    if store_lost(error):
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return StoreError(
            f"MLflow's store cannot be reached: {reason}. Stages that have finished are on disk: when the store is "
            "there again, go on with the same command and --only-missing-outputs."
        )
    return None


def _chain(error: BaseException, implicit: bool = True) -> Iterator[BaseException]:
    """The error and what caused it, explicitly or also what was being handled when it was raised."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (cause.__context__ if implicit else None)
