"""What came of a contract; light enough for what only prints it."""

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
    """What came of one expectation.

    Attributes:
        expect: its name, as Great Expectations has it.
        columns: that it reads.
        arguments: by name; a long list only by its length.
        on_failure: "stop", "quarantine" or "warn".
        declared: key path of its declaration.
        sentence: what is to hold.
        success: whether it does.
        evaluated: whether that is known.
        unexpected: rows that do not conform; None for checks of the whole table or column.
        unexpected_fraction: the same as a fraction of all rows.
        examples: the first of these rows.
        message: the result in one sentence.
        error: why it could not be evaluated; None where it was.
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
    """What came of a contract.

    Attributes:
        contract: where it is declared, "contract" or "tables.<name>".
        success: whether it is kept.
        rows: that were checked.
        quarantined: rows among them.
        max_quarantined: largest fraction of rows that may be.
        stops: messages of what stops the run.
        warnings: messages of what does not.
        expectations: one result each.
    """

    contract: str
    success: bool
    rows: int
    quarantined: int
    max_quarantined: float
    stops: list[str]
    warnings: list[str]
    expectations: list[ExpectationResult]
