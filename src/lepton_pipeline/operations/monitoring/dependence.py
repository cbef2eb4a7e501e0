"""How far rows that follow each other in time hang together, so that they tell less than as many independent ones."""

from __future__ import annotations

import numpy as np

_BATCHES = 30
_FEWEST_IN_A_BATCH = 10


def design_effect(cells: np.ndarray, *, ascending: bool = False) -> float:
    """How many rows in order of time tell as much of the shares of cells as one independent row does.

    The rows are cut into 30 batches of equal length; a cell's share varies between batches of independent
    rows by p (1 - p) / length, and more where rows hang together. The mean over cells of the two variances'
    ratio, weighted as by Rao and Scott (1981), "The Analysis of Categorical Data from Complex Sample
    Surveys", section 3, is what the chi-square statistic of dependent rows is too large by on average.
    Dependence longer than a batch is not seen.

    Args:
        cells: the cell of each row, in order of time; integer [rows], below 0 for a row that is in none.
        ascending: whether cells are bins of a number. Being below a bound then hangs together longer than
            being in a bin, and the Kolmogorov-Smirnov test is about the former: the larger of the two effects
            is given.

    Returns:
        At least 1; 1 for fewer than 50 rows, too few to tell.
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
