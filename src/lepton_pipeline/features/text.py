"""Columns of written language: words and pieces of words, reduced to what they say of the target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.column_encoders import Positions, distinct_texts
from lepton_pipeline.features.embedding_cache import Halves
from lepton_pipeline.features.grams import Known, learn_terms, terms_of
from lepton_pipeline.features.sentence_part import SentencePart, learn_sentences
from lepton_pipeline.features.sentences import SentenceEncoder
from lepton_pipeline.features.text_folds import Floats32, Linear, TextRows, fit_best, held_out, mean_model
from lepton_pipeline.statistics.samples import sample_positions
from lepton_pipeline.tasks.task import Array, Task

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Words and pieces that are known, as many as weights of all outputs have room for, and at least some.
MOST_KNOWN, _FEWEST_KNOWN, _MOST_WEIGHTS = 2**18, 2**11, 5_000_000
# Of a longer text the beginning counts; of more rows, or longer texts, a sample is learnt from.
MOST_CHARACTERS, MOST_ROWS, _MOST_LEARNT = 20_000, 200_000, 30_000_000
FOLDS = 5
# A character has up to six n-grams; a text costs something, however short.
_CHARACTERS_AT_ONCE, _A_TEXT = 2_000_000, 50


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column of texts, mapped to what a linear model of its n-grams says of the target: one number an output.

    TF-IDF with logarithmic counts (Salton and Buckley 1988, "Term-weighting approaches in automatic text
    retrieval") of n-grams known by their hashes; words and pieces have length 1 each.
    With an encoder of sentences, what its embedding of the whole text says is added.
    """

    name: str
    outputs: tuple[str, ...]  # what the numbers are of: classes; one empty name where there is one number
    rarity: Floats32  # inverse document frequency of each n-gram, [places]: words, then pieces
    weights: Floats32  # mean of the folds' models, [places, outputs]
    intercepts: Floats32  # [outputs]
    sentences: SentencePart | None = None
    # weight of the sentences in the blend of both parts; None if no encoder was declared
    share: float | None = None
    # of the n-grams; None in models of an earlier release, see `terms_of`
    known: Known | None = None

    @property
    def input(self) -> str:
        """Type of the raw values."""
        return "text"

    @property
    def encoded_names(self) -> list[str]:
        """Names of the encoded columns."""
        return [f"{self.name}: {output or 'what its words say'}" for output in self.outputs]

    def transform(self, column: pd.Series) -> dict[str, Floats32]:
        """Map texts to numbers; a missing one is like an empty one. A row does not depend on other rows."""
        return self._named(self.scores(column))

    def scores(self, column: pd.Series) -> Floats32:
        """What texts say, float32 [n, outputs]: the sum of `word_scores` and `sentence_scores`."""
        words = self.word_scores(column)
        return words if self.sentences is None else words + self.sentence_scores(column)

    def word_scores(self, column: pd.Series) -> Floats32:
        """What the n-grams of texts say, float32 [n, outputs]."""
        positions, texts = _distinct(column)
        scores = np.empty((len(texts), len(self.outputs)), dtype=np.float32)
        for some in _chunks(texts):
            scores[some] = self.terms(map(clean, texts[some])) @ self.weights + self.intercepts
        return scores[positions]

    def sentence_scores(self, column: pd.Series) -> Floats32:
        """What whole texts say by their embeddings, float32 [n, outputs]; 0 without an encoder."""
        if self.sentences is None or column.empty:
            return np.zeros((len(column), len(self.outputs)), dtype=np.float32)
        positions, texts = _distinct(column)
        # A missing text has the last position, which may be that of no row.
        used, place = np.unique(positions, return_inverse=True)
        return self.sentences.scores([whole(texts[each]) for each in used])[place]

    def sentence_vectors(self, column: pd.Series) -> Halves:
        """Embeddings of the texts that are not empty, [such rows, dimensions]; none without an encoder."""
        positions, texts = _distinct(column)
        used, place = np.unique(positions[[texts[each] != "" for each in positions]], return_inverse=True)
        if self.sentences is None or not len(used):
            return np.empty((0, 0), dtype=np.float16)
        return self.sentences.encoder.embed([whole(texts[each]) for each in used])[place]

    def _named(self, scores: Floats32) -> dict[str, Floats32]:
        return {name: np.ascontiguousarray(scores[:, place]) for place, name in enumerate(self.encoded_names)}

    def terms(self, texts: Iterable[str]) -> csr_matrix:
        """TF-IDF of cleaned texts, float32 [texts, places]."""
        return terms_of(texts, self.rarity, self.known)


