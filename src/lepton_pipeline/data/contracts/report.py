"""Report the checks of a contract in words and in JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from lepton_pipeline.data.contracts.checks import EXISTS, Check, is_number_check, text_positions
from lepton_pipeline.data.contracts.result import ContractResult, Example, ExpectationResult
from lepton_pipeline.data.contracts.validation import Verdict, plain_value
from lepton_pipeline.errors import ContractError, closest

EXAMPLES = 5
_LONGEST_LIST = 20


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
    success = not stops and fraction(quarantined, rows) <= max_quarantined
    return ContractResult(key, success, rows, quarantined, max_quarantined, stops, warnings, reported)


def report_check(
    shown: pd.DataFrame,
    check: Check,
    verdict: Verdict,
    rows: int,
    column: Callable[[str], pd.Series],
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
        unexpected_fraction=None if verdict.unexpected is None else fraction(verdict.unexpected, rows),
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
        problems.append(_bulleted("The data breaks its contract", result.stops, _skipped(result)))
    share = fraction(result.quarantined, result.rows)
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
    counted = f"{unexpected} of {rows} rows ({fraction(unexpected, rows):.2%})"
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


def _skipped(result: ContractResult) -> str:
    blocked = sum(not each.evaluated and each.error is None for each in result.expectations)
    skipped = f"Not evaluated, because a column is named above: {blocked}. " if blocked else ""
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


def fraction(part: int, whole: int) -> float:
    """Part of a whole; 0 of nothing."""
    return part / whole if whole else 0.0
