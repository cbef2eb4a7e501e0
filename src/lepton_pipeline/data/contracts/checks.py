"""The checks behind a contract: those implied by the declared roles, then the declared ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from lepton_pipeline.data.contracts.expectations import KEYS_EXIST, check_declarations
from lepton_pipeline.data.rows import Rows
from lepton_pipeline.errors import ConfigurationError, DataError, closest
from lepton_pipeline.parameters import Contract, Dataset, Expectation

EXISTS, _NOT_NULL = "column_to_exist", "column_values_to_not_be_null"
_HOLDS_NUMBERS = "column_values_to_be_in_type_list"
# Great Expectations compares names of types; nullable types of pandas go by the name of their class.
_NUMBER_TYPES = [
    "bool",
    "BooleanDtype",
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *(f"{kind}{bits}Dtype" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
    *(f"Float{bits}Dtype" for bits in (32, 64)),
]
# By the column of `with_matches`: the key columns, and the keys of another table.
OtherKeys = dict[str, tuple[list[str], pd.MultiIndex]]
_RANGE = {"min_value", "max_value", "strict_min", "strict_max"}
_COLUMNS = ("column", "column_A", "column_B")
_MODIFIERS = {"mostly", "row_condition", "condition_parser", "ignore_row_if"}


@dataclass(frozen=True)
class Check:
    """One expectation to evaluate, without its expect_ prefix, declared at the key path `key`.

    `sentence` is the expectation in words, such as "AGE between 18 and 110"; `implied` tells that a role, or
    another expectation, asks for it.
    """

    key: str
    expect: str
    arguments: dict[str, Any]
    on_failure: str
    columns: tuple[str, ...]
    sentence: str
    implied: bool = False


def planned_checks(
    contract: Contract, key: str, dataset: Dataset | None = None, made: Sequence[str] = ()
) -> list[Check]:
    """List every check in the order of the report; `key` is that of the contract.

    Each column with a role, and each that an expectation reads, must exist, unless it is `made` later;
    numeric columns must hold numbers (both stop the run); rows without a target are quarantined. A raw table
    has no `dataset`. A ConfigurationError lists the expectations that cannot be understood.
    """
    if problems := check_declarations(contract, key):
        raise ConfigurationError("\n".join(problems))
    pairs = enumerate(contract.expectations)
    declared = [_declared_check(f"{key}.expectations[{at}]", each) for at, each in pairs]
    roles = {} if dataset is None else dataset.roles()
    roles = {role: [name for name in names if name not in made] for role, names in roles.items()}
    named = [(column, f"dataset.{role}") for role, columns in roles.items() for column in columns]
    named += [(column, check.key) for check in declared if check.expect != EXISTS for column in check.columns]
    origins: dict[str, str] = {}
    for column, by in named:
        origins.setdefault(column, by)
    implied = [_implied(by, EXISTS, name, "exists") for name, by in origins.items()]
    implied += [
        _implied("dataset.numeric", _HOLDS_NUMBERS, name, "holds numbers", type_list=_NUMBER_TYPES)
        for name in roles.get("numeric", ())
    ]
    if dataset is not None:
        implied.append(_implied("dataset.target", _NOT_NULL, dataset.target, "not null", "quarantine"))
    return implied + declared


def unmet_prerequisites(table: pd.DataFrame, checks: list[Check]) -> dict[int, str]:
    """Reasons, by position, of checks that read a column that is absent or of the wrong type."""
    numeric = {column for check in checks if is_number_check(check) for column in check.columns}
    reasons = {}
    for position, check in enumerate(checks):
        if check.expect == EXISTS:
            continue
        if absent := [column for column in check.columns if column not in table.columns]:
            reasons[position] = f"column {absent[0]!r} is absent"
        elif not is_number_check(check):
            wrong = [name for name in check.columns if name in numeric and not is_numeric_dtype(table[name])]
            if wrong:
                reasons[position] = f"column {wrong[0]!r} does not hold numbers"
    return reasons


def is_number_check(check: Check) -> bool:
    """Whether this is the implied check that a numeric column holds numbers."""
    return check.implied and check.expect == _HOLDS_NUMBERS


def reads(check: Check, names: set[str]) -> bool:
    """Whether a check, or its row condition, reads one of the columns."""
    condition = str(check.arguments.get("row_condition") or "")
    return any(name in check.columns or name in condition for name in names)


def text_positions(column: pd.Series) -> list[int]:
    """Positions of values that are present but not numbers."""
    texts = column.notna() & pd.to_numeric(column, errors="coerce").isna()
    return [int(position) for position in np.flatnonzero(texts)]


def _declared_check(key: str, declared: Expectation) -> Check:
    if declared.expect == KEYS_EXIST:
        return _key_check(key, declared)
    arguments = declared.arguments()
    # Table expectations compare a list of names with the table: those names need not exist.
    columns = () if declared.expect.startswith("table_") else tuple(declared.columns())
    sentence = str(arguments.get("description") or _sentence(declared.expect, arguments))
    return Check(key, declared.expect, arguments, declared.on_failure, columns, sentence)


def _key_check(key: str, declared: Expectation) -> Check:
    """The check that keys are in another table, on the column that `with_matches` adds for it."""
    sentence = name = _match_column(declared)
    arguments: dict[str, object] = {"column": name, "value_set": [True]}
    if declared.mostly is not None:
        arguments["mostly"] = declared.mostly
        sentence += f" (mostly {declared.mostly:g})"
    columns = tuple(declared.column_list or [])
    return Check(key, "column_values_to_be_in_set", arguments, declared.on_failure, columns, sentence)


def _match_column(declared: Expectation) -> str:
    """Name of the column that says whether a row's key is in the other table."""
    return f"{', '.join(declared.column_list or [])} found in {declared.table}"


