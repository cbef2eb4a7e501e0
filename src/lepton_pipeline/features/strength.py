"""How well features predict the target, alone and together, and which add nothing to the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.statistics.boosting import fit_boosting
from lepton_pipeline.statistics.intervals import normal_deviate
from lepton_pipeline.statistics.losses import Floats, log_losses
from lepton_pipeline.statistics.ranks import delong

SAMPLED_ROWS = 100_000
# Numbers have a bin for every 20 rows of the rarer class, so that the rates of a small table mean something.
FEWEST_BINS, MOST_BINS, ROWS_A_BIN = 8, 20, 20
# Rates of small categories are drawn towards the base rate as by this many rows.
SMOOTHING = 10
# With fewer rows of the rarer class chance alone makes strong features.
FEWEST, CHANCE = 8, (0.5, 0.25)
SEED = 0
MODEL_ROWS, JUDGED_ROWS = 20_000, 5_000
# A wide table is judged on fewer rows, so that the check stays cheap.
MODEL_CELLS = 3_000_000
TREES, REPEATS, GROUPS = 60, 4, 50
MOST_LEVELS = 10

Codes = npt.NDArray[np.intp]


class Alone(NamedTuple):
    """How well a feature predicts the target alone."""

    auc: float  # of cross-fitted scores; 0.5 where a class has too few rows
    error: float  # standard error of the AUC
    missing: float  # fraction of rows without a value
    contradicted: int  # rows whose label is not the one that the value stands for

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the AUC."""
        reach = normal_deviate(0.95) * self.error
        return max(self.auc - reach, 0.0), min(self.auc + reach, 1.0)

    def __str__(self) -> str:
        low, high = self.interval
        return f"alone it reaches AUC {self.auc:.3f} ({low:.3f} to {high:.3f}) in training rows"


def features_alone(training: pd.DataFrame, labels: Codes) -> dict[str, Alone]:
    """Measure every feature alone on at most 100,000 rows, the strongest first.

    Numbers are binned, categories are their own bins; the positive rates of one half score the other half, so
    that many categories do not look strong by chance and relations need not be monotone.
    """
    picked = sample_positions(len(training), SAMPLED_ROWS)
    labels = labels[picked]
    halves = stratified_halves(labels)
    features = {str(name): _alone(training[name].to_numpy()[picked], labels, halves) for name in training}
    return dict(sorted(features.items(), key=lambda item: -item[1].auc))


def stratified_halves(labels: Codes) -> Codes:
    """Assign a random half of each class to half 1, the rest to half 0."""
    halves = np.zeros(len(labels), np.intp)
    rng = np.random.default_rng(SEED)
    for label in (0, 1):
        halves[rng.permutation(np.flatnonzero(labels == label))[::2]] = 1
    return halves


