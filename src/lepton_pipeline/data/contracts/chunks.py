"""Evaluate a contract chunk by chunk, with the same result as at once.

Expectations about single rows are counted over the chunks. Unique keys are compared by hashes of all rows.
The columns of every other expectation (a mean, values that increase) are held whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.contracts.checks import (
    EXISTS,
    Check,
    is_number_check,
    planned_checks,
    reads,
    text_positions,
    unmet_prerequisites,
)
from lepton_pipeline.data.contracts.expectations import known_expectation
from lepton_pipeline.data.contracts.validation import Verdict, evaluate_checks
from lepton_pipeline.data.texts import FOR_PEOPLE, matches
from lepton_pipeline.parameters import Contract, Dataset

Rows = npt.NDArray[np.int64]
EXAMPLES = 5
_UNIQUE = ("column_values_to_be_unique", "compound_columns_to_be_unique")
_SECOND_KEY, _ALL_MISSING = "lepton_pipeline.", "all_values_are_missing"
# One type in all chunks: the first one tells.
_OF_TYPES = {EXISTS, "column_values_to_be_of_type", "column_values_to_be_in_type_list"}
# Row-wise expectations that judge a row by others.
_OF_NEIGHBOURS = {
    "column_values_to_be_decreasing",
    "column_values_to_be_increasing",
    "column_value_z_scores_to_be_less_than",
}


def scoring_checks(
    contract: Contract, dataset: Dataset, names: Sequence[str]
) -> tuple[list[Check], list[Check]]:
    """The checks that apply to new rows, and the declared ones left out.

    Left out are those that read the target or an absent column, and those on number and names of the columns.
    """
    absent = {name for names_of_role in dataset.roles().values() for name in names_of_role} - set(names)
    absent |= {name for each in contract.expectations for name in each.columns()} - set(names)
    checks, left_out = [], []
    for check in planned_checks(contract, "contract", dataset):
        if check.implied:
            # The headers have been checked for columns.
            if is_number_check(check) and not absent.intersection(check.columns):
                checks.append(check)
        elif check.expect.startswith("table_column") or reads(
            check, {dataset.target} if check.expect == EXISTS else absent | {dataset.target}
        ):
            left_out.append(check)
        else:
            checks.append(check)
    return checks, left_out


@dataclass(frozen=True)
class Found:
    """Result of one check, and the numbers of the rows that do not conform, ascending."""

    verdict: Verdict
    rows: Rows = field(default_factory=lambda: np.empty(0, np.int64))


def quarantining(checks: list[Check], found: list[Found]) -> list[tuple[int, Rows]]:
    """Positions of the failed checks that quarantine rows, and these rows."""
    return [
        (at, each.rows)
        for at, (check, each) in enumerate(zip(checks, found, strict=True))
        if check.on_failure == "quarantine" and each.verdict.evaluated and not each.verdict.success
    ]


class Evaluation:
    """Checks that are evaluated chunk by chunk."""

    def __init__(self, checks: list[Check]) -> None:
        self._checks = checks
        self._tallies: list[_Tally] = []
        self._empty: pd.DataFrame | None = None

    def add(self, chunk: pd.DataFrame) -> None:
        """Take in further typed rows, numbered ascending by the index over all chunks."""
        if len(chunk):
            self._take(chunk)
        else:
            self._empty = chunk

    def found(self) -> list[Found]:
        """The result of each check, in order."""
        if not self._tallies and self._empty is not None:
            self._take(self._empty)
        held = [tally for tally in self._tallies if isinstance(tally, _Whole)]
        # Those on the same columns at once.
        for columns in {tuple(tally.columns) for tally in held}:
            same = [tally for tally in held if tuple(tally.columns) == columns]
            whole = pd.concat(same[0].parts)
            verdicts = evaluate_checks(whole, [tally.check for tally in same], {})
            for tally, verdict in zip(same, verdicts, strict=True):
                tally.judge(verdict, whole.index.to_numpy())
        return [tally.found() for tally in self._tallies]

    def _take(self, chunk: pd.DataFrame) -> None:
        checks = self._checks
        if not self._tallies:
            blocked = unmet_prerequisites(chunk, checks)
            later = {at: "" for at, check in enumerate(checks) if check.expect not in _OF_TYPES}
            first = evaluate_checks(chunk, checks, later | blocked)
            self._tallies = [_tally(each, first[at], at in blocked, chunk) for at, each in enumerate(checks)]
        local = [tally for tally in self._tallies if isinstance(tally, _Counted)]
        verdicts = evaluate_checks(chunk, [tally.strict for tally in local], {})
        for counted, verdict in zip(local, verdicts, strict=True):
            counted.count(chunk, verdict)
        for tally in self._tallies:
            tally.add(chunk)


def _tally(check: Check, verdict: Verdict, blocked: bool, first: pd.DataFrame) -> _Tally:
    if is_number_check(check) and not blocked:
        return _Numbers(check.columns[0])
    if blocked or check.expect in _OF_TYPES:
        return _Tally(Found(verdict))
    condition = str(check.arguments.get("row_condition") or "")
    if check.expect in _UNIQUE and not condition:
        return _Unique(check)
    # A condition that calls a function may look at all rows, as in `x > x.mean()`.
    judges_rows = known_expectation(check.expect).row_wise and check.expect not in {*_OF_NEIGHBOURS, *_UNIQUE}
    if judges_rows and "(" not in condition:
        return _Counted(check)
    read = [name for name in map(str, first.columns) if name in check.columns or name in condition]
    return _Whole(check, read)


class _Tally:
    """The state of one check; the first chunk decides it unless a subclass looks at the others, too."""

    def __init__(self, found: Found) -> None:
        self._found = found

    def add(self, chunk: pd.DataFrame) -> None:
        """Take in a chunk."""

    def found(self) -> Found:
        """The result over all chunks."""
        return self._found


class _Numbers(_Tally):
    """The implied check that a column holds numbers."""

    def __init__(self, column: str) -> None:
        self._column, self._holds = column, True
        # Rows with no number at all, with a formatted one, and with one not written as declared.
        self._rows: tuple[list[int], list[int], list[int]] = ([], [], [])

    def add(self, chunk: pd.DataFrame) -> None:
        column = chunk[self._column]
        self._holds = pd.api.types.is_numeric_dtype(column)
        if self._holds:
            return
        texts = column.iloc[text_positions(column)]
        people = np.array([isinstance(it, str) and matches(FOR_PEOPLE, it) for it in texts], bool)
        plain = column.dropna().index.difference(texts.index)
        for rows, found in zip(self._rows, (texts.index[~people], texts.index[people], plain), strict=True):
            rows.extend(found)

    def found(self) -> Found:
        """Only the worst of the three: good numbers are text because of these."""
        rows = np.array(next(filter(None, self._rows), []), np.int64)
        return Found(Verdict(self._holds, unexpected=len(rows)), rows)


class _Counted(_Tally):
    """An expectation about single rows."""

    def __init__(self, check: Check) -> None:
        self._check = check
        # Judged over all rows, not in each chunk.
        arguments = {name: value for name, value in check.arguments.items() if name != "mostly"}
        self.strict = replace(check, arguments=arguments)
        self._error: str | None = None
        self._considered = self._unexpected = 0
        self._rows: list[Rows] = []

    def count(self, chunk: pd.DataFrame, verdict: Verdict) -> None:
        self._error = self._error or verdict.error
        self._considered += verdict.considered
        self._unexpected += verdict.unexpected or 0
        self._rows.append(chunk.index.to_numpy()[verdict.positions])

    def found(self) -> Found:
        if self._error:
            return Found(Verdict(False, False, error=self._error))
        success = _tolerated(self._unexpected, self._considered, self._check)
        return Found(Verdict(success, unexpected=self._unexpected), np.concatenate(self._rows))


class _Unique(_Tally):
    """Keys that must not repeat over all rows: 16 or 24 bytes each, some three times that while sorted.

    A single number has a hash of its own. Two other keys that differ collide with a probability of about
    2^-128. `ignore_row_if` says for several columns which rows with missing values to skip.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._columns = list(check.columns)
        declared = str(check.arguments.get("ignore_row_if") or _ALL_MISSING)
        self._skip = "any_value_is_missing" if len(self._columns) == 1 else declared
        self._parts: list[tuple[npt.NDArray[Any], ...]] = []
        self._considered = 0

    def add(self, chunk: pd.DataFrame) -> None:
        keys = chunk[self._columns]
        missing = keys.isna()
        if self._skip == "any_value_is_missing":
            keys = keys[~missing.any(axis="columns")]
        elif self._skip == _ALL_MISSING:
            keys = keys[~missing.all(axis="columns")]
        self._considered += len(keys)
        hashes = [pd.util.hash_pandas_object(keys, index=False).to_numpy()]
        if len(self._columns) > 1 or keys.dtypes.iloc[0].kind not in "iufbmM":
            # In another order, for the hash of numbers has no key.
            turned = keys[self._columns[::-1]]
            hashes.append(pd.util.hash_pandas_object(turned, index=False, hash_key=_SECOND_KEY).to_numpy())
        self._parts.append((keys.index.to_numpy(), *hashes))

    def found(self) -> Found:
        """All rows whose key is in another row, too; the keys are dropped."""
        numbers, *hashes = (np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        self._parts = []
        order = np.argsort(hashes[0], kind="stable")
        ordered = hashes[0][order]
        same = ordered[1:] == ordered[:-1]
        candidates = order[np.r_[same, False] | np.r_[False, same]]
        again = pd.DataFrame({at: each[candidates] for at, each in enumerate(hashes)}).duplicated(keep=False)
        rows = np.sort(numbers[candidates[again.to_numpy()]])
        success = _tolerated(len(rows), self._considered, self._check)
        return Found(Verdict(success, unexpected=len(rows)), rows)


class _Whole(_Tally):
    """An expectation about whole columns, which are held until the end."""

    def __init__(self, check: Check, columns: list[str]) -> None:
        self.check = check
        self.columns = columns
        self.parts: list[pd.DataFrame] = []

    def add(self, chunk: pd.DataFrame) -> None:
        # Without a column, there is nothing to count rows by.
        none = pd.DataFrame({"": np.int8(0)}, chunk.index)
        self.parts.append(chunk[self.columns] if self.columns else none)

    def judge(self, verdict: Verdict, numbers: Rows) -> None:
        self._found, self.parts = Found(verdict, np.sort(numbers[verdict.positions])), []


def _tolerated(unexpected: int, considered: int, check: Check) -> bool:
    """Great Expectations' rule for `mostly`: a fraction of the rows without a missing value."""
    mostly = check.arguments.get("mostly", 1.0)
    return considered == 0 or (considered - unexpected) / considered >= mostly
