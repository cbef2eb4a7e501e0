"""Evaluate a contract chunk by chunk, with the same result as at once.

Expectations about single rows are counted over the chunks. Unique keys are compared by hashes of all rows.
The columns of every other expectation (a mean, values that increase) are held whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.contracts.checks import (
    EXISTS,
    Check,
    holds_numbers,
    is_for_people,
    is_number_check,
    planned_checks,
    reads,
    text_positions,
    unmet_prerequisites,
)
from lepton_pipeline.data.contracts.expectations import known_expectation
from lepton_pipeline.data.contracts.report import EXAMPLES
from lepton_pipeline.data.contracts.unique import UNIQUE, UniqueKeys
from lepton_pipeline.data.contracts.validation import Verdict, evaluate_checks
from lepton_pipeline.parameters import Contract, Dataset

Rows = npt.NDArray[np.int64]
# One type in all chunks: the first one tells.
_OF_TYPES = {EXISTS, "column_values_to_be_of_type", "column_values_to_be_in_type_list"}
# They name rows, but judge a row by others.
_OF_NEIGHBOURS = {
    "column_values_to_be_decreasing",
    "column_values_to_be_increasing",
    "column_value_z_scores_to_be_less_than",
}
# The columns of a table that has labels; of new rows, only those that are needed must be there.
_OF_HEADERS = ("table_column",)


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
        if _is_implied(check, contract):
            # That columns exist has been asked of the headers.
            if is_number_check(check) and not absent.intersection(check.columns):
                checks.append(check)
        elif check.expect.startswith(_OF_HEADERS) or reads(
            check, {dataset.target} if check.expect == EXISTS else absent | {dataset.target}
        ):
            left_out.append(check)
        else:
            checks.append(check)
    return checks, left_out


def _is_implied(check: Check, contract: Contract) -> bool:
    if not check.key.startswith("contract."):
        return True
    declared = contract.expectations[int(check.key.partition("[")[2].rstrip("]"))]
    return check.expect == EXISTS and declared.expect != EXISTS


@dataclass
class Found:
    """Result of one check.

    Attributes:
        verdict: as for a whole table, but with positions in `evidence`.
        rows: numbers of all rows that do not conform, ascending.
        evidence: the first of them; None where they have yet to be looked up.
    """

    verdict: Verdict
    rows: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    evidence: pd.DataFrame | None = None


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
        self._configurations: list[Any] = []
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
        _judge([tally for tally in self._tallies if isinstance(tally, _Whole)])
        found = [tally.found() for tally in self._tallies]
        return [
            replace(each, verdict=replace(each.verdict, configuration=configuration))
            for each, configuration in zip(found, self._configurations, strict=True)
        ]

    def _take(self, chunk: pd.DataFrame) -> None:
        checks = self._checks
        if not self._tallies:
            blocked = unmet_prerequisites(chunk, checks)
            later = {at: "" for at, check in enumerate(checks) if check.expect not in _OF_TYPES}
            first = evaluate_checks(chunk, checks, later | blocked)
            self._configurations = [verdict.configuration for verdict in first]
            self._tallies = [_tally(each, first[at], at in blocked, chunk) for at, each in enumerate(checks)]
        local = [tally for tally in self._tallies if isinstance(tally, _Counted)]
        verdicts = evaluate_checks(chunk, [tally.strict for tally in local], {}) if local else []
        for counted, verdict in zip(local, verdicts, strict=True):
            counted.count(chunk, verdict)
        for tally in self._tallies:
            tally.add(chunk)


def _tally(check: Check, verdict: Verdict, blocked: bool, first: pd.DataFrame) -> _Tally:
    if blocked:
        return _Settled(verdict, first)
    if is_number_check(check):
        return _Numbers(check, first)
    if check.expect in _OF_TYPES:
        return _Settled(verdict, first)
    condition = str(check.arguments.get("row_condition") or "")
    if check.expect in UNIQUE and not condition:
        return _Unique(check)
    # A condition that calls a function may look at all rows, as in `x > x.mean()`.
    judges_rows = known_expectation(check.expect).row_wise and check.expect not in {*_OF_NEIGHBOURS, *UNIQUE}
    if judges_rows and "(" not in condition:
        return _Counted(check)
    read = [name for name in map(str, first.columns) if name in check.columns or name in condition]
    return _Whole(check, read)


class _Tally(ABC):
    """The state of one check."""

    def add(self, chunk: pd.DataFrame) -> None:  # noqa: B027  # nothing more to know, by default
        """Take in a chunk."""

    @abstractmethod
    def found(self) -> Found:
        """What was found in all chunks."""


class _Settled(_Tally):
    """A check that the first chunk decides."""

    def __init__(self, verdict: Verdict, first: pd.DataFrame) -> None:
        self._found = Found(replace(verdict, positions=[]), evidence=first.head(EXAMPLES))

    def found(self) -> Found:
        return self._found


class _Numbers(_Tally):
    """The implied check that a column holds numbers."""

    def __init__(self, check: Check, first: pd.DataFrame) -> None:
        self._column = check.columns[0]
        self._holds = holds_numbers(first[self._column])
        # What is no number at all; what is one as people write it; what is one, but not written as declared.
        self._rows: tuple[list[int], list[int], list[int]] = ([], [], [])
        self._evidence = [first.head(0)] * 3

    def add(self, chunk: pd.DataFrame) -> None:
        if self._holds:
            return
        column = chunk[self._column]
        texts = text_positions(column)
        people = {position for position in texts if is_for_people(column.iloc[position])}
        plain = sorted(set(np.flatnonzero(column.notna()).tolist()) - set(texts))
        odd = [each for each in texts if each not in people]
        for at, positions in enumerate((odd, sorted(people), plain)):
            self._rows[at].extend(chunk.index[positions])
            self._evidence[at] = _more(self._evidence[at], chunk.iloc[positions])

    def found(self) -> Found:
        """Only the worst of the three: good numbers are text because of these."""
        worst = next((at for at, rows in enumerate(self._rows) if rows), 0)
        rows, evidence = np.array(self._rows[worst], np.int64), self._evidence[worst]
        verdict = Verdict(self._holds, unexpected=len(rows), positions=list(range(len(evidence))))
        return Found(verdict, rows, evidence)


class _Counted(_Tally):
    """An expectation about single rows."""

    def __init__(self, check: Check) -> None:
        self.check = check
        # Judged over all rows, not in each chunk.
        arguments = {name: value for name, value in check.arguments.items() if name != "mostly"}
        self.strict = replace(check, arguments=arguments)
        self._error: str | None = None
        self._considered = self._unexpected = 0
        self._details: list[dict[str, Any]] = []
        self._rows: list[Rows] = []
        self._evidence: pd.DataFrame | None = None

    def count(self, chunk: pd.DataFrame, verdict: Verdict) -> None:
        if self._evidence is None or (verdict.error and not self._error):
            self._evidence = chunk.head(EXAMPLES) if verdict.error else chunk.head(0)
        self._error = self._error or verdict.error
        if self._error:
            return
        self._considered += verdict.details["element_count"] - verdict.details.get("missing_count", 0)
        self._unexpected += verdict.unexpected or 0
        self._details.append(verdict.details)
        self._rows.append(chunk.index.to_numpy()[verdict.positions])
        self._evidence = _more(self._evidence, chunk.iloc[verdict.positions])

    def found(self) -> Found:
        if self._error or self._evidence is None:
            return Found(Verdict(False, False, error=self._error), evidence=self._evidence)
        verdict = Verdict(
            _tolerated(self._unexpected, self._considered, self.check),
            unexpected=self._unexpected,
            positions=list(range(len(self._evidence))),
            details=_counted_details(self._details),
        )
        return Found(verdict, np.concatenate(self._rows), self._evidence)


class _Unique(_Tally):
    """Keys that must not repeat over all rows."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._keys = UniqueKeys(list(check.columns), check.arguments)
        self._elements = 0

    def add(self, chunk: pd.DataFrame) -> None:
        self._keys.add(chunk)
        self._elements += len(chunk)

    def found(self) -> Found:
        rows = self._keys.repeated()
        success = _tolerated(len(rows), self._keys.considered, self._check)
        missing = self._elements - self._keys.considered
        counts = {"element_count": self._elements, "missing_count": missing, "unexpected_count": len(rows)}
        details = _shares(counts)
        shown = list(range(min(len(rows), EXAMPLES)))
        return Found(Verdict(success, unexpected=len(rows), positions=shown, details=details), rows)


class _Whole(_Tally):
    """An expectation about whole columns, which are held until the end."""

    def __init__(self, check: Check, columns: list[str]) -> None:
        self.check = check
        self.columns = columns
        self.parts: list[pd.DataFrame] = []
        self.verdict = Verdict(False, False)
        self.numbers: Rows = np.empty(0, np.int64)

    def add(self, chunk: pd.DataFrame) -> None:
        # Without a column, there is nothing to count rows by.
        none = pd.DataFrame({"": np.int8(0)}, chunk.index)
        self.parts.append(chunk[self.columns] if self.columns else none)

    def found(self) -> Found:
        rows = np.sort(self.numbers[self.verdict.positions])
        return Found(replace(self.verdict, positions=list(range(min(len(rows), EXAMPLES)))), rows)


def _judge(held: list[_Whole]) -> None:
    """Evaluate the held checks, those on the same columns at once."""
    for columns in {tuple(tally.columns) for tally in held}:
        same = [tally for tally in held if tuple(tally.columns) == columns]
        whole = pd.concat(same[0].parts)
        verdicts = evaluate_checks(whole, [tally.check for tally in same], {})
        for tally, verdict in zip(same, verdicts, strict=True):
            tally.verdict, tally.numbers, tally.parts = verdict, whole.index.to_numpy(), []


def _counted_details(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """Great Expectations' counts over all chunks; the examples are those of the first chunk with some."""
    if len(chunks) == 1:
        return chunks[0]
    first = next((each for each in chunks if each.get("unexpected_count")), chunks[0])
    names = ("element_count", "missing_count", "unexpected_count")
    return _shares({**first, **{name: sum(each.get(name, 0) for each in chunks) for name in names}})


def _shares(details: dict[str, Any]) -> dict[str, Any]:
    """Add the percentages that Great Expectations' pages show."""
    elements, missing, unexpected = (details[f"{of}_count"] for of in ("element", "missing", "unexpected"))
    share = 100 * unexpected / max(elements - missing, 1)
    return {
        **details,
        "missing_percent": 100 * missing / max(elements, 1),
        "unexpected_percent": share,
        "unexpected_percent_total": 100 * unexpected / max(elements, 1),
        "unexpected_percent_nonmissing": share,
    }


def _tolerated(unexpected: int, considered: int, check: Check) -> bool:
    """Great Expectations' rule for `mostly`: a fraction of the rows without a missing value."""
    mostly = check.arguments.get("mostly", 1.0)
    return considered == 0 or (considered - unexpected) / considered >= mostly


def _more(evidence: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    wanted = EXAMPLES - len(evidence)
    return pd.concat([evidence, rows.head(wanted)]) if wanted and len(rows) else evidence
