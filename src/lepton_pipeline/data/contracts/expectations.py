"""What Great Expectations' expectations take, from a snapshot: importing the library would cost seconds.

`tests/data/contracts/known_expectations.py` writes `expectations.json`; a test compares it with the installed
version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lepton_pipeline.errors import nearest, nearest_names
from lepton_pipeline.parameters import Contract, Expectation

# Our own: Great Expectations has none that looks keys up in another table.
KEYS_EXIST = "keys_to_exist_in_table"
_FOR_DATABASES = "it works in databases only; use column_values_to_match_regex or another one"
# Great Expectations lists these, yet cannot evaluate them on a table in memory.
UNUSABLE = {
    "column_values_to_match_like_pattern": _FOR_DATABASES,
    "column_values_to_match_like_pattern_list": _FOR_DATABASES,
    "column_values_to_not_match_like_pattern": _FOR_DATABASES,
    "column_values_to_not_match_like_pattern_list": _FOR_DATABASES,
    "query_results_to_match_comparison": _FOR_DATABASES,
    "table_row_count_to_equal_other_table": _FOR_DATABASES,
    "multicolumn_values_to_be_unique": "it is not registered; use select_column_values_to_be_unique_within_record",
}
# Great Expectations lets these be left out, and then checks nothing; so it does without either bound of a
# range.
_ONE_OF = {
    "column_values_to_be_in_type_list": frozenset({"type_list"}),
    "table_columns_to_match_ordered_list": frozenset({"column_list"}),
    "table_columns_to_match_set": frozenset({"column_set"}),
}
_BOUNDS = frozenset({"min_value", "max_value"})
_EMPTY = "the list is empty, so nothing is compared. List at least one value, or leave the expectation out."


@dataclass(frozen=True)
class KnownExpectation:
    """Arguments of one expectation, and whether it judges rows.

    Attributes:
        one_of: arguments of which at least one is needed: without any the expectation would check nothing.
        row_wise: a failure names rows, so rows can be quarantined.
    """

    required: frozenset[str]
    optional: frozenset[str]
    one_of: frozenset[str]
    row_wise: bool

    def arguments(self) -> list[str]:
        """Every argument, in alphabetical order."""
        return sorted(self.required | self.optional)


def check_declarations(contract: Contract, key: str = "contract") -> list[str]:
    """Find errors in expectations declared at `key` before data is loaded: key path, value, remedy.

    Of the arguments' values only empty lists and suite parameters are refused; Great Expectations judges the
    rest when the contract is checked.
    """
    problems: list[str] = []
    for position, declared in enumerate(contract.expectations):
        where = f"{key}.expectations[{position}]"
        if declared.expect == KEYS_EXIST and key == "contract":
            problems.append(f"{where}.expect: {KEYS_EXIST} is for raw tables; declare it in tables.<name>.")
        else:
            problems += _problems(where, declared)
    return problems


def expectation_names() -> list[str]:
    """Names that `expect` may take, in alphabetical order."""
    return sorted(_known().keys() - {KEYS_EXIST})


def known_expectation(name: str) -> KnownExpectation:
    """What one of `expectation_names()`, or our own, takes.

    >>> sorted(known_expectation("column_values_to_be_in_set").required)
    ['column', 'value_set']
    """
    return _known()[name]


@cache
def _known() -> dict[str, KnownExpectation]:
    snapshot = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    found = {
        name: KnownExpectation(
            frozenset(each["required"]),
            frozenset(each["optional"]),
            _BOUNDS if name.endswith("_between") else _ONE_OF.get(name, frozenset()),
            each["row_wise"],
        )
        for name, each in snapshot.items()
    }
    own, optional = frozenset({"column_list", "table"}), frozenset({"table_columns", "mostly"})
    return {**found, KEYS_EXIST: KnownExpectation(own, optional, frozenset(), row_wise=True)}


def _problems(key: str, declared: Expectation) -> list[str]:
    name = declared.expect
    names = list(_known())
    if name not in names:
        return [f"{key}.expect: {_unknown_name(name, names)}"]
    known = known_expectation(name)
    given = declared.arguments()
    takes = f"It takes: {', '.join(known.arguments())}."
    problems = [
        f"{key}.{argument}: {value!r} is given, and {name} has no such argument{_closest(argument, known)}. {takes}"
        for argument, value in sorted(given.items())
        if argument not in known.required | known.optional
    ]
    problems += [
        f"{key}.{argument}: missing, and {name} needs it. {takes}"
        for argument in sorted(known.required - given.keys())
    ]
    problems += [f"{key}.{argument}: {_EMPTY}" for argument, value in sorted(given.items()) if value == []]
    problems += [
        f"{key}.{argument}: {value!r} is a suite parameter, and nothing sets it here. Write the value itself."
        for argument, value in sorted(given.items())
        if isinstance(value, dict) and "$PARAMETER" in value
    ]
    if known.one_of and not known.one_of & given.keys():
        wanted = " or ".join(sorted(known.one_of, reverse=True))
        problems.append(f"{key}: without {wanted}, {name} checks nothing. Declare {wanted}.")
    if declared.on_failure == "quarantine" and not known.row_wise:
        problems.append(
            f"{key}.on_failure: 'quarantine' needs an expectation that judges rows one by one, and {name} judges "
            "the table or a column as a whole. Use stop or warn."
        )
    return problems


def _unknown_name(name: str, names: list[str]) -> str:
    if name in UNUSABLE:
        return f"{name!r} cannot be used here: {UNUSABLE[name]}."
    if name.removeprefix("expect_") in names:
        return f"{name!r} carries the prefix expect_; write {name.removeprefix('expect_')!r}."
    close = nearest_names(name.removeprefix("expect_"), names, most=3)
    hint = (
        f"the closest are {', '.join(close)}"
        if close
        else "the names are those of Great Expectations without expect_"
    )
    return f"{name!r} is not an expectation; {hint}. Correct the name."


def _closest(argument: str, known: KnownExpectation) -> str:
    close = nearest(argument, known.arguments())
    return f"; the closest is {close}" if close else ""
