"""What features say about the target beside one another, and which add nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.features.strength import (
    CHANCE,
    FEWEST,
    SEED,
    binned_auc,
    mean_of_halves,
    rarer_rows,
    sample_positions,
    stratified_halves,
)
from lepton_pipeline.statistics.boosting import fit_boosting
from lepton_pipeline.statistics.losses import Floats, log_losses

MODEL_ROWS, JUDGED_ROWS = 20_000, 5_000
# A wide table is judged on fewer rows, so that the check stays cheap.
MODEL_CELLS = 3_000_000
TREES, REPEATS, GROUPS = 60, 4, 50
MOST_LEVELS = 10

Codes = npt.NDArray[np.intp]


def joint_auc(training: pd.DataFrame, labels: Codes) -> tuple[float, float]:
    """Measure what features say about the target together, by boosted models that score each other's half of the rows.

    Args:
        training: float64 numbers and int32 codes, at most 20,000 rows of which are used.
        labels: 0 or 1 for each of them.

    Returns:
        The AUC and its standard error; 0.5 and 0.25 where a class has too few rows.
    """
    picked = sample_positions(len(training), _affordable(training, MODEL_ROWS))
    rows, labels = training.iloc[picked], labels[picked]
    if rarer_rows(labels) < FEWEST:
        return CHANCE
    return _cross_fitted(_matrix(rows, rows), labels, _boost)


def additive_auc(training: pd.DataFrame, labels: Codes) -> tuple[float, float]:
    """As `joint_auc`, by a logistic regression on ranks, which learns from fewer rows and sees no interactions."""
    rows = training.iloc[sample_positions(len(training), MODEL_ROWS)]
    labels = labels[sample_positions(len(training), MODEL_ROWS)]
    if rarer_rows(labels) < FEWEST:
        return CHANCE
    parts = [_as_ranks(rows[name]) for name in rows]
    return _cross_fitted(np.concatenate(parts, axis=1), labels, _regress)


def _cross_fitted(
    matrix: Floats, labels: Codes, fit: Callable[[Floats, Codes], Callable[[Floats], Floats]]
) -> tuple[float, float]:
    """AUC and standard error of two models, each of which scores the half that the other has learnt from."""
    halves, scored = stratified_halves(labels), []
    with _one_thread():
        for half in (0, 1):
            predict = fit(matrix[halves != half], labels[halves != half])
            truth = labels[halves == half]
            scored.append(
                binned_auc(
                    np.stack([truth == 0, truth == 1]).astype(np.intp), predict(matrix[halves == half])
                )
            )
    return mean_of_halves(scored)


def _as_ranks(column: pd.Series) -> Floats:
    """Centred ranks, their squares and whether a number is missing; of codes, which of the most frequent one it is."""
    if column.dtype.kind == "i":
        levels = column[column >= 0].value_counts().index[:MOST_LEVELS]
        indicators: Floats = (column.to_numpy()[:, None] == levels.to_numpy()[None, :]).astype(float)
        return indicators
    ranks = (column.rank(pct=True) - 0.5).fillna(0.0).to_numpy(float)
    return np.stack([ranks, ranks**2, column.isna().to_numpy(float)], axis=1)


def _regress(matrix: Floats, labels: Codes) -> Callable[[Floats], Floats]:
    """Fit a logistic regression and return its probability of label 1."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0, max_iter=1000).fit(matrix, labels)

    return lambda others: model.predict_proba(others)[:, 1]


def useless_features(
    training: pd.DataFrame, labels: Codes, judged: pd.DataFrame, judged_labels: Codes, candidates: list[str]
) -> dict[str, tuple[float, float]]:
    """Find the candidates that a model of all features does not profit from.

    A boosted model learns from training rows. On the judged rows the values of each candidate are permuted
    (Breiman, "Random Forests", 2001, section 10); it is useless where that does not raise the log loss by
    more than two standard errors. More than 50 candidates are permuted in groups, and a group that is of use
    is divided.

    Args:
        training: rows to learn from, float64 numbers and int32 codes, at most 20,000 of which are used.
        labels: 0 or 1 for each of them.
        judged: validation rows, with the same columns, at most 5,000 of which are used.
        judged_labels: 0 or 1 for each of them.
        candidates: features to judge.

    Returns:
        For each useless candidate the mean rise of the log loss and its standard error over the judged rows.
    """
    learnt = sample_positions(len(training), _affordable(training, MODEL_ROWS))
    if not candidates or judged.empty or rarer_rows(labels[learnt]) < FEWEST:
        return {}
    picked = sample_positions(len(judged), _affordable(judged, JUDGED_ROWS))
    matrix, truth = _matrix(judged.iloc[picked], training), judged_labels[picked]
    size = -(-len(candidates) // GROUPS)
    groups = [candidates[start : start + size] for start in range(0, len(candidates), size)]
    useless: dict[str, tuple[float, float]] = {}
    with _one_thread():
        predict = _boost(_matrix(training.iloc[learnt], training), labels[learnt])
        losses = log_losses(predict(matrix), truth)
        while groups:
            group = groups.pop()
            columns = training.columns.get_indexer(pd.Index(group))
            rises = _permuted_losses(matrix, columns, truth, predict) - losses
            mean, error = float(rises.mean()), float(rises.std() / np.sqrt(len(rises)))
            if mean <= 2 * error:
                useless |= dict.fromkeys(group, (mean, error))
            elif len(group) > 1:
                groups += [group[: len(group) // 2], group[len(group) // 2 :]]
    return {name: useless[name] for name in candidates if name in useless}


def _affordable(table: pd.DataFrame, most: int) -> int:
    return min(most, max(1_000, MODEL_CELLS // max(1, table.shape[1])))


def _matrix(rows: pd.DataFrame, training: pd.DataFrame) -> Floats:
    """Numbers as they are, codes by falling frequency in training rows; missing values as NaN."""
    matrix = np.empty(rows.shape)
    for position, name in enumerate(rows):
        values = rows[name].to_numpy()
        if values.dtype.kind == "i":
            known = training[name].to_numpy()
            counts = np.bincount(known[known >= 0], minlength=1)
            ranks = np.append(np.argsort(np.argsort(-counts, kind="stable")), len(counts))
            values = np.where(values < 0, np.nan, ranks[np.minimum(values, len(counts))])
        matrix[:, position] = values
    return matrix


def _one_thread() -> AbstractContextManager[Any]:
    # The limit holds for the libraries that are loaded by then.
    import sklearn.ensemble  # noqa: F401  # what it loads is limited
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits


def _boost(matrix: Floats, labels: Codes) -> Callable[[Floats], Floats]:
    """Fit a small boosted model and return its probability of label 1."""
    model = fit_boosting(
        matrix,
        labels,
        max_iter=TREES,
        max_leaf_nodes=15,
        min_samples_leaf=30,
        l2_regularization=1.0,
        random_state=SEED,
    )

    return lambda others: model.predict_proba(others)[:, 1]


def _permuted_losses(
    matrix: Floats, columns: Codes, labels: Codes, predict: Callable[[Floats], Floats]
) -> Floats:
    """Mean log loss of each row where the values of some columns, kept together, come from another row."""
    rng = np.random.default_rng(SEED)
    permuted, total = matrix.copy(), np.zeros(len(labels))
    for _ in range(REPEATS):
        permuted[:, columns] = matrix[rng.permutation(len(matrix))][:, columns]
        total += log_losses(predict(permuted), labels)
    return total / REPEATS
