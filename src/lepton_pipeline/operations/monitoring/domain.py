"""Classifier two-sample test on all columns together."""

from __future__ import annotations

from math import ceil

import numpy as np
import pandas as pd

from lepton_pipeline.operations.monitoring.findings import DomainDrift
from lepton_pipeline.statistics.boosting import fit_boosting
from lepton_pipeline.statistics.ranks import auc

FEWEST_ROWS = 100
_PERMUTATIONS = 9999
_ROUNDS = 50
_CELLS = 2_000_000
# Blocks of each kind; half are learnt from, the labels of the others permuted.
_BLOCKS, _FEWEST_BLOCKS = 20, 16
# Length of a block in design effects, so that neighbouring blocks are independent.
_LENGTHS = 3


def classifier_test(
    reference: pd.DataFrame, new: pd.DataFrame, sample: int, seed: int, dependence: float | None = None
) -> DomainDrift | None:
    """Train a classifier to separate new rows from reference rows, and test its AUC on held-out rows of both.

    Lopez-Paz and Oquab (2017), "Revisiting Classifier Two-Sample Tests": boosted trees learn from one half of
    the rows and score the other. The p-value is the share of 9,999 permutations of the labels of the scored
    half whose AUC is at least as high. The trees are not fitted again, since the test is about given scores;
    so it is exact, and cheap.

    Rows in order of time are autocorrelated and may not be permuted one by one. They are cut into blocks of
    equal length, 16 to 20 of each kind, which are drawn, halved and permuted as a whole: the test is exact
    where blocks are independent.

    `reference` and `new` are encoded rows, those learnt from and new ones, of which at most `sample` are
    taken, half of each kind. `dependence` is their `design_effect`, None for rows without order. Returns None
    for fewer than 100 rows of a kind or 16 blocks.
    """
    each = min(len(reference), len(new), sample // 2)
    if each < FEWEST_ROWS:
        return None
    length = 1 if dependence is None else max(each // _BLOCKS, ceil(_LENGTHS * dependence))
    blocks = each if dependence is None else min(each // length, _BLOCKS)
    if blocks < _FEWEST_BLOCKS:
        return None
    draw = np.random.default_rng(seed)
    values = np.concatenate([_draw_blocks(rows, blocks, length, draw) for rows in (reference, new)])
    labels = np.repeat([0, 1], blocks * length)
    # Half of each kind: rows are in order, so which half is drawn.
    learns = np.repeat(np.concatenate([draw.permutation(blocks) < blocks // 2 for _ in range(2)]), length)
    classifier = fit_boosting(values[learns], labels[learns], max_iter=_ROUNDS, random_state=seed)
    scores = classifier.predict_proba(values[~learns])[:, 1]
    return DomainDrift(*permutation_test(scores, labels[~learns], draw, length), len(labels))


def one_per_group(rows: pd.DataFrame, group: str, seed: int) -> pd.DataFrame:
    """Draw one row of each group, whose rows a classifier would recognise; keep rows without a group."""
    shuffled = rows.sample(frac=1, random_state=seed)
    return shuffled[~shuffled[group].duplicated() | shuffled[group].isna()]


def permutation_test(
    scores: np.ndarray, labels: np.ndarray, draw: np.random.Generator, length: int = 1
) -> tuple[float, float]:
    """AUC of scores, and the share of permuted labels with at least that AUC, the observed ones included.

    `labels` are 1 for new rows; blocks of `length` consecutive rows have one label and are permuted whole.
    """
    from scipy.stats import rankdata

    by_row = rankdata(scores)
    seen = float(by_row[labels == 1].sum())
    rows_new = int(labels.sum())
    ranks = by_row.reshape(-1, length).sum(axis=1)
    positives = rows_new // length
    reached, at_once = 1, max(1, _CELLS // len(ranks))
    for start in range(0, _PERMUTATIONS, at_once):
        size = min(at_once, _PERMUTATIONS - start)
        permuted = draw.permuted(np.broadcast_to(ranks, (size, len(ranks))), axis=1)[:, :positives]
        # Ranks are multiples of one half, so their sums are exact.
        reached += int(np.count_nonzero(permuted.sum(axis=1) >= seen))
    return auc(scores, labels), reached / (_PERMUTATIONS + 1)


def _draw_blocks(rows: pd.DataFrame, blocks: int, length: int, draw: np.random.Generator) -> np.ndarray:
    starts = length * np.sort(draw.choice(len(rows) // length, blocks, replace=False))
    taken: np.ndarray = rows.to_numpy(np.float32)[(starts[:, None] + np.arange(length)).ravel()]
    return taken
