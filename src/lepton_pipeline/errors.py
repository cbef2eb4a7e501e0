"""The errors a user can cause, each with the exit code of the process it ends.

Every message says what was wrong, which value was seen, and what to do.
"""

from __future__ import annotations


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


class SplitError(DataError):
    """The rows cannot be divided as declared."""


class GateRefusedError(LeptonError):
    """The gate did not promote the model and the caller asked for that to be a failure."""

    exit_code = 4


class NotReproducedError(LeptonError):
    """A run could not be made again, or gave other figures."""

    exit_code = 5


def user_error(error: BaseException) -> LeptonError | None:
    """The error that a user can mend, in whatever the libraries have wrapped it.

    Returns:
        The `LeptonError` in the chain of causes, one made of a library's error that is a user's to mend, or None.
    """
    from kedro.config import MissingConfigException
    from kedro.io import DatasetError
    from yaml import YAMLError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, LeptonError):
            return cause
        cause = cause.__cause__
    if isinstance(error, (MissingConfigException, YAMLError)):
        return ConfigurationError(str(error))
    if isinstance(error, DatasetError):
        return DataError(f"{error}; check the entry in the catalog and what it points to.")
    return None
