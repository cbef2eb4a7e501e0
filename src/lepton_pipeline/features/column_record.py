"""What became of one column; light enough for what only prints it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NUMBER, CATEGORY, DATE, OTHERS, UNUSED = "number", "category", "date", "through others", "not used"
# What only the vertical's own code has seen.
BY_CODE = "by the vertical's own code"


@dataclass(frozen=True)
class Column:
    """One column from the files to the model.

    Attributes:
        name: of the column.
        kind: type as read: "whole number", "number", "text", "date", "date with zone", "duration", "true or
            false", or "no value" where every value is missing.
        role: "target", "id", "time", "group", "excluded", "sensitive", "numeric" or "category" as declared;
            "feature" without a declared role; "derived" or "window" for what is made of other columns; "raw"
            for a column of a raw table that the vertical's own nodes did not take over.
        missing: rows without a value.
        missing_share: fraction of rows without a value.
        distinct: number of different values; None where it was not counted.
        used_as: `NUMBER` or `CATEGORY` if the model reads it; `DATE` or `OTHERS` if it does so only through
            columns that are made of it; `UNUSED`; or `BY_CODE`.
        through: the columns made of it that reach the model.
        why_not: why the model does not read the column itself; empty where it does.
        notes: what was decided or guessed when it was read.
        table: of a column with the role "raw", its raw table.
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


def read_columns(record: Mapping[str, Any]) -> list[Column]:
    """Read what `describe_columns` gave; nothing where a run kept none."""
    return [Column(**column) for column in record.get("columns", [])]
