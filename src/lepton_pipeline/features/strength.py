"""How well features predict the target, alone and together, and which add nothing to the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.features.text import learn_text
from lepton_pipeline.statistics.intervals import normal_deviate
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.samples import sample_positions
from lepton_pipeline.statistics.strengths import Array, Figure, Strength, mean_figure
from lepton_pipeline.tasks.task import Task

SAMPLED_ROWS = 100_000
# Numbers have a bin for every 20 cases, so that the rates of a small table mean something.
FEWEST_BINS, MOST_BINS, ROWS_A_BIN = 8, 20, 20
SEED = 0
MODEL_ROWS, JUDGED_ROWS = 20_000, 5_000
# A wide table is judged on fewer rows, so that the check stays cheap.
MODEL_CELLS = 3_000_000
TREES, REPEATS, GROUPS = 60, 4, 50
MOST_LEVELS = 10

Codes = npt.NDArray[np.intp]


class Alone(NamedTuple):
    """How well a feature predicts the target alone."""

    figure: float  # of cross-fitted scores, see `statistics.strengths`; the mean of several classes
    error: float  # standard error of the figure
    missing: float  # fraction of rows without a value
    contradicted: int  # rows whose label is not what the value stands for
    strength: Strength
    targets: Mapping[str, Figure]  # figure and error of each of `Strength.targets` that has enough cases

    @property
    def interval(self) -> Figure:
        """The 95 % interval of the figure."""
        return interval(self.figure, self.error)

    def __str__(self) -> str:
        return f"alone it {self.strength.said(self.figure, self.interval)} in training rows"

    def of_target(self, name: str) -> str:
        """As the text of all, of one class."""
        figure, error = self.targets[name]
        return f"alone it {self.strength.said(figure, interval(figure, error), name)} in training rows"


def interval(figure: float, error: float) -> Figure:
    """95 % interval of a figure between 0 and 1."""
    reach = normal_deviate(0.95) * error
    return max(figure - reach, 0.0), min(figure + reach, 1.0)


def features_alone(training: pd.DataFrame, labels: Array, task: Task) -> dict[str, Alone]:
    """Measure every feature alone on at most 100,000 rows, the strongest first.

    Numbers are binned, categories are their own bins; what the bins of one half show scores the other half, so
    that many categories do not look strong by chance and relations need not be monotone.
    """
    picked = sample_positions(len(training), SAMPLED_ROWS)
    labels = labels[picked]
    strength = task.strength
    cases = {name: (target, strength.cases(target)) for name, target in strength.targets(labels).items()}
    targets = {
        name: (target, _most_bins(count))
        for name, (target, count) in cases.items()
        if count >= strength.fewest
    }
    most = _most_bins(strength.cases(labels))
    halves = stratified_halves(task.strata(pd.Series(labels)).to_numpy(np.intp))
    features = {
        str(name): _alone(training[name].to_numpy()[picked], labels, targets, most, halves, strength)
        for name in training
    }
    return dict(sorted(features.items(), key=lambda item: -item[1].figure))


def texts_alone(texts: pd.DataFrame, labels: Array, task: Task) -> dict[str, Alone]:
    """Measure every column of texts alone on at most 20,000 rows, by linear models of each half; see `learn_text`.

    Columns of no use are left out.
    """
    picked = sample_positions(len(texts), MODEL_ROWS)
    labels, strength, found = labels[picked], task.strength, {}
    targets = {
        name: target
        for name, target in strength.targets(labels).items()
        if strength.cases(target) >= strength.fewest
    }
    halves = stratified_halves(task.strata(pd.Series(labels)).to_numpy(np.intp))
    for name in texts if targets else ():
        learnt = learn_text(texts[name].iloc[picked], labels, halves, task)
        if isinstance(learnt, str):
            continue
        ranks = dict(zip(learnt.column.outputs, (_levels(each)[0] for each in learnt.scores.T), strict=True))
        figures = {of: strength.of_order(ranks[of], target, halves) for of, target in targets.items()}
        settled = min(strength.out_of_order(each, labels) for each in ranks.values())
        if len(ranks) > 1:
            settled = int((learnt.scores.argmax(axis=1) != labels).sum())
        missing = float(texts[name].isna().mean())
        found[str(name)] = Alone(*mean_figure(list(figures.values())), missing, settled, strength, figures)
    return found


def stratified_halves(strata: Codes) -> Codes:
    """Assign a random half of each stratum to half 1, the rest to half 0."""
    halves = np.zeros(len(strata), np.intp)
    rng = np.random.default_rng(SEED)
    for stratum in np.unique(strata):
        halves[rng.permutation(np.flatnonzero(strata == stratum))[::2]] = 1
    return halves


def _most_bins(cases: int) -> int:
    return min(max(cases // ROWS_A_BIN, FEWEST_BINS), MOST_BINS)


def _alone(
    values: np.ndarray,
    labels: Array,
    targets: dict[str, tuple[Array, int]],
    most: int,
    halves: Codes,
    strength: Strength,
) -> Alone:
    """Score each half by what the other half's bins show, `most` of the labels and as many as each target has."""
    levels, numbers = _levels(values)
    missing = float((levels == 0).mean())
    if not targets:
        return Alone(*strength.chance, missing, len(labels), strength, {})
    figures = {}
    for name, (target, most_of_target) in targets.items():
        bins = _bins(levels, most_of_target) if numbers else levels
        figures[name] = strength.of_values(bins, target, halves)
        if numbers:
            # In few rows the bins hide a relation that is monotone.
            figures[name] = max(figures[name], strength.of_order(levels, target, halves))
    contradicted = strength.contradicted(_bins(levels, most) if numbers else levels, labels, halves)
    if numbers:
        contradicted = min(contradicted, strength.out_of_order(levels, labels))
    return Alone(*mean_figure(list(figures.values())), missing, contradicted, strength, figures)


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


