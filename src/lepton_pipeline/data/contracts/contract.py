"""Check a table against its contract, then enforce the contract.

Checking never fails because an expectation failed, so its outputs are always saved. Enforcing stops the run
or hands on the rows that conform. As Great Expectations defines it, a missing value conforms to every
expectation about one column but `column_values_to_not_be_null`; in expectations about several columns
`ignore_row_if` decides, and by default a pair with one missing value does not conform.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.as_of import label_known, with_time
from lepton_pipeline.data.contracts.checks import (
    EXISTS,
    Check,
    OtherKeys,
    other_keys,
    planned_checks,
    reads,
    with_matches,
)
from lepton_pipeline.data.contracts.chunks import Evaluation, Found, quarantining
from lepton_pipeline.data.contracts.expectations import check_declarations
from lepton_pipeline.data.contracts.report import EXAMPLES, report_check, report_checks, require_kept
from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.contracts.validation import plain_value
from lepton_pipeline.data.labels import label_columns, label_missing
from lepton_pipeline.data.rows import Rows
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.parameters import Contract, Dataset, Features

REASONS = "quarantine_reasons"


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
    _require_declared(contract, "contract")
    checks = planned_checks(contract, "contract", dataset, features.names())
    rows = _usable(table)
    return _check(rows, {}, checks, contract, "contract", _without_label(rows, dataset, features))


def check_raw_table(
    table: Rows | pd.DataFrame, contract: Contract, name: str, others: Mapping[str, Rows | pd.DataFrame]
) -> tuple[ContractResult, pd.DataFrame, ContractResult]:
    """Evaluate the contract of the raw table `tables.<name>`; returns as `check_contract`.

    Keys are looked up in `others`, the further raw tables by name.
    """
    key = f"tables.{name}"
    _require_declared(contract, key)
    keys = other_keys(contract, {name: Rows.of(other) for name, other in others.items()})
    return _check(_usable(table), keys, planned_checks(contract, key), contract, key)


def enforce_contract(
    table: Rows | pd.DataFrame, quarantine: pd.DataFrame, contract_result: ContractResult, contract: Contract
) -> Rows:
    """Stop the run with a ContractError where the contract is broken, and leave quarantined rows out."""
    reasons = Counter(reason for reasons in quarantine[REASONS] for reason in reasons)
    counted = replace(contract_result, rows=len(table), quarantined=len(quarantine))
    require_kept(counted, dict(reasons.most_common()), contract.max_quarantined)
    return Rows.of(table).without(quarantine.index)


@dataclass(frozen=True)
class _Label:
    """The target, rows whose label is not known yet, and rows with a label but no target."""

    target: str
    waits: npt.NDArray[np.bool_]
    settled: npt.NDArray[np.bool_]

    def judged(self, check: Check) -> npt.NDArray[np.bool_] | None:
        """The rows that a check applies to; None: all."""
        left_out = self.waits
        if check.key == "dataset.target" and check.expect != EXISTS:
            left_out = self.waits | self.settled
        elif check.expect == EXISTS or not reads(check, {self.target}):
            return None
        return ~left_out if left_out.any() else None


def _without_label(rows: Rows, dataset: Dataset, features: Features) -> _Label | None:
    """None where the target is absent, which the contract reports."""
    if dataset.target not in rows.names:
        return None
    table = rows.frame(label_columns(rows.names, dataset, features.derive))
    missing = table[dataset.target].isna()
    known = label_known(table, dataset)
    if dataset.time not in table.columns and dataset.label_delay and missing.any():
        # A time that is derived is asked for only where it decides: what breaks the contract may have none.
        known = known.mask(missing, label_known(with_time(table[missing], dataset, features.derive), dataset))
    settled = missing & ~label_missing(table, dataset)
    return _Label(dataset.target, ~known.to_numpy(bool), settled.to_numpy(bool))


def _check(
    table: Rows,
    keys: OtherKeys,
    checks: list[Check],
    contract: Contract,
    key: str,
    label: _Label | None = None,
) -> tuple[ContractResult, pd.DataFrame, ContractResult]:
    """Evaluate and report `checks`, some of them on `keys` of other tables."""
    found = _find(table, keys, checks, label)
    quarantine = _quarantined_rows(table, checks, found)
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


def _find(table: Rows, keys: OtherKeys, checks: list[Check], label: _Label | None) -> list[Found]:
    """Evaluate each check on the rows that it applies to."""
    judged = [None if label is None else label.judged(check) for check in checks]
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


def _require_declared(contract: Contract, key: str) -> None:
    if problems := check_declarations(contract, key):
        raise ConfigurationError("\n".join(problems))


def _usable(table: Rows | pd.DataFrame) -> Rows:
    rows = Rows.of(table)
    if REASONS in rows.names:
        raise DataError(f"column {REASONS!r} has a name that quarantined rows need. Rename the column.")
    if not rows.index.is_unique:
        label = plain_value(rows.index[rows.index.duplicated()][0])
        raise DataError(f"index label {label!r} repeats, so no row can be quarantined. Reset the index.")
    return rows


def _quarantined_rows(table: Rows, checks: list[Check], found: list[Found]) -> pd.DataFrame:
    reasons: dict[int, list[str]] = {}
    for at, positions in quarantining(checks, found):
        for position in positions.tolist():
            reasons.setdefault(position, []).append(checks[at].sentence)
    numbers = sorted(reasons)
    rows = table.take(numbers)
    texts = pd.Series([reasons[each] for each in numbers], index=rows.index, dtype=object)
    return rows.assign(**{REASONS: texts})
