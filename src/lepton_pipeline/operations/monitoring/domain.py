"""Whether all columns together tell new rows from those that a model has learnt from: a classifier two-sample test."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.statistics.boosting import fit_boosting
from lepton_pipeline.statistics.ranks import auc

FEWEST_ROWS = 100
_PERMUTATIONS = 9999
_ROUNDS = 50
_CELLS = 2_000_000
# Blocks of rows in order of time, of each kind; half of them are learnt from, the labels of the others
# permuted.
_BLOCKS, _FEWEST_BLOCKS = 20, 16
# A block is so much longer than rows hang together, or neighbours would.
_LENGTHS = 3


def tell_apart(
    reference: pd.DataFrame, new: pd.DataFrame, sample: int, seed: int, dependence: float | None = None
) -> dict[str, Any] | None:
    """Train a classifier to tell new rows from reference rows, and test how well it does on others of both.

    Lopez-Paz and Oquab (2017), "Revisiting Classifier Two-Sample Tests": boosted trees learn from one half of
    the rows and score the other. If the rows are of one kind, the scores of that half do not depend on which
    of its rows are
    new: the p-value is the share of 9,999 permutations of these labels whose AUC is at least as high. No tree
    is grown again for a permutation, since the test is about given scores; so it is exact, and cheap.

    Rows in order of time hang together, and may not be permuted one by one. They are cut into blocks of equal
    length, 20 of each kind or somewhat fewer longer ones, which are drawn, halved and permuted as a whole:
    the test is exact where blocks are independent.

    Args:
        reference: encoded rows that the model has learnt from.
        new: encoded new rows.
        sample: rows taken, at most; as many of each.
        seed: of sample, halves and permutations.
        dependence: of rows in order of time, how many tell as much as one independent row; None: they have no
            order.

    Returns:
        `auc`, `p_value` and `rows` (all that were taken); None where there are fewer than 100 rows of a kind,
        or fewer than 16 blocks.
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
    area, p_value = permutation_test(scores, labels[~learns], draw, length)
    return {"auc": area, "p_value": p_value, "rows": len(labels)}


def one_a_group(rows: pd.DataFrame, group: str, seed: int) -> pd.DataFrame:
    """Draw one row of each group: others of it would be told by what they share, whether anything has changed or not.

    Args:
        rows: with the column of groups; a row without one is kept.
        group: name of that column.
        seed: of the draw.
    """
    shuffled = rows.sample(frac=1, random_state=seed)
    return shuffled[~shuffled[group].duplicated() | shuffled[group].isna()]


def permutation_test(
    scores: np.ndarray, labels: np.ndarray, draw: np.random.Generator, length: int = 1
) -> tuple[float, float]:
    """AUC of scores, and the share of permuted labels that reach it, the observed ones counted among them.

    Args:
        scores: of rows.
        labels: 1 for new rows, else 0.
        draw: makes the permutations.
        length: of blocks of consecutive rows with the same label, which are permuted as a whole.
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
