"""Two-sample tests, and the correction for multiple testing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lepton_pipeline.statistics.losses import Floats

Counts = npt.NDArray[Any]


def chi_square(counts: Counts) -> tuple[float, list[float]]:
    """Chi-square test of homogeneity of two columns of counts: the statistic, and its p-value in a list."""
    from scipy.stats import chi2_contingency

    counts = counts[counts.sum(axis=1) > 0]
    if len(counts) < 2 or not counts.sum(axis=0).all():
        return 0.0, [1.0]
    tested = chi2_contingency(counts, correction=True)
    return float(tested.statistic), [float(tested.pvalue)]


def missing_test(one: Counts, other: Counts) -> list[float]:
    """P-value of two rates of missing values, counted last; [] if all are missing, [1.0] if no value is."""
    table = np.array([[counts[-1], counts[:-1].sum()] for counts in (one, other)], dtype=float)
    if not table[:, 0].any():
        return [] if table[:, 1].all() else [1.0]
    return chi_square(table.T)[1]


def stability_index(one: Counts, other: Counts) -> float:
    """Population stability index: sum of (q - p) ln(q / p) over bins of counts, half a row added to each.

    >>> round(stability_index(np.array([50, 50]), np.array([80, 20])), 4)
    0.4063
    """
    used = (one + other) > 0
    shares = [(counts[used] + 0.5) / (counts[used] + 0.5).sum() for counts in (one, other)]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def holm(p_values: Sequence[float]) -> Floats:
    """Correct p-values for multiple testing, step down (Holm 1979), without assuming independence.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    raw = np.array(p_values)
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    corrected = np.empty_like(raw)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected
