"""What Great Expectations' expectations take, from a snapshot: importing the library would cost seconds.

`tests/data/contracts/known_expectations.py` writes `expectations.json`; a test compares it with the installed
version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
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
# Great Expectations checks nothing where these are left out, or both bounds of a range.
_ONE_OF = {
    "column_values_to_be_in_type_list": frozenset({"type_list"}),
    "table_columns_to_match_ordered_list": frozenset({"column_list"}),
    "table_columns_to_match_set": frozenset({"column_set"}),
}
_BOUNDS = frozenset({"min_value", "max_value"})
_EMPTY = "the list is empty, so nothing is compared. List at least one value, or leave the expectation out."


@dataclass(frozen=True)
class KnownExpectation:
    """Arguments of one expectation, at least one of `one_of`, and whether a failure names rows."""

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


def known_expectation(name: str) -> KnownExpectation:
    """The arguments of one of Great Expectations' expectations, or of our own.

    >>> sorted(known_expectation("column_values_to_be_in_set").required)
    ['column', 'value_set']
    """
    return _known()[name]


@cache
def _known() -> dict[str, KnownExpectation]:
    snapshot = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    own = {"required": ["column_list", "table"], "optional": ["table_columns", "mostly"], "row_wise": True}
    return {
        name: KnownExpectation(
            frozenset(each["required"]),
            frozenset(each["optional"]),
            _BOUNDS if name.endswith("_between") else _ONE_OF.get(name, frozenset()),
            each["row_wise"],
        )
        for name, each in {**snapshot, KEYS_EXIST: own}.items()
    }


def _problems(key: str, declared: Expectation) -> Iterator[str]:
    name = declared.expect
    if name not in _known():
        yield f"{key}.expect: {_unknown_name(name, list(_known()))}"
        return
    known = known_expectation(name)
    given = sorted(declared.arguments().items())
    names = {argument for argument, _ in given}
    takes = f"It takes: {', '.join(known.arguments())}."
    for argument, value in given:
        if argument not in known.arguments():
            close = nearest(argument, known.arguments())
            hint = f"; the closest is {close}" if close else ""
            yield f"{key}.{argument}: {value!r} is given, and {name} has no such argument{hint}. {takes}"
    for argument in sorted(known.required - names):
        yield f"{key}.{argument}: missing, and {name} needs it. {takes}"
    for argument, value in given:
        if value == []:
            yield f"{key}.{argument}: {_EMPTY}"
    for argument, value in given:
        if isinstance(value, dict) and "$PARAMETER" in value:
            yield (
                f"{key}.{argument}: {value!r} is a suite parameter, and nothing sets it here. Write the value itself."
            )
    if known.one_of and not known.one_of & names:
        wanted = " or ".join(sorted(known.one_of, reverse=True))
        yield f"{key}: without {wanted}, {name} checks nothing. Declare {wanted}."
    if declared.on_failure == "quarantine" and not known.row_wise:
        yield (
            f"{key}.on_failure: 'quarantine' needs an expectation that judges rows one by one, and {name} judges "
            "the table or a column as a whole. Use stop or warn."
        )


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
