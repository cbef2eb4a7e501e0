"""Joint strength of features, and features that add nothing to the others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lepton_pipeline.features.strength import (
    CHANCE,
    FEWEST,
    SEED,
    Codes,
    binned_auc,
    mean_of_halves,
    rarer_rows,
    sample_positions,
    stratified_halves,
)
from lepton_pipeline.statistics.boosting import fit_boosting
from lepton_pipeline.statistics.losses import Floats, log_losses

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

MODEL_ROWS, JUDGED_ROWS = 20_000, 5_000
# A wide table is judged on fewer rows, so that the check stays cheap.
MODEL_CELLS = 3_000_000
TREES, REPEATS, GROUPS = 60, 4, 50
MOST_LEVELS = 10


def joint_auc(training: pd.DataFrame, labels: Codes) -> tuple[float, float]:
    """AUC of all features together and its standard error, by boosted models cross-fitted on two halves.

    At most 20,000 rows are used; 0.5 and 0.25 where a class has too few rows.
    """
    picked = sample_positions(len(training), _affordable(training, MODEL_ROWS))
    rows, labels = training.iloc[picked], labels[picked]
    if rarer_rows(labels) < FEWEST:
        return CHANCE
    return _cross_fitted(_matrix(rows, rows), labels, _boost)


def additive_auc(training: pd.DataFrame, labels: Codes) -> tuple[float, float]:
    """As `joint_auc`, by logistic regression on ranks, which needs fewer rows and sees no interactions."""
    picked = sample_positions(len(training), MODEL_ROWS)
    rows, labels = training.iloc[picked], labels[picked]
    if rarer_rows(labels) < FEWEST:
        return CHANCE
    return _cross_fitted(np.concatenate([_as_ranks(rows[name]) for name in rows], axis=1), labels, _regress)


def _cross_fitted(matrix: Floats, labels: Codes, fit: Callable[[Floats, Codes], Any]) -> tuple[float, float]:
    """AUC and standard error of two models, each scoring the half that the other was fitted on."""
    halves, scored = stratified_halves(labels), []
    with _one_thread():
        for half in (0, 1):
            model = fit(matrix[halves != half], labels[halves != half])
            truth = labels[halves == half]
            counts = np.stack([truth == 0, truth == 1]).astype(np.intp)
            scored.append(binned_auc(counts, model.predict_proba(matrix[halves == half])[:, 1]))
    return mean_of_halves(scored)


def _as_ranks(column: pd.Series) -> Floats:
    """Centred ranks, their squares and a missing indicator; for codes, dummies of the frequent ones."""
    if column.dtype.kind == "i":
        levels = column[column >= 0].value_counts().index[:MOST_LEVELS]
        indicators: Floats = (column.to_numpy()[:, None] == levels.to_numpy()[None, :]).astype(float)
        return indicators
    ranks = (column.rank(pct=True) - 0.5).fillna(0.0).to_numpy(float)
    return np.stack([ranks, ranks**2, column.isna().to_numpy(float)], axis=1)


def _regress(matrix: Floats, labels: Codes) -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, max_iter=1000).fit(matrix, labels)


def useless_features(
    training: pd.DataFrame, labels: Codes, judged: pd.DataFrame, judged_labels: Codes, candidates: list[str]
) -> dict[str, tuple[float, float]]:
    """Candidates without permutation importance, with the mean rise of the log loss and its standard error.

    A boosted model learns from at most 20,000 training rows. On at most 5,000 judged (validation) rows the
    values of each candidate are permuted (Breiman, "Random Forests", 2001, section 10); it is useless if that
    raises the log loss by at most two standard errors. More than 50 candidates are permuted in groups, and
    useful groups are divided.
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
        model = _boost(_matrix(training.iloc[learnt], training), labels[learnt])
        losses = log_losses(model.predict_proba(matrix)[:, 1], truth)
        while groups:
            group = groups.pop()
            columns = training.columns.get_indexer(pd.Index(group))
            rises = _permuted_losses(matrix, columns, truth, model) - losses
            mean, error = float(rises.mean()), float(rises.std() / np.sqrt(len(rises)))
            if mean <= 2 * error:
                useless |= dict.fromkeys(group, (mean, error))
            elif len(group) > 1:
                groups += [group[: len(group) // 2], group[len(group) // 2 :]]
    return {name: useless[name] for name in candidates if name in useless}


def _affordable(table: pd.DataFrame, most: int) -> int:
    return min(most, max(1_000, MODEL_CELLS // max(1, table.shape[1])))


def _matrix(rows: pd.DataFrame, training: pd.DataFrame) -> Floats:
    """Numbers as they are, codes by falling training frequency, missing values as NaN."""
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


def _boost(matrix: Floats, labels: Codes) -> HistGradientBoostingClassifier:
    sizes: dict[str, Any] = {"max_iter": TREES, "max_leaf_nodes": 15, "min_samples_leaf": 30}
    return fit_boosting(matrix, labels, l2_regularization=1.0, random_state=SEED, **sizes)


def _permuted_losses(matrix: Floats, columns: Codes, labels: Codes, model: Any) -> Floats:
    """Mean log loss of each row with some columns permuted together."""
    rng = np.random.default_rng(SEED)
    permuted, total = matrix.copy(), np.zeros(len(labels))
    for _ in range(REPEATS):
        permuted[:, columns] = matrix[rng.permutation(len(matrix))][:, columns]
        total += log_losses(model.predict_proba(permuted)[:, 1], labels)
    return total / REPEATS
