"""Whether all columns together tell new rows from those that a model has learnt from: a classifier two-sample test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

FEWEST_ROWS = 100
_PERMUTATIONS = 9999
_ROUNDS = 50
_CELLS = 2_000_000


def tell_apart(reference: pd.DataFrame, new: pd.DataFrame, sample: int, seed: int) -> dict[str, Any] | None:
    """Train a classifier to tell new rows from reference rows, and test how well it does on others of both.

    Lopez-Paz and Oquab (2017), "Revisiting Classifier Two-Sample Tests": boosted trees learn from one half of the rows
    and score the other. If the rows are of one kind, the scores of that half do not depend on which of its rows are
    new: the p-value is the share of 9,999 permutations of these labels whose AUC is at least as high. No tree is grown
    again for a permutation, since the test is about given scores; so it is exact, and cheap.

    Args:
        reference: encoded rows that the model has learnt from.
        new: encoded new rows.
        sample: rows taken, at most; as many of each.
        seed: of sample, halves and permutations.

    Returns:
        `auc`, `p_value` and `rows` (all that were taken); None where there are fewer than 100 rows of a kind.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    each = min(len(reference), len(new), sample // 2)
    if each < FEWEST_ROWS:
        return None
    draw = np.random.default_rng(seed)
    drawn = [rows.iloc[np.sort(draw.choice(len(rows), each, replace=False))] for rows in (reference, new)]
    values = np.concatenate([rows.to_numpy(np.float32) for rows in drawn])
    labels = np.repeat([0, 1], each)
    # Half of each kind: rows are in order, so which half is drawn.
    learns = np.concatenate([draw.permutation(each) < each // 2 for _ in drawn])
    classifier = HistGradientBoostingClassifier(max_iter=_ROUNDS, early_stopping=False, random_state=seed)
    classifier.fit(values[learns], labels[learns])
    scores = classifier.predict_proba(values[~learns])[:, 1]
    auc, p_value = permutation_test(scores, labels[~learns], draw)
    return {"auc": auc, "p_value": p_value, "rows": 2 * each}


def permutation_test(scores: np.ndarray, labels: np.ndarray, draw: np.random.Generator) -> tuple[float, float]:
    """AUC of scores, and the share of permuted labels that reach it, the observed ones counted among them."""
    from scipy.stats import rankdata

    ranks = rankdata(scores)
    positives = int(labels.sum())
    seen = float(ranks[labels == 1].sum())
    reached, at_once = 1, max(1, _CELLS // len(ranks))
    for start in range(0, _PERMUTATIONS, at_once):
        size = min(at_once, _PERMUTATIONS - start)
        permuted = draw.permuted(np.broadcast_to(ranks, (size, len(ranks))), axis=1)[:, :positives]
        # Ranks are multiples of one half, so their sums are exact.
        reached += int(np.count_nonzero(permuted.sum(axis=1) >= seen))
    auc = (seen - positives * (positives + 1) / 2) / (positives * (len(labels) - positives))
    return float(auc), reached / (_PERMUTATIONS + 1)