@dataclass(frozen=True)
class LearntText:
    """A fitted column, and its encoded columns of the rows of the folds, at `rows`: out of fold."""

    column: TextColumn
    rows: Positions
    scores: Floats32  # [rows, outputs]

    def encode(self, table: pd.DataFrame) -> dict[str, Floats32]:
        """Encode all rows of the table; none by a model that has learnt from its own label."""
        others = np.delete(np.arange(len(table)), self.rows)
        scores = np.empty((len(table), self.scores.shape[1]), dtype=np.float32)
        scores[self.rows] = self.scores
        scores[others] = self.column.scores(table[self.column.name].iloc[others])
        return self.column._named(scores)


def learn_text(
    column: pd.Series,
    labels: Array,
    folds: Positions,
    task: Task,
    weights: Array | None = None,
    encoder: SentenceEncoder | None = None,
) -> LearntText | str:
    """Fit a column of texts on the rows whose number in `folds` is 0 or more; or say why it is of no use.

    Every fold is scored by a linear model of the others (stacking: Wolpert 1992, "Stacked generalization"), so
    that what follows learns how much the texts tell of rows that are new. `labels`, `folds` and `weights` are
    [n]. With an encoder, see `learn_sentences`. Raises DataError where the column holds no texts.
    """
    _require_texts(column)
    rows = np.flatnonzero(folds >= 0)
    positions, texts = _distinct(column.iloc[rows])
    numbers, fold = np.unique(folds[rows], return_inverse=True)
    if useless := _why_useless([texts[place] for place in np.unique(positions)], len(numbers)):
        return useless
    # Of equal texts each counts, but one is hashed.
    positions %= len(texts)
    lengths = np.fromiter((min(len(text), MOST_CHARACTERS) for text in texts), np.int64, len(texts))
    affordable = int(_MOST_LEARNT // max(lengths[positions].mean(), 1))
    sample = sample_positions(len(rows), min(MOST_ROWS, affordable))
    used, place = np.unique(positions[sample], return_inverse=True)
    own = [clean(texts[each]) for each in used]
    most = _most_known(len(task.text_outputs))
    matrix, known, rarity = learn_terms(own, _chunks(own), np.bincount(place), most)
    if not len(rarity):
        return "no text holds more than blanks"
    counted = np.ones(len(rows)) if weights is None else weights[rows]
    learnt = TextRows(place, fold[sample], labels[rows[sample]], counted[sample])
    models = fit_best(task, matrix, learnt)
    scores = np.empty((len(rows), len(task.text_outputs)), dtype=np.float32)
    scores[sample] = held_out(matrix, place, fold[sample], models)
    others = np.delete(np.arange(len(rows)), sample)
    terms = partial(terms_of, rarity=rarity, known=known)
    scores[others] = _score_others(texts, positions[others], fold[others], models, terms)
    blend = None
    if encoder is not None:
        # Rows beside the sample are not learnt from.
        counted[others] = 0
        every = TextRows(positions, fold, labels[rows], counted)
        blend = learn_sentences(encoder, [whole(text) for text in texts], every, scores, task)
        scores = blend.mixed(scores)
    middle, spread = scores.mean(axis=0, dtype=np.float64), scores.std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1
    mean, intercepts = mean_model(models, blend.factors[0] if blend else 1.0)
    made = TextColumn(
        str(column.name),
        tuple(task.text_outputs),
        rarity,
        (mean / spread).astype(np.float32),
        ((intercepts - middle) / spread).astype(np.float32),
        blend.part(spread) if blend else None,
        blend.share if blend else None,
        known,
    )
    return LearntText(made, rows, ((scores - middle) / spread).astype(np.float32))


def _why_useless(texts: Sequence[str], folds: int) -> str:
    different = map(clean, texts)
    first = next(different, "")
    if all(text == first for text in different):
        return "every text is the same" if first else "every text is empty"
    return "" if folds > 1 else "its rows cannot be divided into folds"


def cleaned(column: pd.Series) -> list[str]:
    """Texts of all rows, see `clean`; missing ones are empty."""
    positions, texts = _distinct(column)
    known = [clean(text) for text in texts]
    return [known[place] for place in positions]


def clean(text: str) -> str:
    """A text in lower case, at most `MOST_CHARACTERS` long."""
    return whole(text).lower()


def whole(text: str) -> str:
    """A text as it is written, at most `MOST_CHARACTERS` long."""
    # JSON may hold half a character, which UTF-8 cannot.
    return text[:MOST_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _distinct(column: pd.Series) -> tuple[Positions, list[str]]:
    """Position of each row's text, and the texts in NFC; a missing value has position -1, which is an empty one."""
    positions, texts = distinct_texts(column, "text")
    return positions, [*texts, ""]


def _chunks(texts: Sequence[str]) -> Iterator[slice]:
    """Cut texts into pieces whose n-grams take some 100 MB."""
    sizes = (min(len(text), MOST_CHARACTERS) + _A_TEXT for text in texts)
    start, characters = 0, 0
    for place, size in enumerate(sizes):
        if characters and characters + size > _CHARACTERS_AT_ONCE:
            yield slice(start, place)
            start, characters = place, 0
        characters += size
    if texts:
        yield slice(start, len(texts))


def _score_others(
    texts: Sequence[str],
    positions: Positions,
    fold: Positions,
    models: Sequence[Linear],
    terms: Callable[[Iterable[str]], csr_matrix],
) -> Floats32:
    """Score rows of the folds that are in no sample, likewise."""
    scores = np.empty((len(positions), len(models[0][1])), dtype=np.float32)
    used, place = np.unique(positions, return_inverse=True)
    own = [texts[position] for position in used]
    order = np.argsort(place, kind="stable")
    for some in _chunks(own):
        matrix = terms(map(clean, own[some]))
        first, last = np.searchsorted(place, (some.start, some.stop), sorter=order)
        chosen = order[first:last]
        scores[chosen] = held_out(matrix, place[chosen] - some.start, fold[chosen], models)
    return scores


def _require_texts(column: pd.Series) -> None:
    said, present = f"column {column.name!r} is declared in dataset.text, but", column.dropna()
    if present.empty:
        return
    if column.dtype.kind in "mM":
        raise DataError(
            f"{said} holds dates or durations ({column.dtype}), first {present.iloc[0]}; leave it out there, and "
            "derive month, weekday or hour of it (features.derive)."
        )
    if pd.api.types.is_numeric_dtype(column.dtype):
        raise DataError(
            f"{said} holds {column.dtype} values, first {present.iloc[0]}; leave it out there, it is a feature as "
            "it is."
        )
    written = [text for text in map(str, present) if text.strip()]
    if written and not any(any(map(str.isalpha, text[:MOST_CHARACTERS])) for text in written):
        raise DataError(
            f"{said} holds no letter, first {written[0][:40]!r}; declare it in dataset.categorical, or leave it out "
            "with dataset.exclude."
        )


def _most_known(outputs: int) -> int:
    return min(max(_MOST_WEIGHTS // (2 * outputs), _FEWEST_KNOWN), MOST_KNOWN)
