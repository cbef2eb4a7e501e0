"""Metrics on weighted rows, for all resamples of a bootstrap at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lepton_pipeline.statistics.losses import Floats, log_losses

CALIBRATION_BINS = 10


@dataclass(frozen=True)
class RankedRows:
    """Rows of one model by falling score.

    Calibration bins hold equally many rows, ties kept together (Nixon et al. 2019, "Measuring Calibration in
    Deep Learning").
    """

    order: np.ndarray  # position of each row before sorting
    labels: Floats
    scores: Floats
    log_losses: Floats
    bin_starts: np.ndarray  # first row of each calibration bin
    positives: np.ndarray  # positions of the positive rows
    above: np.ndarray  # for each positive row, the rows that score higher
    through: np.ndarray  # for each positive row, the rows that score as high or higher


def rank(probabilities: Floats, labels: Floats) -> RankedRows:
    """Sort rows by their score; `labels` are 0 or 1."""
    order = np.argsort(-probabilities, kind="stable")
    scores, labels = probabilities[order], labels[order]
    tie_starts, tie_ends = find_ties(scores)
    positives = np.flatnonzero(labels)
    ties = np.searchsorted(tie_starts, positives, side="right") - 1
    return RankedRows(
        order=order,
        labels=labels,
        scores=scores,
        log_losses=log_losses(scores, labels),
        bin_starts=equal_mass_bins(scores),
        positives=positives,
        above=tie_starts[ties],
        through=tie_ends[ties],
    )


def find_ties(scores: Floats) -> tuple[np.ndarray, np.ndarray]:
    """First row of each run of equal scores among sorted ones [rows], and the row after its last."""
    starts = np.flatnonzero(np.append(True, scores[1:] != scores[:-1]))
    return starts, np.append(starts[1:], len(scores))


def equal_mass_bins(values: np.ndarray, most: int = CALIBRATION_BINS) -> np.ndarray:
    """First row of each of at most `most` bins of equally many sorted `values` [rows]; see `RankedRows`.

    >>> equal_mass_bins(np.array([1.0, 1.0, 1.0, 2.0, 5.0, 5.0]), 3)
    array([0, 3, 4])
    """
    starts, ends = find_ties(values)
    bins = (starts + ends) * most // (2 * len(values))
    first: np.ndarray = starts[np.append(True, bins[1:] != bins[:-1])]
    return first


def measure(ranked: RankedRows, threshold: float, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of one model, [resamples] each, on rows weighted by how often they are drawn.

    `weights` are [resamples, rows] in the order before sorting, every resample with both classes; rows with a
    probability >= `threshold` count as positive. Metrics: `auc` (a tie counts half), `f1`,
    `average_precision` (not interpolated), `log_loss` (natural, clipped to the resolution of float64),
    `brier`, and `ece`, the expected calibration error over ten bins of equal mass (Naeini et al. 2015,
    "Obtaining Well Calibrated Probabilities Using Bayesian Binning"; bins of Nixon et al. 2019).
    """
    sorted_weights = weights[:, ranked.order]
    of_positives = sorted_weights[:, ranked.positives]
    called, found = accumulate(sorted_weights), accumulate(of_positives)
    total, positives = called[:, -1], found[:, -1]

    # Ranks are looked up for positive rows only, the rarer class by far in most tables.
    found_above = found[:, np.searchsorted(ranked.positives, ranked.above)]
    found_through = found[:, np.searchsorted(ranked.positives, ranked.through)]
    called_through = called[:, ranked.through]
    false_above, false_through = called[:, ranked.above] - found_above, called_through - found_through
    outranked = (total - positives)[:, None] - (false_above + false_through) / 2
    # A resample may leave out the first rows: nothing called, nothing found.
    nothing = np.zeros_like(found_through)
    precision = np.divide(found_through, called_through, out=nothing, where=called_through > 0)

    cut = np.count_nonzero(ranked.scores >= threshold)
    residuals = ranked.scores - ranked.labels
    gaps = np.add.reduceat(sorted_weights * residuals, ranked.bin_starts, axis=1)
    return {
        "auc": (of_positives * outranked).sum(axis=1) / (positives * (total - positives)),
        "f1": 2 * found[:, np.searchsorted(ranked.positives, cut)] / (called[:, cut] + positives),
        "average_precision": (of_positives * precision).sum(axis=1) / positives,
        "log_loss": weigh(sorted_weights, ranked.log_losses) / total,
        "brier": weigh(sorted_weights, residuals**2) / total,
        "ece": np.abs(gaps).sum(axis=1) / total,
    }


def accumulate(weights: np.ndarray) -> np.ndarray:
    """Sum the first 0, 1, 2, … columns of [resamples, columns], as [resamples, columns + 1]."""
    sums = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def weigh(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum the values of shape [rows] in every resample of [resamples, rows]."""
    # A matrix product would do, but its last bits depend on the number of threads.
    summed: np.ndarray = np.einsum("ij,j->i", weights, values)
    return summed