def _alone(values: np.ndarray, labels: Codes, halves: Codes) -> Alone:
    """Score each half by the positive rates of the other half's bins."""
    levels, numbers = _levels(values)
    missing = float((levels == 0).mean())
    rarer = rarer_rows(labels)
    if rarer < FEWEST:
        return Alone(*CHANCE, missing, len(labels))
    bins = _bins(levels, min(max(rarer // ROWS_A_BIN, FEWEST_BINS), MOST_BINS)) if numbers else levels
    counts = _counts(bins, labels, halves)
    auc, error = mean_of_halves([binned_auc(counts[half], _rates(counts[1 - half])) for half in (0, 1)])
    contradicted = sum(_contradicted(counts[half], counts[1 - half]) for half in (0, 1))
    if numbers:
        counts = _counts(levels, labels, halves)
        # In few rows the bins hide a relation that is monotone.
        auc, error = max((auc, error), _monotone_auc(counts))
        contradicted = min(contradicted, _across_threshold(counts.sum(axis=0)))
    return Alone(auc, error, missing, contradicted)


def rarer_rows(labels: Codes) -> int:
    """Count the rows of the rarer class."""
    return int(np.bincount(labels, minlength=2).min())


def _counts(levels: Codes, labels: Codes, halves: Codes) -> Codes:
    """Count rows by half, label and level [2, 2, levels]."""
    width = int(levels.max()) + 1
    return np.bincount(levels + width * (labels + 2 * halves), minlength=4 * width).reshape(2, 2, width)


def _levels(values: np.ndarray) -> tuple[Codes, bool]:
    """Number the distinct values from 1, numbers in their order; 0 is missing."""
    if values.dtype.kind != "f":
        return values.astype(np.intp) + 1, False
    present = ~np.isnan(values)
    levels = np.zeros(len(values), np.intp)
    levels[present] = np.unique(values[present], return_inverse=True)[1] + 1
    return levels, True


def _bins(levels: Codes, most: int) -> Codes:
    """Merge levels into bins of about equal size; level 0, missing, stays apart."""
    if levels.max() <= 2 * most:
        return levels
    rows = np.bincount(levels)[1:]
    middles = (rows.cumsum() - rows / 2) / rows.sum()
    return np.concatenate([[0], (middles * most).astype(np.intp) + 1])[levels]


def _rates(counts: Codes) -> Floats:
    """Smoothed positive rate of each bin, from counts of negative and positive rows [2, bins]."""
    prior = SMOOTHING * counts[1].sum() / counts.sum()
    return np.asarray((counts[1] + prior) / (counts.sum(axis=0) + SMOOTHING))


def binned_auc(counts: Codes, scores: Floats) -> tuple[float, float]:
    """AUC and standard error from negative and positive counts by bin [2, bins], and a score of each bin."""
    groups = np.unique(scores, return_inverse=True)[1]
    return delong(np.stack([np.bincount(groups, each) for each in counts]))


def _monotone_auc(counts: Codes) -> tuple[float, float]:
    """AUC of the levels themselves, oriented by the other half."""
    (first, error), (second, second_error) = (delong(each) for each in counts)
    oriented = first if second >= 0.5 else 1 - first, second if first >= 0.5 else 1 - second
    return mean_of_halves([(oriented[0], error), (oriented[1], second_error)])


def mean_of_halves(halves: list[tuple[float, float]]) -> tuple[float, float]:
    """Mean AUC and mean standard error of two halves that scored each other."""
    # What one half shows by chance the other does not contradict, so that errors do not average out.
    return sum(each[0] for each in halves) / 2, sum(each[1] for each in halves) / 2


def _contradicted(counts: Codes, others: Codes) -> int:
    """Rows whose label is not the majority of their bin in the other half."""
    known = others.sum(axis=0) > 0
    positive = np.where(known, others[1] > others[0], others[1].sum() > others[0].sum())
    return int(np.where(positive, counts[0], counts[1]).sum())


def _across_threshold(counts: Codes) -> int:
    """Rows on the wrong side of the best threshold; missing values are a third side."""
    below = np.pad(counts[:, 1:].cumsum(axis=1), ((0, 0), (1, 0)))
    above = below[:, -1:] - below
    return int(counts[:, 0].min() + min((below[0] + above[1]).min(), (below[1] + above[0]).min()))


def sample_positions(rows: int, most: int) -> Codes:
    """Draw at most `most` of the positions 0 .. rows - 1, ascending, with a fixed seed."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(SEED).choice(rows, most, replace=False))


def joint_auc(training: pd.DataFrame, labels: Codes) -> tuple[float, float]:
    """AUC of all features together and its standard error, by boosted models cross-fitted on two halves.

    At most 20,000 rows are used; 0.5 and 0.25 where a class has too few rows.
    """
    picked = sample_positions(len(training), _affordable(training, MODEL_ROWS))
    rows = training.iloc[picked]
    return _cross_fitted(_matrix(rows, rows), labels[picked], _boost)


def additive_auc(training: pd.DataFrame, labels: Codes) -> tuple[float, float]:
    """As `joint_auc`, by logistic regression on ranks, which needs fewer rows and sees no interactions."""
    picked = sample_positions(len(training), MODEL_ROWS)
    ranks = [_as_ranks(training[name].iloc[picked]) for name in training]
    return _cross_fitted(np.concatenate(ranks, axis=1), labels[picked], _regress)


def _cross_fitted(matrix: Floats, labels: Codes, fit: Callable[[Floats, Codes], Any]) -> tuple[float, float]:
    """AUC and standard error of two models, each scoring the half that the other was fitted on."""
    if rarer_rows(labels) < FEWEST:
        return CHANCE
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
        return np.asarray(column.to_numpy()[:, None] == levels.to_numpy()[None, :], dtype=float)
    ranks = (column.rank(pct=True) - 0.5).fillna(0.0).to_numpy(float)
    return np.stack([ranks, ranks**2, column.isna().to_numpy(float)], axis=1)


def _regress(matrix: Floats, labels: Codes) -> Any:
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


def _one_thread() -> Any:
    # The limit holds for the libraries that are loaded by then.
    import sklearn.ensemble  # noqa: F401  # what it loads is limited
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _boost(matrix: Floats, labels: Codes) -> Any:
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
