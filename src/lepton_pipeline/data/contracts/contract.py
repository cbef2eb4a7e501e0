"""Check a table against its contract, then enforce the contract.

Checking never fails because an expectation failed, so its outputs are always saved. Enforcing stops the run
or hands on the rows that conform. As Great Expectations defines it, a missing value conforms to every
expectation about one column but `column_values_to_not_be_null`; in expectations about several columns
`ignore_row_if` decides, and by default a pair with one missing value does not conform.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.as_of import label_known, with_time
from lepton_pipeline.data.contracts.checks import (
    EXISTS,
    Check,
    OtherKeys,
    is_number_check,
    other_keys,
    planned_checks,
    reads,
    text_positions,
    with_matches,
)
from lepton_pipeline.data.contracts.chunks import EXAMPLES, Evaluation, Found, quarantining
from lepton_pipeline.data.contracts.result import ContractResult, Example, ExpectationResult
from lepton_pipeline.data.contracts.validation import Verdict, plain_value
from lepton_pipeline.data.labels import label_columns, label_missing
from lepton_pipeline.data.rows import Rows
from lepton_pipeline.errors import ContractError, DataError, closest
from lepton_pipeline.parameters import Contract, Dataset, Features

REASONS = "quarantine_reasons"
_Mask = npt.NDArray[np.bool_]
_LONGEST_LIST = 20


def check_contract(
    table: Rows | pd.DataFrame, dataset: Dataset, contract: Contract, features: Features
) -> tuple[ContractResult, pd.DataFrame, ContractResult]:
    """Evaluate what `dataset` implies and what `contract` declares on every row of `table`.

    A column with a role must exist, a numeric one must hold numbers (a failure stops the run); rows without a
    target are quarantined, unless `positive_when` decides without it. Rows whose label is not known yet (see
    `label_known`) are exempt from checks of the target. An expectation with `mostly` quarantines rows only
    where it fails as a whole. One that Great Expectations fails to evaluate stops the run whatever its
    `on_failure`.

    Returns the result; the quarantined rows with their values and labels, and a last column
    `quarantine_reasons` (lists of texts); and the result again, for the Data Docs.

    Raises:
        ConfigurationError: a declared expectation cannot be understood.
        DataError: the table has a column named `quarantine_reasons`, or repeated index labels.
    """
    checks = planned_checks(contract, "contract", dataset, features.names())
    rows = _usable(table)
    return _check(rows, {}, checks, _judged(rows, checks, dataset, features), contract, "contract")


def check_raw_table(
    table: Rows | pd.DataFrame, contract: Contract, name: str, others: Mapping[str, Rows | pd.DataFrame]
) -> tuple[ContractResult, pd.DataFrame, ContractResult]:
    """Evaluate the contract of the raw table `tables.<name>`; returns as `check_contract`.

    Keys are looked up in `others`, the further raw tables by name.
    """
    key = f"tables.{name}"
    checks = planned_checks(contract, key)
    keys = other_keys(contract, {name: Rows.of(other) for name, other in others.items()})
    return _check(_usable(table), keys, checks, [None] * len(checks), contract, key)


def enforce_contract(
    table: Rows | pd.DataFrame, quarantine: pd.DataFrame, contract_result: ContractResult, contract: Contract
) -> Rows:
    """Stop the run with a ContractError where the contract is broken, and leave quarantined rows out."""
    reasons = Counter(reason for reasons in quarantine[REASONS] for reason in reasons)
    counted = replace(contract_result, rows=len(table), quarantined=len(quarantine))
    require_kept(counted, dict(reasons.most_common()), contract.max_quarantined)
    return Rows.of(table).without(quarantine.index)


def _judged(rows: Rows, checks: list[Check], dataset: Dataset, features: Features) -> list[_Mask | None]:
    """The rows that each check applies to; None: all. Those of the target need a label that is known."""
    if dataset.target not in rows.names:
        # The contract reports it.
        return [None] * len(checks)
    table = rows.frame(label_columns(rows.names, dataset, features.derive))
    missing = table[dataset.target].isna()
    known = label_known(table, dataset)
    if dataset.time not in table.columns and dataset.label_delay and missing.any():
        # A time that is derived is asked for only where it decides: what breaks the contract may have none.
        known = known.mask(missing, label_known(with_time(table[missing], dataset, features.derive), dataset))
    known_rows = known.to_numpy(bool)
    unsettled = known_rows & ~(missing & ~label_missing(table, dataset)).to_numpy(bool)
    judged: list[_Mask | None] = []
    for check in checks:
        rows_of_check = unsettled if check.key == "dataset.target" else known_rows
        of_target = check.expect != EXISTS and reads(check, {dataset.target})
        judged.append(rows_of_check if of_target and not rows_of_check.all() else None)
    return judged


def _check(
    table: Rows,
    keys: OtherKeys,
    checks: list[Check],
    judged: list[_Mask | None],
    contract: Contract,
    key: str,
) -> tuple[ContractResult, pd.DataFrame, ContractResult]:
    """Evaluate and report `checks`, some of them on `keys` of other tables."""
    found = _find(table, keys, checks, judged)
    reasons: dict[int, list[str]] = {}
    for at, positions in quarantining(checks, found):
        for position in positions.tolist():
            reasons.setdefault(position, []).append(checks[at].sentence)
    rows = table.take(sorted(reasons))
    texts = pd.Series([reasons[each] for each in sorted(reasons)], index=rows.index, dtype=object)
    quarantine = rows.assign(**{REASONS: texts})
    reported = [
        report_check(
            table.take(each.rows[:EXAMPLES]),
            check,
            each.verdict,
            len(table),
            lambda name: table.frame([name])[name],
        )
        for check, each in zip(checks, found, strict=True)
    ]
    result = report_checks(reported, key, len(table), len(quarantine), contract.max_quarantined)
    return result, quarantine, result


def _find(table: Rows, keys: OtherKeys, checks: list[Check], judged: list[_Mask | None]) -> list[Found]:
    groups: dict[bytes | None, list[int]] = {}
    for at, rows in enumerate(judged):
        groups.setdefault(None if rows is None else rows.tobytes(), []).append(at)
    evaluations = [Evaluation([checks[at] for at in positions]) for positions in groups.values()]
    for chunk in table.chunks():
        checked = with_matches(chunk, keys)
        for evaluation, positions in zip(evaluations, groups.values(), strict=True):
            rows = judged[positions[0]]
            evaluation.add(checked if rows is None else checked[rows[chunk.index.to_numpy()]])
    found: dict[int, Found] = {}
    for evaluation, positions in zip(evaluations, groups.values(), strict=True):
        found |= zip(positions, evaluation.found(), strict=True)
    return [found[at] for at in range(len(checks))]


def _usable(table: Rows | pd.DataFrame) -> Rows:
    rows = Rows.of(table)
    if REASONS in rows.names:
        raise DataError(f"column {REASONS!r} has a name that quarantined rows need. Rename the column.")
    if not rows.index.is_unique:
        label = plain_value(rows.index[rows.index.duplicated()][0])
        raise DataError(f"index label {label!r} repeats, so no row can be quarantined. Reset the index.")
    return rows


def report_checks(
    reported: list[ExpectationResult], key: str, rows: int, quarantined: int, max_quarantined: float
) -> ContractResult:
    """Put the result of a contract together."""
    stops, warnings = [], []
    for each in reported:
        if each.error is not None or (each.on_failure == "stop" and each.evaluated and not each.success):
            stops.append(each.message)
        elif each.on_failure == "warn" and not each.success:
            warnings.append(each.message)
    success = not stops and _fraction(quarantined, rows) <= max_quarantined
    return ContractResult(key, success, rows, quarantined, max_quarantined, stops, warnings, reported)


def report_check(
    shown: pd.DataFrame, check: Check, verdict: Verdict, rows: int, column: Callable[[str], pd.Series]
) -> ExpectationResult:
    """Report one check of `rows` rows, of which `column` gives a column.

    `shown` holds those that do not conform, the first `EXAMPLES` of them.
    """
    examples = [
        Example(plain_value(row), _value(shown, at, check.columns)) for at, row in enumerate(shown.index)
    ]
    return ExpectationResult(
        expect=check.expect,
        columns=list(check.columns),
        arguments={name: _short(value) for name, value in check.arguments.items()},
        on_failure=check.on_failure,
        declared=check.key,
        sentence=check.sentence,
        success=verdict.success,
        evaluated=verdict.evaluated,
        unexpected=verdict.unexpected,
        unexpected_fraction=None if verdict.unexpected is None else _fraction(verdict.unexpected, rows),
        examples=examples,
        message=_message(shown, check, verdict, examples, rows, column),
        error=verdict.error,
    )


def require_kept(result: ContractResult, reasons: Mapping[str, int], max_quarantined: float) -> None:
    """Raise a ContractError with every reason where a contract is broken.

    `reasons` counts quarantined rows, the most frequent first.
    """
    problems, key = [], result.contract
    if result.stops:
        blocked = sum(not each.evaluated and each.error is None for each in result.expectations)
        skipped = f"Not evaluated, because a column is named above: {blocked}. " if blocked else ""
        tail = f"{skipped}Correct the data, or the expectation, or its on_failure (stop, quarantine, warn)."
        problems.append(_bulleted("The data breaks its contract", result.stops, tail))
    share = _fraction(result.quarantined, result.rows)
    if share > max_quarantined:
        counted = [f"{count} × {reason}" for reason, count in reasons.items()]
        head = (
            f"{result.quarantined} of {result.rows} rows ({share:.2%}) are quarantined, more than "
            f"{key}.max_quarantined = {max_quarantined:g} allows"
        )
        tail = f"Correct the data or the expectations, or raise {key}.max_quarantined."
        problems.append(_bulleted(head, counted, tail))
    if problems:
        raise ContractError("\n".join(problems), key)


def _message(
    table: pd.DataFrame,
    check: Check,
    verdict: Verdict,
    examples: list[Example],
    rows: int,
    column: Callable[[str], pd.Series],
) -> str:
    unexpected = verdict.unexpected
    where = f"{check.sentence} ({check.key})"
    if verdict.blocked is not None:
        return f"{where}: not evaluated: {verdict.blocked}."
    if verdict.error is not None:
        return (
            f"{where} could not be evaluated, so it does not count as passed: {verdict.error.rstrip('.')}. "
            f"{_no_numbers(table, check, column)}Correct its arguments, or declare what the column holds."
        )
    if check.expect == EXISTS and not verdict.success:
        name = check.columns[0]
        hint = closest(name, table.columns)
        return f"column {name!r} ({check.key}) is absent; {hint}. Correct the name or the data."
    if unexpected is None:
        seen = "" if verdict.observed is None else f": the table shows {verdict.observed!r}"
        return f"{where}: passed." if verdict.success else f"{where} does not hold{seen}."
    shown = ", ".join(f"{each.value!r} (row {each.row})" for each in examples)
    counted = f"{unexpected} of {rows} rows ({_fraction(unexpected, rows):.2%})"
    if is_number_check(check) and not verdict.success:
        name = check.columns[0]
        numeric = f"column {name!r} is declared numeric ({check.key})"
        if not unexpected:
            return (
                f"{numeric}, but has no value in any of {rows} rows. Provide its values, or do not declare the column "
                "numeric."
            )
        return (
            f"{numeric} and is of type {table[name].dtype}: "
            f"{counted} hold no number{f', e.g. {shown}' if shown else ''}. Correct the values, list their text under "
            "ingestion.missing, declare how numbers are written (ingestion.decimal, thousands, units), or do not "
            "declare the column numeric."
        )
    if not verdict.success:
        return f"{where}: {counted} do not conform, e.g. {shown}."
    return f"{where}: passed{f'; {counted} do not conform, which is tolerated' if unexpected else ''}."


def _no_numbers(table: pd.DataFrame, check: Check, column: Callable[[str], pd.Series]) -> str:
    """Which values are not numbers, where an expectation about numbers failed."""
    name = check.columns[0] if len(check.columns) == 1 else ""
    bounds = [check.arguments.get(bound) for bound in ("min_value", "max_value")]
    if name not in table.columns or not any(isinstance(bound, int | float) for bound in bounds):
        return ""
    values = column(name)
    texts = text_positions(values)
    if not texts:
        return ""
    row, value = plain_value(values.index[texts[0]]), plain_value(values.iloc[texts[0]])
    return (
        f"{len(texts)} of {len(values)} values of column {name!r} are no numbers, e.g. {value!r} (row {row}): correct "
        "them, or list their text under ingestion.missing. "
    )


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
