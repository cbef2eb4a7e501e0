"""Training defaults that depend on the size of the table, and on whether weights are averaged."""

from __future__ import annotations

import math


def batch_size(rows: int) -> int:
    """Rows a step: large tables need no noisier steps."""
    return 256 if rows < 32_000 else 512 if rows <= 108_000 else 1024


def learning_rate(batch_size: int, *, averaged: bool) -> float:
    """Step size: higher where weights are averaged, there by the root of a step's rows.

    Malladi and others, "On the SDEs and scaling rules for adaptive gradient algorithms", NeurIPS 2022.
    """
    return 0.005 * math.sqrt(max(1, batch_size / 256)) if averaged else 0.002


def patience(rows: int, *, averaged: bool) -> int:
    """Epochs without a better loss before stopping.

    Losses of averaged weights turn smoothly; large tables have more steps an epoch.
    """
    return 3 if averaged else 12 if rows < 32_000 else 8 if rows <= 108_000 else 5


def embedding(columns: int) -> int:
    """Embedding size of a column: smaller in wide tables, to limit the first layer."""
    return max(1, min(4, 1600 // max(columns, 1)))


def networks_by_time(rows: int) -> int:
    """Networks from different initial weights without folds: fewer in large tables, where they agree."""
    return 4 if rows <= 20_000 else 2 if rows <= 60_000 else 1
