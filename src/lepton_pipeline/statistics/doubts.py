"""How far labels contradict scores of models that did not learn from them.

Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels".
"""

from __future__ import annotations

import numpy as np

from lepton_pipeline.statistics.losses import SMALLEST, Floats

# Groups of like prediction, each with so many rows or more.
_GROUPS, _ROWS_OF_A_GROUP = 10, 20
# An error below three median ones is within two standard deviations of a normal distribution.
_USUAL = 3.0
# A median error of 0, as of a target that is mostly 0, counts as this share of the mean error.
_LEAST_TYPICAL = 0.01


def class_doubts(labels: np.ndarray, probabilities: Floats) -> Floats:
    """Doubts of labels [n], places of classes, by out-of-fold probabilities [n, K]; 0 where nothing contradicts.

    A label is contradicted as in confident learning (Northcutt, Jiang and Chuang 2021): among the classes that are
    at least as probable as they are on average in rows of that label, another is the likeliest. Its doubt is 1 less
    the probability of its own class, in units of that average, as all probabilities of a rare class are low.

    >>> probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.9, 0.1]])
    >>> class_doubts(np.array([0, 0, 0, 1, 1]), probabilities).round(3).tolist()
    [0.0, 0.0, 0.833, 0.0, 0.75]
    """
    places = labels.astype(np.intp)
    own = probabilities[np.arange(len(places)), places]
    counts = np.bincount(places, minlength=probabilities.shape[1])
    means = np.bincount(places, own, minlength=len(counts)) / np.maximum(counts, 1)
    # A class without rows has no mean, and contradicts nothing.
    means = np.where(counts > 0, means.clip(SMALLEST), np.inf)
    confident = np.where(probabilities >= means, probabilities, -1.0)
    contradicted = (confident.argmax(axis=1) != places) & (confident.max(axis=1) >= 0)
    return np.where(contradicted, 1 - own / means[places], 0.0).clip(0)


def error_doubts(labels: Floats, predicted: Floats) -> Floats:
    """Doubts of numbers [n] by out-of-fold predictions [n]: errors of more than three typical ones; 0 below.

    They are in units of the median error of rows of like prediction, up to ten groups of 20 rows or more, as
    errors mostly grow with what is predicted.

    >>> error_doubts(np.array([1.0, -1.0, 2.0, -8.0]), np.zeros(4)).tolist()
    [0.0, 0.0, 0.0, 5.333333333333333]
    """
    errors = np.abs(labels - predicted)
    typical = np.empty(len(errors))
    groups = int(np.clip(len(errors) // _ROWS_OF_A_GROUP, 1, _GROUPS))
    for rows in np.array_split(np.argsort(predicted, kind="stable"), groups):
        typical[rows] = np.median(errors[rows])
    doubts = errors / np.maximum(typical, (_LEAST_TYPICAL * errors.mean()) or 1.0)
    return np.where(doubts > _USUAL, doubts, 0.0)
