"""What a training takes where the declaration leaves it open: it follows the rows and columns of the table."""

from __future__ import annotations


def batch_size(rows: int) -> int:
    """Rows a step: larger tables are passed faster, and need no noisier steps."""
    if rows < 32_000:
        return 256
    return 512 if rows <= 108_000 else 1024


def patience(rows: int) -> int:
    """Epochs without a better log loss before stopping: an epoch of a large table is many steps."""
    if rows < 32_000:
        return 12
    return 8 if rows <= 108_000 else 5


def embedding(columns: int) -> int:
    """Numbers that stand for the value of one column: fewer in wide tables, whose first layer would grow too large."""
    return max(1, min(4, 1600 // max(columns, 1)))


def networks_by_time(rows: int) -> int:
    """Networks from different weights where folds cannot be made: fewer in large tables, where they agree."""
    if rows <= 20_000:
        return 4
    return 2 if rows <= 60_000 else 1
