"""Records of columns, light enough for printing."""

from __future__ import annotations

from dataclasses import dataclass, field

NUMBER, CATEGORY, DATE, OTHERS, UNUSED = "number", "category", "date", "through others", "not used"
# What only the vertical's own code has seen.
BY_CODE = "by the vertical's own code"


@dataclass(frozen=True)
class Column:
    """One column from the files to the model.

    Attributes:
        kind: type as read: "whole number", "number", "text", "date", "date with zone", "duration", "true or
            false", or "no value" if every value is missing.
        role: declared role; "feature" without one; "derived" or "window" for a computed column; "raw" for a
            column of a raw table that the vertical's nodes did not take over.
        distinct: number of different values; None if not counted.
        used_as: `NUMBER` or `CATEGORY` if the model reads it; `DATE` or `OTHERS` if only through computed
            columns; `UNUSED`; or `BY_CODE`.
        through: computed columns that lead to the model.
        why_not: why the model does not read the column itself; else empty.
        notes: decisions made when it was read.
        table: raw table of a column with the role "raw".
    """

    name: str
    kind: str
    role: str
    missing: int
    missing_share: float
    distinct: int | None
    used_as: str
    through: list[str] = field(default_factory=list)
    why_not: str = ""
    notes: list[str] = field(default_factory=list)
    table: str = ""


@dataclass(frozen=True)
class Columns:
    """Columns of the training, validation and test rows, then those of raw tables that their table lacks."""

    rows: int = 0
    columns: list[Column] = field(default_factory=list)
