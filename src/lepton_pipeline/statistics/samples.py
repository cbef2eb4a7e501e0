"""Random samples of rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SEED = 0


def sample_positions(rows: int, most: int) -> npt.NDArray[np.intp]:
    """Draw at most `most` of the positions 0 .. rows - 1, ascending, with a fixed seed."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(SEED).choice(rows, most, replace=False))
