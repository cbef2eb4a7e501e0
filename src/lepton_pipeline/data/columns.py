"""Whether a table has the columns that a vertical declares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from lepton_pipeline.errors import DataError, closest
from lepton_pipeline.parameters import Contract, Dataset, Features


def check_columns(names: Sequence[str], declared: dict[str, list[str]], where: str) -> None:
    """Refuse a header without a declared column; `where` names the file or table."""
    problems = [
        f"{where} has no column {column!r}, which {key} declares; {closest(column, names)}."
        for key, columns in declared.items()
        for column in columns
        if column not in names
    ]
    if problems:
        raise DataError("\n".join(problems))


def with_numbers(table: pd.DataFrame, columns: Iterable[str], where: str) -> pd.DataFrame:
    """Make columns numeric; without any value they become NaN. A DataError names the first text."""
    numbers = {}
    for name in columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            numbers[name] = pd.to_numeric(table[name], errors="coerce").astype("float64")
            wrong = table.loc[numbers[name].isna() & table[name].notna(), name]
            if len(wrong):
                raise DataError(
                    f"column {name!r} of {where} must hold numbers, but {len(wrong):,} of {len(table):,} values are "
                    f"none, e.g. {wrong.iloc[0]!r} (row {wrong.index[0]}); correct them, or list their text under "
                    "ingestion.missing."
                )
    return table.assign(**numbers)


def declared_columns(
    dataset: Dataset | None, contract: Contract, features: Features, key: str = "contract"
) -> dict[str, list[str]]:
    """Declared column names by the key that declares them, without those that `features` makes.

    The contract is declared at `key`; a raw table has no `dataset`.
    """
    declared = {f"dataset.{role}": columns for role, columns in dataset.roles().items()} if dataset else {}
    if contract.time is not None:
        declared[f"{key}.time"] = [contract.time]
    declared |= {
        f"{key}.expectations[{position}]": expectation.columns()
        for position, expectation in enumerate(contract.expectations)
        # Presence is what this one is about: it fails in the contract, with its own `on_failure`.
        if expectation.expect != "column_to_exist"
    }
    made = set(features.names())
    return {key: [name for name in columns if name not in made] for key, columns in declared.items()}


def feature_columns(table: pd.DataFrame, dataset: Dataset) -> list[str]:
    """The columns without a role, which are features, in the order of the table."""
    roles = dataset.roles()
    features = {"numeric", "categorical", "text"}
    others = {column for role in roles.keys() - features for column in roles[role]}
    return [column for column in table.columns if column not in others]
