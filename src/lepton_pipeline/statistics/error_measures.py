"""Metrics of predicted numbers on weighted rows, for all resamples of a bootstrap at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.measures import weigh

# Truth that varies by less, as a share of its mean square, is one value and rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class ErrorRows:
    """Rows of one model: predictions compared with the truth, [rows] each."""

    errors: Floats  # prediction less truth
    sizes: Floats  # of the truth, without its sign
    centred: Floats  # truth less its mean
    means: Mapping[str, Floats]  # what further metrics are the mean of, by metric
    pinball: Floats | None = None  # mean pinball loss of quantiles


def compare(
    truth: Floats,
    predicted: Floats,
    *,
    ends: tuple[Floats, Floats] | None = None,
    quantiles: Floats | None = None,
    levels: Sequence[float] = (),
) -> ErrorRows:
    """Compare predictions with the truth, [rows] each.

    `ends` are the lower and upper ends of intervals, [rows] each; `quantiles` are predicted quantiles
    [rows, levels] at `levels`, in (0, 1).
    """
    means = {}
    if ends is not None:
        low, high = ends
        means = {"coverage": ((low <= truth) & (truth <= high)).astype(np.float64), "width": high - low}
    pinball = None if quantiles is None else pinball_losses(truth, quantiles, levels)
    return ErrorRows(predicted - truth, np.abs(truth), truth - truth.mean(), means, pinball)


def pinball_losses(truth: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Pinball loss of each row, mean of its quantiles [rows, levels] (Koenker, Bassett 1978); [rows].

    >>> pinball_losses(np.array([3.0, 1.0]), np.array([[2.0], [2.0]]), [0.9])
    array([0.9, 0.1])
    """
    short = truth[:, None] - quantiles
    losses: Floats = np.maximum(np.array(levels) * short, (np.array(levels) - 1) * short).mean(axis=1)
    return losses


def rows_without_percentage(rows: ErrorRows) -> int:
    """Number of rows that `mape` leaves out: those whose truth is 0."""
    return int((rows.sizes == 0).sum())


def measure_errors(rows: ErrorRows, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of one model, [resamples] each, on rows weighted by how often they are drawn.

    `weights` are [resamples, rows], no resample without weight. Metrics, in units of the target where nothing
    else is said: `rmse`; `mae`; `r2`, a share, against the mean truth of the resample (as in scikit-learn, 1
    or 0 where the truth does not vary); `bias`, the mean prediction less the mean truth; `coverage` (a
    share) and mean `width` of intervals, where they were given; `wql`, weighted quantile loss, twice the pinball loss
    of quantiles, averaged over them, as a share of the sum of the truth. `mape`, the mean
    share of the truth that an error is, leaves out rows whose truth is 0 (`rows_without_percentage`); `wape`
    is the sum of errors, without signs, as a share of that of the truth. Both are missing where all truth is
    0, and nan in a resample where it is.
    """
    total = weights.sum(axis=1)
    sizes = np.abs(rows.errors)
    missed = weigh(weights, sizes)
    squares = weigh(weights, rows.errors**2)
    measured = {
        "rmse": np.sqrt(squares / total),
        "mae": missed / total,
        "r2": _determination(squares, weigh(weights, rows.centred), weigh(weights, rows.centred**2), total),
        "bias": weigh(weights, rows.errors) / total,
    }
    usual = rows.sizes > 0
    if usual.any():
        relative = np.divide(sizes, rows.sizes, out=np.zeros_like(sizes), where=usual)
        measured["mape"] = _share(weigh(weights, relative), weigh(weights, usual.astype(np.float64)))
        measured["wape"] = _share(missed, weigh(weights, rows.sizes))
        if rows.pinball is not None:
            measured["wql"] = _share(2 * weigh(weights, rows.pinball), weigh(weights, rows.sizes))
    return measured | {metric: weigh(weights, values) / total for metric, values in rows.means.items()}


def _determination(
    squares: np.ndarray, sums: np.ndarray, sums_of_squares: np.ndarray, total: np.ndarray
) -> np.ndarray:
    """R2 from sums of squared errors, of the centred truth and of its squares, [resamples] each."""
    spread = sums_of_squares - sums**2 / total
    varies = spread > _ROUNDING * sums_of_squares
    left = np.divide(squares, spread, out=(squares > 0).astype(np.float64), where=varies)
    determination: np.ndarray = 1 - left
    return determination


def _share(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.divide(parts, wholes, out=np.full(wholes.shape, np.nan), where=wholes > 0)
    return shares
