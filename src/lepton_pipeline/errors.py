"""Errors that a user can cause, each with the exit code of the process.

Every message says what was wrong, which value was seen, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable

import click


class LeptonError(click.ClickException):
    """Base of all errors shown without a traceback, in Kedro's own commands, too."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"error: {self}"]


class ConfigurationError(LeptonError):
    """An invalid declaration or command line."""

    exit_code = 2


class DataError(LeptonError):
    """Data that cannot be used as declared."""

    exit_code = 3


class ContractError(DataError):
    """An expectation with `on_failure: stop` failed, or too many rows were quarantined.

    `key` is where the contract is declared, "contract" or "tables.<name>".
    """

    def __init__(self, message: str, key: str = "contract") -> None:
        super().__init__(message)
        self.key = key


class EmptyFileError(DataError):
    """A file without a header."""


class SplitError(DataError):
    """The rows cannot be divided as declared."""


class GateRefusedError(LeptonError):
    """The gate did not promote the model, and the caller asked for that to be a failure."""

    exit_code = 4


class NotReproducedError(LeptonError):
    """A run could not be reproduced."""

    exit_code = 5


class DiskFullError(LeptonError):
    """The disk is full."""


class BusyError(LeptonError):
    """Another process runs the same pipeline."""


class DivergedError(LeptonError):
    """A loss of the training became infinite, or no number."""


class StoreError(LeptonError):
    """MLflow's store became unreachable during the run."""


def closest(column: str, names: Iterable[str]) -> str:
    """Hint at the most similar name, or list all."""
    names = list(names)
    match = nearest(column, names)
    return f"did you mean {match!r}" if match else f"the columns are {', '.join(map(repr, names)) or 'none'}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A question that precedes a list of names; empty without a similar name.

    >>> did_you_mean("Finence", ["finance", "retail"])
    "did you mean 'finance'? "
    """
    match = nearest(name, names)
    return f"did you mean {match!r}? " if match else ""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The most similar name, ignoring case; or None."""
    return next(iter(nearest_names(name, names, most=1)), None)


def nearest_names(name: str, names: Iterable[str], most: int) -> list[str]:
    """Similar names, ignoring case, the most similar first."""
    from difflib import get_close_matches

    folded = {each.casefold(): each for each in names}
    return [folded[match] for match in get_close_matches(name.casefold(), folded, n=most, cutoff=0.5)]