def with_matches(rows: pd.DataFrame, keys: OtherKeys) -> pd.DataFrame:
    """Add a column for each key; a missing key has no value there, and so conforms."""
    added = {}
    for name, (columns, known) in keys.items():
        if all(column in rows.columns for column in columns):
            found = pd.MultiIndex.from_frame(rows[columns]).isin(known)
            present = pd.Series(found, index=rows.index, dtype=object)
            added[name] = present.mask(rows[columns].isna().any(axis="columns"))
    return rows.assign(**added)


def other_keys(contract: Contract, others: Mapping[str, Rows]) -> OtherKeys:
    """Read the keys that the expectations about keys need from `others`, tables by name."""
    found: OtherKeys = {}
    for declared in contract.expectations:
        if declared.expect != KEYS_EXIST:
            continue
        if declared.table is None or declared.table not in others:
            raise ConfigurationError(
                f"{KEYS_EXIST}: no table {declared.table!r} to look keys up in; this check knows "
                f"{', '.join(others) or 'none'}."
            )
        columns = declared.column_list or []
        theirs = declared.table_columns or columns
        other = others[declared.table]
        if absent := [name for name in theirs if name not in other.names]:
            raise DataError(
                f"table {declared.table!r} has no key column {absent[0]!r}; {closest(absent[0], other.names)}."
            )
        known = pd.MultiIndex.from_frame(other.frame(theirs).drop_duplicates())
        found[_match_column(declared)] = (columns, known)
    return found


def _implied(
    key: str, expect: str, column: str, text: str, failure: str = "stop", **others: list[str]
) -> Check:
    arguments = {"column": column, **others}
    return Check(key, expect, arguments, failure, (column,), f"{column} {text}", implied=True)


def _sentence(expect: str, arguments: dict[str, Any]) -> str:
    """An expectation in few words: its columns, its type without filler words, its arguments."""
    rest = {name: value for name, value in arguments.items() if name not in {*_COLUMNS, "notes"}}
    columns = [arguments[name] for name in _COLUMNS if name in arguments]
    if not expect.startswith("table_"):
        columns += rest.pop("column_list", [])
    words = re.sub(r"^(compound_columns|select_column|column_pair|multicolumn|column|table)_", "", expect)
    words = re.sub(r"^values?_(?=to_|a_to_)", "", words).replace("to_be_", "").replace("to_not_be_", "not_")
    words = words.replace("to_exist", "exists").replace("to_", "").replace("_", " ")
    if expect == "column_pair_values_a_to_be_greater_than_b":
        operator = "at least" if rest.pop("or_equal", False) else "greater than"
        return f"{columns[0]} {operator} {columns[1]}{_listed(rest)}"
    if words.endswith("between") and {"min_value", "max_value"} & rest.keys():
        words = words.removesuffix("between") + _range(rest)
        rest = {name: value for name, value in rest.items() if name not in _RANGE}
    single = [name for name in rest if name not in _MODIFIERS]
    if len(single) == 1:
        words += f" {_shown(rest.pop(single[0]))}"
    return f"{', '.join(columns)} {words}".strip() + _listed(rest)


def _range(arguments: Mapping[str, object]) -> str:
    low, high = arguments.get("min_value"), arguments.get("max_value")
    above = f"{'above' if arguments.get('strict_min') else 'at least'} {low}"
    below = f"{'below' if arguments.get('strict_max') else 'at most'} {high}"
    if low is None:
        return below
    if high is None:
        return above
    strict = arguments.get("strict_min") or arguments.get("strict_max")
    return f"{above} and {below}" if strict else f"between {low} and {high}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _listed(arguments: Mapping[str, object]) -> str:
    shown = [f"{name} {_shown(value)}" for name, value in arguments.items() if name != "condition_parser"]
    return f" ({', '.join(shown)})" if shown else ""
