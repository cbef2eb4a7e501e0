"""The errors a user can cause, each with the exit code of the process it ends.

Every message says what was wrong, which value was seen, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable


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


def closest(column: str, names: Iterable[str]) -> str:
    """Hint at the existing name that was meant, or list the names there are."""
    names = list(names)
    match = nearest(column, names)
    return f"did you mean {match!r}" if match else f"the columns are {', '.join(map(repr, names)) or 'none'}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A question to put before a list of the names there are; empty if none of them is like `name`.

    >>> did_you_mean("Finence", ["finance", "retail"])
    "did you mean 'finance'? "
    """
    match = nearest(name, names)
    return f"did you mean {match!r}? " if match else ""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The existing name that is most like `name`, whatever its case; None if no name is like it."""
    return next(iter(nearest_names(name, names, most=1)), None)


def nearest_names(name: str, names: Iterable[str], most: int) -> list[str]:
    """The existing names that are like `name`, whatever its case, the most similar first."""
    from difflib import get_close_matches

    folded = {each.casefold(): each for each in names}
    return [folded[match] for match in get_close_matches(name.casefold(), folded, n=most, cutoff=0.5)]
