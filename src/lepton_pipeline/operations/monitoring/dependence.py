"""The design effect of autocorrelated rows."""

from __future__ import annotations

import numpy as np

_BATCHES = 30
_FEWEST_IN_A_BATCH = 10


def design_effect(cells: np.ndarray, *, ascending: bool = False) -> float:
    """How many rows in order of time carry as much information on the shares of cells as one independent row.

    The rows are cut into 30 batches of equal length. A cell's share varies between batches of independent
    rows by p (1 - p) / length, and more between batches of autocorrelated rows. The mean over cells of the
    two variances' ratio, weighted as by Rao and Scott (1981), "The Analysis of Categorical Data from Complex
    Sample Surveys", section 3, is the factor by which the chi-square statistic is too large on average.
    Autocorrelation longer than a batch is not seen.

    Args:
        cells: the cell of each row, in order of time; integer [rows], below 0 for a row in no cell.
        ascending: whether cells are bins of a number. The indicator of being below a bound, on which the
            Kolmogorov-Smirnov test rests, is then autocorrelated for longer; the larger effect is returned.

    Returns:
        At least 1; 1 for fewer than 50 rows.
    """
    cells = cells[cells >= 0]
    batches = min(_BATCHES, len(cells) // _FEWEST_IN_A_BATCH)
    if batches < 5:
        return 1.0
    length = len(cells) // batches
    _, codes = np.unique(cells[: batches * length], return_inverse=True)
    number = int(codes.max()) + 1
    if number < 2:
        return 1.0
    batch = np.repeat(np.arange(batches), length)
    shares = np.bincount(batch * number + codes, minlength=batches * number).reshape(batches, number) / length
    effect = length * (shares.var(axis=0, ddof=1) / shares.mean(axis=0)).sum() / (number - 1)
    if ascending:
        below = shares.cumsum(axis=1)[:, :-1]
        mean = below.mean(axis=0)
        effect = max(effect, length * below.var(axis=0, ddof=1).sum() / (mean * (1 - mean)).sum())
    return float(max(effect, 1.0))
