"""Linear models of texts, each of all folds but one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lepton_pipeline.features.column_encoders import Positions
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.tasks.task import Array, Task

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Held-out rows by which the strength of a model is chosen.
_JUDGED = 2000

Floats32 = npt.NDArray[np.float32]
Linear = tuple[Floats32, Floats32]


@dataclass(frozen=True)
class TextRows:
    """Rows to learn from: the place of each row's text, its fold, its label, and how much it counts."""

    place: Positions
    fold: Positions
    labels: Array
    counted: Array


def fit_folds(
    task: Task,
    make: Callable[[], Any],
    matrix: csr_matrix | Floats32,
    rows: TextRows,
    folds: Iterable[int] | None = None,
) -> list[Linear]:
    """A linear model of all folds but one, for each of `folds`; `matrix` has a row for each text."""
    targets = task.fitted(rows.labels).targets(rows.labels)
    held = range(rows.fold.max() + 1) if folds is None else folds
    learnt = [np.flatnonzero((rows.fold != number) & (rows.counted > 0)) for number in held]
    return [
        _fit(task, make(), matrix[rows.place[some]], targets[some], rows.counted[some]) for some in learnt
    ]


def fit_best(task: Task, matrix: csr_matrix, rows: TextRows) -> list[Linear]:
    """The task's linear models of n-grams, of all folds but one, for each.

    Of several strengths, the one whose scores of held-out rows go best with what they are of: by the mean squared
    correlation, which does not depend on a scale. Folds are tried until 2,000 rows were held out; of equally good
    ones, the first strength.
    """
    sizes = np.bincount(rows.fold)
    tried = 1 + int(np.searchsorted(np.cumsum(sizes), min(_JUDGED, len(rows.fold))))
    fits = [
        fit_folds(task, partial(task.text_model, strength), matrix, rows, range(tried))
        for strength in task.text_strengths
    ]
    judged = np.flatnonzero(rows.fold < tried)
    of_class = task.fitted(rows.labels).targets(rows.labels)[judged]
    if (outputs := len(task.text_outputs)) > 1:
        of_class = np.eye(outputs)[of_class]
    place, fold = rows.place[judged], rows.fold[judged]
    fitness = [
        _agreement(
            held_out(matrix, place, fold, models), of_class.reshape(len(judged), -1), rows.counted[judged]
        )
        for models in fits
    ]
    best = int(np.argmax(fitness))
    rest = range(tried, len(sizes))
    return fits[best] + fit_folds(
        task, partial(task.text_model, task.text_strengths[best]), matrix, rows, rest
    )


def _agreement(scores: Floats32, truth: Floats, counted: Array) -> float:
    """Mean over the outputs of the squared correlation, 0 where one side does not vary; both are [rows, outputs]."""
    if not counted.any():
        return 0.0
    one, other = (
        each - np.average(each, axis=0, weights=counted) for each in (scores.astype(np.float64), truth)
    )
    both, of_one, of_other = (
        (counted[:, None] * product).sum(axis=0) for product in (one * other, one**2, other**2)
    )
    spread = of_one * of_other
    return float(np.mean(np.divide(both**2, spread, out=np.zeros(len(spread)), where=spread > 0)))


def _fit(task: Task, model: Any, matrix: csr_matrix | Floats32, targets: Array, counted: Array) -> Linear:
    """Weights [places, outputs] and intercepts [outputs] of a linear model; rows count as much as `counted`."""
    from sklearn.base import is_classifier

    outputs = len(task.text_outputs)
    known = np.unique(targets)
    if len(known) > 1:
        # Their mean is 1, or their unit would change how much is learnt.
        return _margins(model.fit(matrix, targets, sample_weight=counted / counted.mean()), outputs)
    # Nothing tells texts of one class apart.
    intercepts = np.full(outputs, -1 if is_classifier(model) else 0, dtype=np.float32)
    if outputs > 1:
        intercepts[known.astype(np.intp)] = 1
    elif len(known):
        intercepts[:] = 2 * known - 1 if is_classifier(model) else known
    return np.zeros((matrix.shape[1], outputs), dtype=np.float32), intercepts


def held_out(matrix: csr_matrix, place: Positions, fold: Positions, models: Sequence[Linear]) -> Floats32:
    """Score the texts at `place`, one a row, by the model that has not learnt from the row's fold."""
    scores = np.empty((len(place), len(models[0][1])), dtype=np.float32)
    for number, (weights, intercepts) in enumerate(models):
        held = np.flatnonzero(fold == number)
        scores[held] = matrix[place[held]] @ weights + intercepts
    return scores


def mean_model(models: Sequence[Linear], factor: float) -> tuple[Floats, Floats]:
    """The mean of the folds' models, whose scores are multiplied."""
    weights = sum((own.astype(np.float64) for own, _ in models), np.zeros(())) / len(models)
    intercepts = sum((own.astype(np.float64) for _, own in models), np.zeros(())) / len(models)
    return factor * weights, factor * intercepts


def _margins(model: Any, outputs: int) -> Linear:
    """Weights [places, outputs] and intercepts [outputs] of a fitted linear model of scikit-learn.

    A class that it has not seen has the margin -1, whatever the text.
    """
    coefficients = np.atleast_2d(model.coef_).astype(np.float32)
    intercepts = np.atleast_1d(model.intercept_).astype(np.float32)
    if outputs == 1:
        return coefficients.T, intercepts
    known = np.asarray(model.classes_, dtype=np.intp)
    if len(known) == 2:
        coefficients, intercepts = (
            np.vstack([-coefficients, coefficients]),
            np.append(-intercepts, intercepts),
        )
    weights = np.zeros((coefficients.shape[1], outputs), dtype=np.float32)
    all_intercepts = np.full(outputs, -1, dtype=np.float32)
    weights[:, known], all_intercepts[known] = coefficients.T, intercepts
    return weights, all_intercepts