def joint_strength(training: pd.DataFrame, target: Array, strength: Strength) -> Figure:
    """Figure of all features together and its standard error, by boosted models cross-fitted on two halves.

    `target` is one of `Strength.targets`. At most 20,000 rows are used; chance where there are too few cases.
    """
    picked = sample_positions(len(training), _affordable(training, MODEL_ROWS))
    rows = training.iloc[picked]

    def boost(matrix: Floats, learnt: Array) -> Any:
        return _boost(matrix, learnt, strength)

    return _cross_fitted(_matrix(rows, rows), target[picked], boost, strength)


def additive_strength(training: pd.DataFrame, target: Array, strength: Strength) -> Figure:
    """As `joint_strength`, by a linear model of ranks, which needs fewer rows and sees no interactions."""
    picked = sample_positions(len(training), MODEL_ROWS)
    ranks = [_as_ranks(training[name].iloc[picked]) for name in training]
    return _cross_fitted(np.concatenate(ranks, axis=1), target[picked], strength.regress, strength)


def _cross_fitted(
    matrix: Floats, target: Array, fit: Callable[[Floats, Array], Any], strength: Strength
) -> Figure:
    """Mean figure and standard error of two models, each scoring the half that the other was fitted on."""
    if strength.cases(target) < strength.fewest:
        return strength.chance
    halves, scored = stratified_halves(strength.strata(target)), []
    with _one_thread():
        for half in (0, 1):
            model = fit(matrix[halves != half], target[halves != half])
            scores = strength.predict(model, matrix[halves == half])
            scored.append(strength.of_scores(scores, target[halves == half]))
    return mean_figure(scored)


def _as_ranks(column: pd.Series) -> Floats:
    """Centred ranks, their squares and a missing indicator; for codes, dummies of the frequent ones."""
    if column.dtype.kind == "i":
        levels = column[column >= 0].value_counts().index[:MOST_LEVELS]
        return np.asarray(column.to_numpy()[:, None] == levels.to_numpy()[None, :], dtype=float)
    ranks = (column.rank(pct=True) - 0.5).fillna(0.0).to_numpy(float)
    return np.stack([ranks, ranks**2, column.isna().to_numpy(float)], axis=1)


def useless_features(
    training: pd.DataFrame,
    labels: Array,
    judged: pd.DataFrame,
    judged_labels: Array,
    candidates: list[str],
    task: Task,
) -> dict[str, Figure]:
    """Candidates without permutation importance, with the mean rise of the loss and its standard error.

    A boosted model learns from at most 20,000 training rows. On at most 5,000 judged (validation) rows the
    values of each candidate are permuted (Breiman, "Random Forests", 2001, section 10); it is useless if that
    raises the loss by at most two standard errors. More than 50 candidates are permuted in groups, and useful
    groups are divided. None is found where there are too many classes to boost.
    """
    strength = task.strength
    learnt = sample_positions(len(training), _affordable(training, MODEL_ROWS))
    few = strength.cases(labels[learnt]) < strength.fewest_for_noise
    if not candidates or judged.empty or few or not task.boosters:
        return {}
    picked = sample_positions(len(judged), _affordable(judged, JUDGED_ROWS))
    matrix = _matrix(judged.iloc[picked], training)
    truth = strength.scaled(judged_labels[picked], labels[learnt])
    size = -(-len(candidates) // GROUPS)
    groups = [candidates[start : start + size] for start in range(0, len(candidates), size)]
    useless: dict[str, Figure] = {}
    with _one_thread():
        scaled = strength.scaled(labels[learnt], labels[learnt])
        model = _boost(_matrix(training.iloc[learnt], training), scaled, strength)
        losses = strength.losses(model, matrix, truth)
        while groups:
            group = groups.pop()
            columns = training.columns.get_indexer(pd.Index(group))
            rises = (
                _permuted_losses(matrix, columns, lambda rows: strength.losses(model, rows, truth)) - losses
            )
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


def _boost(matrix: Floats, scaled: Array, strength: Strength) -> Any:
    return strength.boost(
        matrix,
        scaled,
        max_iter=TREES,
        max_leaf_nodes=15,
        min_samples_leaf=30,
        l2_regularization=1.0,
        random_state=SEED,
    )


def _permuted_losses(matrix: Floats, columns: Codes, losses: Callable[[Floats], Floats]) -> Floats:
    """Mean loss of each row with some columns permuted together."""
    rng = np.random.default_rng(SEED)
    permuted, total = matrix.copy(), np.zeros(len(matrix))
    for _ in range(REPEATS):
        permuted[:, columns] = matrix[rng.permutation(len(matrix))][:, columns]
        total += losses(permuted)
    return total / REPEATS
