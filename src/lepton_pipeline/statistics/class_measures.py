"""Metrics of several classes on weighted rows, for all resamples of a bootstrap at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lepton_pipeline.statistics.losses import Floats, class_log_losses
from lepton_pipeline.statistics.measures import accumulate, equal_mass_bins, find_ties, weigh


@dataclass(frozen=True)
class OneClass:
    """Rows by falling probability of one class, and what its own rows are compared with."""

    order: np.ndarray  # position of each row before sorting, 4 bytes each: there may be many classes
    members: np.ndarray  # positions of the rows of the class
    above: np.ndarray  # for each of them, the rows with a higher probability
    through: np.ndarray  # for each of them, the rows with one as high or higher


@dataclass(frozen=True)
class ClassRows:
    """Rows of one model of several classes; bins are those of `RankedRows`, by the highest probability."""

    classes: int
    labels: np.ndarray  # whole numbers from 0
    decided: np.ndarray  # the most probable class, of several the first
    log_losses: Floats
    ranks: Mapping[int, OneClass]  # by class that some row has
    by_confidence: np.ndarray  # position of each row before sorting by its highest probability, which falls
    gaps: Floats  # highest probability, less 1 where it is right, in that order
    bin_starts: np.ndarray  # first row of each calibration bin


@dataclass(frozen=True)
class ClassFigures:
    """Figures of each class, [classes] each."""

    rows: Floats  # their weights
    precision: Floats  # 0 for a class that is never decided on
    recall: Floats  # 0 for a class without rows, like `f1`
    f1: Floats
    auc: Floats  # of this class against all others; nan where either side has no rows


def rank_classes(probabilities: Floats, labels: np.ndarray) -> ClassRows:
    """Sort rows by their probabilities [rows, classes]; `labels` are whole numbers from 0."""
    decided, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    by_confidence = np.argsort(-confidence, kind="stable")
    return ClassRows(
        classes=probabilities.shape[1],
        labels=labels,
        decided=decided,
        log_losses=class_log_losses(probabilities, labels),
        ranks={int(each): _rank(probabilities[:, each], labels == each) for each in np.unique(labels)},
        by_confidence=by_confidence,
        gaps=(confidence - (decided == labels))[by_confidence],
        bin_starts=equal_mass_bins(confidence[by_confidence]),
    )


def _rank(scores: Floats, own: np.ndarray) -> OneClass:
    order = np.argsort(-scores, kind="stable")
    members = np.flatnonzero(own[order])
    starts, ends = find_ties(scores[order])
    ties = np.searchsorted(starts, members, side="right") - 1
    return OneClass(*(each.astype(np.int32) for each in (order, members, starts[ties], ends[ties])))


def measure_classes(rows: ClassRows, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of one model, [resamples] each, on rows weighted by how often they are drawn.

    `weights` are [resamples, rows], no resample without weight; none must have all classes. Every row counts
    as of its most probable class. Metrics: `log_loss` (natural, clipped to the resolution of float64);
    `accuracy`; of the classes that a row of the resample has, `macro_f1`, their mean F1 (few rows are of few
    classes, and wrong decisions for all others would each count as a class without any right one), and
    `balanced_accuracy`, their mean recall; `auc`, the mean of each such class
    against all others (a tie counts half; one half in a resample of one class); `ece`, the expected
    calibration error of the highest probability over ten bins of equal mass (Guo et al. 2017, "On calibration
    of modern neural networks"; bins of Nixon et al. 2019, "Measuring Calibration in Deep Learning").
    """
    total = weights.sum(axis=1)
    had, decided, right = _count(rows, weights)
    aucs = one_against_all(rows, weights)
    comparable = ~np.isnan(aucs)
    binned = np.add.reduceat(weights[:, rows.by_confidence] * rows.gaps, rows.bin_starts, axis=1)
    return {
        "log_loss": weigh(weights, rows.log_losses) / total,
        "macro_f1": _ratio(2 * right, had + decided).sum(axis=1) / (had > 0).sum(axis=1),
        "accuracy": right.sum(axis=1) / total,
        "balanced_accuracy": _ratio(right, had).sum(axis=1) / (had > 0).sum(axis=1),
        "auc": _ratio(np.where(comparable, aucs, 0).sum(axis=1), comparable.sum(axis=1), empty=0.5),
        "ece": np.abs(binned).sum(axis=1) / total,
    }


def one_against_all(rows: ClassRows, weights: np.ndarray) -> np.ndarray:
    """AUC of each class against all others, [resamples, classes], ties one half; nan without two sides."""
    aucs = np.full((len(weights), rows.classes), np.nan)
    for each, ranked in rows.ranks.items():
        others = weights[:, ranked.order]
        own = others[:, ranked.members]
        others[:, ranked.members] = 0
        passed = accumulate(others)
        beaten = passed[:, -1:] - (passed[:, ranked.above] + passed[:, ranked.through]) / 2
        aucs[:, each] = _ratio((own * beaten).sum(axis=1), own.sum(axis=1) * passed[:, -1], empty=np.nan)
    return aucs


def per_class(rows: ClassRows, weights: np.ndarray | None = None) -> ClassFigures:
    """Figures of each class; `weights` [rows] say how much each row counts."""
    each = np.ones((1, len(rows.labels))) if weights is None else weights[None]
    had, decided, right = (counts[0] for counts in _count(rows, each))
    return ClassFigures(
        rows=had,
        precision=_ratio(right, decided),
        recall=_ratio(right, had),
        f1=_ratio(2 * right, had + decided),
        auc=one_against_all(rows, each)[0],
    )


def confusion(
    labels: np.ndarray, decided: np.ndarray, classes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Rows by class and by the class decided on, [classes, classes]; whole numbers without `weights` [rows].

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), classes=2)
    array([[1, 1],
           [0, 1]])
    """
    return np.bincount(labels * classes + decided, weights, classes**2).reshape(classes, classes)


def _count(rows: ClassRows, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of each class, rows decided to be of it, and those of both, [resamples, classes] each."""
    hits = rows.labels == rows.decided
    had, decided, right = (
        np.stack([np.bincount(codes, each, rows.classes) for each in counted])
        for codes, counted in (
            (rows.labels, weights),
            (rows.decided, weights),
            (rows.labels[hits], weights[:, hits]),
        )
    )
    return had, decided, right


def _ratio(parts: np.ndarray, wholes: np.ndarray, empty: float = 0.0) -> np.ndarray:
    """Shares, `empty` where the whole is 0."""
    shares: np.ndarray = np.divide(parts, wholes, out=np.full(wholes.shape, empty), where=wholes > 0)
    return shares
