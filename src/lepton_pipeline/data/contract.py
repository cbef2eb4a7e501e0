"""Check a table against its contract, then enforce the contract.

Checking never fails because an expectation failed, so its three outputs (result, quarantine, Data Docs) are always
saved. Enforcing stops the run or hands on the rows that conform. A missing value conforms to every expectation about
the values of one column, as Great Expectations defines it, except `column_values_to_not_be_null`; in expectations about
several columns `ignore_row_if` decides, and by default a pair with one missing value does not conform.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pandas as pd

from lepton_pipeline.data.checks import (
    EXISTS,
    Check,
    holds_numbers,
    is_number_check,
    planned_checks,
    text_positions,
    unmet_prerequisites,
    with_key_matches,
)
from lepton_pipeline.data.columns import closest
from lepton_pipeline.data.data_docs import build_data_docs
from lepton_pipeline.data.expectations import check_declarations
from lepton_pipeline.data.validation import Verdict, evaluate_checks, plain_value
from lepton_pipeline.errors import ConfigurationError, ContractError, DataError
from lepton_pipeline.parameters import Contract, Dataset, Features

REASONS = "quarantine_reasons"
_EXAMPLES = 5
_LONGEST_LIST = 20


def check_contract(
    table: pd.DataFrame, dataset: Dataset, contract: Contract, features: Features
) -> tuple[dict[str, Any], pd.DataFrame, dict[str, bytes]]:
    """Evaluate what `dataset` implies and what `contract` declares on every row of `table`.

    Args:
        table: typed rows; index labels must not repeat.
        dataset: roles of columns. A column with a role must exist, a numeric one must hold numbers (a failure stops the
            run); rows without a target are quarantined.
        contract: expectations. One with `mostly` quarantines rows only where it fails as a whole. One that Great
            Expectations fails to evaluate stops the run whatever its `on_failure`, for it says nothing about the data.
        features: columns that are made later, so that they need not exist yet.

    Returns:
        The result, ready for JSON: `contract` (where it is declared), `success`, `rows`, `quarantined`,
        `max_quarantined` (a fraction), `stops` and `warnings` (messages), `expectations`: a list of `expect`,
        `columns`, `arguments`, `on_failure`, `declared` (key path), `sentence`, `success`, `evaluated`, `unexpected`
        (rows; None for checks of the whole table or column), `unexpected_fraction`, `examples` (at most 5 of `row`, an
        index label, and `value`), `message`, `error`.
        The quarantined rows with their original values and index labels, and a last column `quarantine_reasons`, a list
        of texts a row. The pages of Data Docs by relative path; the first to open is `index.html`.

    Raises:
        ConfigurationError: a declared expectation cannot be understood.
        DataError: the table has a column named `quarantine_reasons`, or repeated index labels.
    """
    _require_declared(contract, "contract")
    checks = planned_checks(contract, "contract", dataset, features.names())
    return _check(table, table, checks, contract, "contract")


def check_raw_table(
    table: pd.DataFrame, contract: Contract, name: str, others: dict[str, pd.DataFrame]
) -> tuple[dict[str, Any], pd.DataFrame, dict[str, bytes]]:
    """Evaluate the contract of one raw table.

    Args:
        table: typed rows; index labels must not repeat.
        contract: expectations, `keys_to_exist_in_table` among them.
        name: of the table, as `tables.<name>` declares it.
        others: further raw tables by name, in which keys are looked up.

    Returns:
        As `check_contract`.

    Raises:
        ConfigurationError: a declared expectation cannot be understood, or names an unknown table.
        DataError: as `check_contract`, or a key column is absent from the other table.
    """
    key = f"tables.{name}"
    _require_declared(contract, key)
    return _check(table, with_key_matches(table, contract, others), planned_checks(contract, key), contract, key)


def enforce_contract(
    table: pd.DataFrame, quarantine: pd.DataFrame, contract_result: dict[str, Any], contract: Contract
) -> pd.DataFrame:
    """Stop the run where the contract is broken, and leave quarantined rows out.

    Args:
        table: the rows that were checked.
        quarantine: the quarantined ones among them, with `quarantine_reasons`.
        contract_result: what `check_contract` found.
        contract: gives the largest fraction of rows that may be quarantined.

    Returns:
        The rows of `table` that are not quarantined, with their index labels.

    Raises:
        ContractError: an expectation with `on_failure: stop` failed, one could not be evaluated, or too many rows are
            quarantined. The message lists every reason.
    """
    problems, key = [], contract_result["contract"]
    if contract_result["stops"]:
        problems.append(_bulleted("The data breaks its contract", contract_result["stops"], _skipped(contract_result)))
    fraction = _fraction(len(quarantine), len(table))
    if fraction > contract.max_quarantined:
        reasons = Counter(reason for reasons in quarantine[REASONS] for reason in reasons)
        counted = [f"{count} × {reason}" for reason, count in reasons.most_common()]
        head = (
            f"{len(quarantine)} of {len(table)} rows ({fraction:.2%}) are quarantined, more than "
            f"{key}.max_quarantined = {contract.max_quarantined:g} allows"
        )
        tail = f"Correct the data or the expectations, or raise {key}.max_quarantined."
        problems.append(_bulleted(head, counted, tail))
    if problems:
        raise ContractError("\n".join(problems), key)
    return table[~table.index.isin(quarantine.index)]


def _check(
    table: pd.DataFrame, checked: pd.DataFrame, checks: list[Check], contract: Contract, key: str
) -> tuple[dict[str, Any], pd.DataFrame, dict[str, bytes]]:
    """Evaluate `checks` on `checked`, which is `table` with further columns, and report them in terms of `table`."""
    _require_usable(table)
    found = evaluate_checks(checked, checks, unmet_prerequisites(checked, checks))
    verdicts = [_with_own_type_check(table, *each) for each in zip(checks, found, strict=True)]
    quarantine = _quarantined_rows(table, checks, verdicts)
    reported = [_reported(table, check, verdict) for check, verdict in zip(checks, verdicts, strict=True)]
    stops = [each["message"] for each in reported if _stops(each)]
    result = {
        "contract": key,
        "success": not stops and _fraction(len(quarantine), len(table)) <= contract.max_quarantined,
        "rows": len(table),
        "quarantined": len(quarantine),
        "max_quarantined": contract.max_quarantined,
        "stops": stops,
        "warnings": [each["message"] for each in reported if _warns(each)],
        "expectations": reported,
    }
    return result, quarantine, build_data_docs(result, verdicts)


def _require_declared(contract: Contract, key: str) -> None:
    if problems := check_declarations(contract, key):
        raise ConfigurationError("\n".join(problems))


def _require_usable(table: pd.DataFrame) -> None:
    if REASONS in table.columns:
        raise DataError(f"column {REASONS!r} is in the table, and quarantined rows need that name. Rename the column.")
    if not table.index.is_unique:
        label = plain_value(table.index[table.index.duplicated()][0])
        raise DataError(f"index label {label!r} stands for several rows, so none can be quarantined. Reset the index.")


def _with_own_type_check(table: pd.DataFrame, check: Check, verdict: Verdict) -> Verdict:
    """Let a numeric column fail where pandas does not take it for numbers, and name the values that are not."""
    if not is_number_check(check) or not verdict.evaluated:
        return verdict
    column = table[check.columns[0]]
    if verdict.success and holds_numbers(column):
        return verdict
    positions = text_positions(column)
    return replace(verdict, success=False, positions=positions, unexpected=len(positions))


def _quarantined_rows(table: pd.DataFrame, checks: list[Check], verdicts: list[Verdict]) -> pd.DataFrame:
    reasons: dict[int, list[str]] = {}
    for check, verdict in zip(checks, verdicts, strict=True):
        if check.on_failure == "quarantine" and verdict.evaluated and not verdict.success:
            for position in verdict.positions:
                reasons.setdefault(position, []).append(check.sentence)
    positions = sorted(reasons)
    rows = table.iloc[positions]
    return rows.assign(**{REASONS: pd.Series([reasons[each] for each in positions], index=rows.index, dtype=object)})


def _reported(table: pd.DataFrame, check: Check, verdict: Verdict) -> dict[str, Any]:
    unexpected = verdict.unexpected
    examples = [
        {"row": plain_value(table.index[position]), "value": _value(table, position, check.columns)}
        for position in verdict.positions[:_EXAMPLES]
    ]
    fraction = None if unexpected is None else _fraction(unexpected, len(table))
    return {
        "expect": check.expect,
        "columns": list(check.columns),
        "arguments": {name: _short(value) for name, value in check.arguments.items()},
        "on_failure": check.on_failure,
        "declared": check.key,
        "sentence": check.sentence,
        "success": verdict.success,
        "evaluated": verdict.evaluated,
        "unexpected": unexpected,
        "unexpected_fraction": fraction,
        "examples": examples,
        "message": _message(table, check, verdict, examples),
        "error": verdict.error,
    }


def _stops(reported: dict[str, Any]) -> bool:
    failed_to_evaluate = reported["error"] is not None
    broken = reported["on_failure"] == "stop" and reported["evaluated"] and not reported["success"]
    return failed_to_evaluate or broken


def _warns(reported: dict[str, Any]) -> bool:
    return reported["on_failure"] == "warn" and not reported["success"] and reported["error"] is None


def _message(table: pd.DataFrame, check: Check, verdict: Verdict, examples: list[dict[str, Any]]) -> str:
    unexpected = verdict.unexpected
    where = f"{check.sentence} ({check.key})"
    if verdict.blocked is not None:
        return f"{where}: not evaluated: {verdict.blocked}."
    if verdict.error is not None:
        return (
            f"{where} could not be evaluated, so it does not count as passed: {verdict.error.rstrip('.')}. "
            f"{_no_numbers(table, check)}Correct its arguments, or declare what the column holds."
        )
    if check.expect == EXISTS and not verdict.success:
        column = check.columns[0]
        hint = closest(column, table.columns)
        return f"column {column!r} ({check.key}) is absent; {hint}. Correct the name or the data."
    if unexpected is None:
        seen = "" if verdict.observed is None else f": the table shows {verdict.observed!r}"
        return f"{where}: passed." if verdict.success else f"{where} does not hold{seen}."
    shown = ", ".join(f"{each['value']!r} (row {each['row']})" for each in examples)
    counted = f"{unexpected} of {len(table)} rows ({_fraction(unexpected, len(table)):.2%})"
    if is_number_check(check) and not verdict.success:
        name = check.columns[0]
        if table[name].isna().all():
            return (
                f"column {name!r} is declared numeric ({check.key}), but has no value in any of {len(table)} rows. "
                "Provide its values, or do not declare the column numeric."
            )
        return (
            f"column {name!r} is declared numeric ({check.key}) and is of type {table[name].dtype}: "
            f"{counted} hold no number{f', e.g. {shown}' if shown else ''}. Correct the values, list their text under "
            "ingestion.missing, or do not declare the column numeric."
        )
    if verdict.success:
        return (
            f"{where}: passed."
            if unexpected == 0
            else f"{where}: passed; {counted} do not conform, which is tolerated."
        )
    return f"{where}: {counted} do not conform, e.g. {shown}."


def _no_numbers(table: pd.DataFrame, check: Check) -> str:
    """Which values are none, where an expectation about numbers failed to compare them."""
    name = check.columns[0] if len(check.columns) == 1 else ""
    bounds = [check.arguments.get(bound) for bound in ("min_value", "max_value")]
    if name not in table.columns or not any(isinstance(bound, int | float) for bound in bounds):
        return ""
    texts = text_positions(table[name])
    if not texts:
        return ""
    row, value = plain_value(table.index[texts[0]]), plain_value(table[name].iloc[texts[0]])
    return (
        f"{len(texts)} of {len(table)} values of column {name!r} are no numbers, e.g. {value!r} (row {row}): correct "
        "them, or list their text under ingestion.missing. "
    )


def _skipped(contract_result: dict[str, Any]) -> str:
    blocked = sum(not each["evaluated"] and each["error"] is None for each in contract_result["expectations"])
    skipped = f"Not evaluated, for a column of theirs is named above: {blocked}. " if blocked else ""
    return f"{skipped}Correct the data, or the expectation, or its on_failure (stop, quarantine, warn)."


def _bulleted(head: str, lines: list[str], tail: str) -> str:
    return "\n".join([f"{head}:", *(f"  - {line}" for line in lines), tail])


def _value(table: pd.DataFrame, position: int, columns: tuple[str, ...]) -> Any:
    if len(columns) == 1:
        return plain_value(table[columns[0]].iloc[position])
    return {column: plain_value(table[column].iloc[position]) for column in columns}


def _short(argument: Any) -> Any:
    long = isinstance(argument, list) and len(argument) > _LONGEST_LIST
    return f"{len(argument)} values" if long else plain_value(argument)


def _fraction(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
