"""Training defaults that depend on the size of the table."""

from __future__ import annotations


def batch_size(rows: int) -> int:
    """Rows a step: large tables need no noisier steps."""
    return 256 if rows < 32_000 else 512 if rows <= 108_000 else 1024


def embedding(columns: int) -> int:
    """Embedding size of a column: smaller in wide tables, to limit the first layer."""
    return max(1, min(4, 1600 // max(columns, 1)))


def networks_by_time(rows: int) -> int:
    """Networks from different initial weights without folds: fewer in large tables, where they agree."""
    return 4 if rows <= 20_000 else 2 if rows <= 60_000 else 1
