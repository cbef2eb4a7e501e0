"""Points of a model's curves."""

from __future__ import annotations

import numpy as np

from lepton_pipeline.evaluation.resampling import LEVEL
from lepton_pipeline.statistics.intervals import normal_deviate, wilson
from lepton_pipeline.statistics.measures import RankedRows

_CURVE_POINTS = 4000


def rates(ranked: RankedRows, most: int = _CURVE_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """True and false positive rate at the end of each tie, thinned to `most` points."""
    ends = np.flatnonzero(np.append(ranked.scores[1:] != ranked.scores[:-1], True))
    if len(ends) > most:
        ends = ends[np.linspace(0, len(ends) - 1, most).round().astype(int)]
    found = np.cumsum(ranked.labels)
    true = found[ends]
    return true / found[-1], (ends + 1 - true) / (len(ranked.labels) - found[-1])


def bin_rows(ranked: RankedRows) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean score, observed rate, its Wilson interval and the rows of each calibration bin."""
    counts = np.diff(np.append(ranked.bin_starts, len(ranked.labels)))
    predicted = np.add.reduceat(ranked.scores, ranked.bin_starts) / counts
    observed = np.add.reduceat(ranked.labels, ranked.bin_starts) / counts
    z = normal_deviate(LEVEL)
    _, low, high = np.array([wilson(*each, z) for each in zip(observed, counts, strict=True)]).T
    return predicted, observed, low, high, counts
