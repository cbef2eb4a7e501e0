"""Records of columns, light enough for printing."""

from __future__ import annotations

from dataclasses import dataclass, field

NUMBER, CATEGORY, TEXT = "number", "category", "text"
DATE, OTHERS, UNUSED = "date", "through others", "not used"
# What only the vertical's own code has seen.
BY_CODE = "by the vertical's own code"


@dataclass(frozen=True)
class Column:
    """One column from the files to the model."""

    name: str
    # type as read: "whole number", "number", "text", "date", "date with zone", "duration", "true or false",
    # or "no value" if every value is missing
    kind: str
    # declared role; "feature" without one; "derived" or "window" for a computed column; "raw" for a column of
    # a raw table that the vertical's nodes did not take over
    role: str
    missing: int
    missing_share: float
    distinct: int | None  # number of different values; None if not counted
    # `NUMBER`, `CATEGORY` or `TEXT` if the model reads it; `DATE` or `OTHERS` if only through computed columns;
    # `UNUSED`; or `BY_CODE`
    used_as: str
    through: list[str] = field(default_factory=list)  # computed columns that lead to the model
    why_not: str = ""  # why the model does not read the column itself; else empty
    notes: list[str] = field(default_factory=list)  # decisions made when it was read
    table: str = ""  # raw table of a column with the role "raw"


@dataclass(frozen=True)
class Columns:
    """Columns of the training, validation and test rows, then those of raw tables that their table lacks."""

    rows: int = 0
    columns: list[Column] = field(default_factory=list)
