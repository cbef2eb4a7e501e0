"""What the embeddings of whole texts say of the target, and how much of a column's score that becomes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lepton_pipeline.features.embedding_cache import Halves
from lepton_pipeline.features.sentences import SentenceEncoder
from lepton_pipeline.features.text_folds import Floats32, Linear, TextRows, fit_folds, held_out, mean_model
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.samples import sample_positions
from lepton_pipeline.tasks.task import Array, Task

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Of the linear models of embeddings, which have length 1: inverse penalties, the weakest fit first.
STRENGTHS = (0.1, 1.0, 10.0, 100.0)
# Weights of the sentence part that are tried.
SHARES = tuple(number / 10 for number in range(11))
# Rows on which both are chosen, and logarithms of the slope of what is judged.
_JUDGED, _SLOPES = 20_000, (-3.0, 5.0)


@dataclass(frozen=True, eq=False)
class SentencePart:
    """A linear model of the embeddings of whole texts."""

    encoder: SentenceEncoder
    weights: Floats32  # [dimensions, outputs]
    intercepts: Floats32  # [outputs]

    def scores(self, texts: Sequence[str]) -> Floats32:
        """What whole texts say, float32 [texts, outputs]; a text does not depend on the others."""
        return np.asarray(_matrix(self.encoder.embed(texts)) @ self.weights + self.intercepts)


@dataclass(frozen=True)
class Blend:
    """The mean of the scores of words and sentences, each in units of its spread."""

    encoder: SentenceEncoder
    share: float  # weight of the sentences; the words have the rest
    spreads: tuple[float, float]  # of words and sentences
    sentences: Floats32  # their scores out of fold, [rows, outputs]
    models: Sequence[Linear]  # of the folds

    @property
    def factors(self) -> tuple[float, float]:
        """By which scores of words and of sentences are multiplied."""
        return (1 - self.share) / self.spreads[0], self.share / self.spreads[1]

    def mixed(self, words: Floats32) -> Floats32:
        """Scores of both parts together, out of fold."""
        of_words, of_sentences = self.factors
        return np.asarray(of_words * words + of_sentences * self.sentences, dtype=np.float32)

    def part(self, spread: Floats) -> SentencePart | None:
        """The part for new rows, with scores divided by `spread`; None where no text needs to be encoded."""
        weights, intercepts = (each / spread for each in mean_model(self.models, self.factors[1]))
        part = SentencePart(self.encoder, weights.astype(np.float32), intercepts.astype(np.float32))
        return part if self.share else None


def learn_sentences(
    encoder: SentenceEncoder, texts: Sequence[str], rows: TextRows, words: Floats32, task: Task
) -> Blend:
    """Fit the task's linear model of embeddings in the folds, and weigh it against the words.

    `words` are their out-of-fold scores, [rows, outputs]. Strength and weight are those with the lowest loss of
    the task in rows that the models have not learnt from, after one slope; the first strength that is no better
    than the one before ends the search.
    """
    embeddings = encoder.embed(texts)
    matrix, dense = _matrix(embeddings), embeddings.astype(np.float32)
    judged = sample_positions(len(rows.place), _JUDGED)
    task, best = task.fitted(rows.labels), np.inf

    def loss(scores: Floats32) -> float:
        return _loss(task, scores[judged], rows.labels[judged], rows.counted[judged])

    for strength in STRENGTHS:
        tried = _fit(task, strength, dense, rows)
        scores = held_out(matrix, rows.place, rows.fold, tried)
        if (found := loss(scores)) >= best:
            break
        best, models, sentences = found, tried, scores
    spreads = _spread(words), _spread(sentences)
    blends = [Blend(encoder, share, spreads, sentences, models) for share in SHARES]
    return min(blends, key=lambda blend: loss(blend.mixed(words)))


def _fit(task: Task, strength: float, embeddings: Floats32, rows: TextRows) -> list[Linear]:
    # Imported before the limit is set: it does not hold for libraries that are loaded later.
    from sklearn.linear_model import LogisticRegression  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        # A fit of many classes is stopped before it has converged.
        warnings.filterwarnings("ignore", "lbfgs failed to converge")
        return fit_folds(task, lambda: task.linear_model(strength), embeddings, rows)


def _matrix(embeddings: Halves) -> csr_matrix:
    """Embeddings as a sparse matrix: its products add up in the same order, however many rows there are."""
    from scipy.sparse import csr_matrix

    return csr_matrix(embeddings.astype(np.float32))


def _spread(scores: Floats32) -> float:
    """Standard deviation of scores around the mean of each output."""
    return float((scores - scores.mean(axis=0, dtype=np.float64)).std()) or 1.0


def _loss(task: Task, scores: Floats32, labels: Array, counted: Array) -> float:
    """Mean loss of scores as outputs of the task, after the slope that makes it lowest."""
    from scipy.optimize import minimize_scalar

    outputs = (scores if len(task.text_outputs) > 1 else scores[:, 0]).astype(np.float64)

    def at(slope: float) -> float:
        losses = task.row_losses(task.levelled(np.exp(slope) * outputs, labels, counted), labels)
        return float(np.average(losses, weights=counted))

    return float(minimize_scalar(at, bounds=_SLOPES, method="bounded").fun)
