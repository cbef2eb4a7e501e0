"""Bootstrap weights of rows that are drawn by whole groups."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lepton_pipeline.parameters import Evaluation


def draw_groups(labels: np.ndarray, groups: np.ndarray, evaluation: Evaluation, most: int) -> Iterator[np.ndarray]:
    """Yield the weights of a cluster bootstrap: groups are drawn with replacement, each with all its rows.

    Rows of one group are alike, so they tell less than as many rows of their own; drawing whole groups keeps that in
    the interval (Davison and Hinkley 1997, "Bootstrap Methods and their Application", section 3.8). A draw that lacks a
    class is drawn again, so the interval holds for tables with both.

    Args:
        labels: 0 or 1, shape [rows]; both occur.
        groups: any values, equal for rows of a group, shape [rows].
        evaluation: number of resamples and their seed.
        most: largest number of resamples in a chunk.

    Yields:
        How often each row counts, float64 [some resamples, rows].
    """
    codes, names = pd.factorize(groups)
    by_class = np.stack([np.bincount(codes[labels == label], minlength=len(names)) for label in (0, 1)], axis=1)
    # Draws that are made again come from a generator of their own: results do not depend on the size of a chunk.
    generator, again = (np.random.default_rng(seed) for seed in np.random.SeedSequence(evaluation.seed).spawn(2))
    for start in range(0, evaluation.resamples, most):
        counts = np.stack([_draw(generator, again, by_class) for _ in range(min(most, evaluation.resamples - start))])
        yield counts[:, codes].astype(np.float64)


def _draw(generator: np.random.Generator, again: np.random.Generator, by_class: np.ndarray) -> np.ndarray:
    """How often each group is drawn."""
    size = len(by_class)
    counts = np.bincount(generator.integers(size, size=size), minlength=size)
    while not (counts @ by_class).all():
        counts = np.bincount(again.integers(size, size=size), minlength=size)
    return counts
