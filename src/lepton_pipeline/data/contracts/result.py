"""Records of the results of a contract, without heavy imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Example:
    """A row that does not conform: its index label and its value, or values by column."""

    row: Any
    value: Any


@dataclass(frozen=True)
class ExpectationResult:
    """Result of one expectation.

    Attributes:
        arguments: by name; a long list only by its length.
        declared: key path of its declaration.
        evaluated: otherwise `error` says why not, or a prerequisite failed.
        unexpected: rows that do not conform; None for checks of the whole table or column.
        unexpected_fraction: the same as a fraction of all rows.
        examples: the first of these rows.
        message: the result in one sentence.
    """

    expect: str
    columns: list[str]
    arguments: dict[str, Any]
    on_failure: str
    declared: str
    sentence: str
    success: bool
    evaluated: bool
    unexpected: int | None
    unexpected_fraction: float | None
    examples: list[Example]
    message: str
    error: str | None


@dataclass(frozen=True)
class ContractResult:
    """Result of the contract declared at `contract`.

    Attributes:
        rows: checked rows.
        max_quarantined: largest fraction of rows that may be quarantined.
        stops: messages of what stops the run.
        warnings: messages of what does not.
    """

    contract: str
    success: bool
    rows: int
    quarantined: int
    max_quarantined: float
    stops: list[str]
    warnings: list[str]
    expectations: list[ExpectationResult]
