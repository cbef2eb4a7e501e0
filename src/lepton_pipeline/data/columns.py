"""Whether a table has the columns that a vertical declares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Contract, Dataset


def check_columns(names: Sequence[str], dataset: Dataset, contract: Contract, where: str) -> None:
    """Refuse a header that lacks a declared column.

    Args:
        names: column names of the table.
        dataset: declared roles.
        contract: declared expectations.
        where: the file or table, for the message.

    Raises:
        DataError: one line for every absent column: the key that declares it, and the closest existing name.
    """
    problems = [
        f"{where} has no column {column!r}, which {key} declares; {closest(column, names)}."
        for key, columns in declared_columns(dataset, contract).items()
        for column in columns
        if column not in names
    ]
    if problems:
        raise DataError("\n".join(problems))


def declared_columns(dataset: Dataset, contract: Contract) -> dict[str, list[str]]:
    """Declared column names by the key that declares them."""
    roles = {f"dataset.{role}": columns for role, columns in dataset.roles().items()}
    expectations = {
        f"contract.expectations[{position}]": expectation.columns()
        for position, expectation in enumerate(contract.expectations)
        # Presence is what this one is about: it fails in the contract, with its own `on_failure`.
        if expectation.expect != "column_to_exist"
    }
    return roles | expectations


def closest(column: str, names: Iterable[str]) -> str:
    """Hint at the existing name that was meant, or list the names there are."""
    names = list(names)
    match = nearest(column, names)
    return f"did you mean {match!r}" if match else f"the columns are {', '.join(map(repr, names)) or 'none'}"


def nearest(column: str, names: Iterable[str]) -> str | None:
    """The existing name that is most like `column`, whatever its case; None if none is like it."""
    folded = {name.casefold(): name for name in names}
    match = get_close_matches(column.casefold(), folded, n=1, cutoff=0.5)
    return folded[match[0]] if match else None
