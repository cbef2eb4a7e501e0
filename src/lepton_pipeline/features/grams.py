"""Words, pairs of them and pieces of words: counted by their hashes, weighed by how rare they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from lepton_pipeline.features.text_folds import Floats32
from lepton_pipeline.statistics.losses import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# One word and two in a row; pieces of 2 to 5 characters within words, or of scripts that put no blanks between them.
WORD = r"\w+"
WORDS: Mapping[str, object] = {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": WORD}
PIECES: Mapping[str, object] = {"analyzer": "char_wb", "ngram_range": (2, 5)}
# So many hashes that no two of some million n-grams share one.
HASHES = 2**30
# Models of an earlier release have a place for each hash, and pieces of one character, too.
_EARLIER_PIECES = {**PIECES, "ngram_range": (1, 5)}

Codes = npt.NDArray[np.int32]
Known = tuple[Codes, Codes]  # hashes of words and of pieces, each in order


def learn_terms(
    texts: Sequence[str], chunks: Iterable[slice], rows: npt.NDArray[np.intp], most: int
) -> tuple[csr_matrix, Known, Floats32]:
    """TF-IDF of cleaned texts that `rows` [texts] have, what is known by it, and how rare that is.

    At most `most` words, and as many pieces, are known: those of most rows.
    """
    from scipy.sparse import vstack

    counts = [(some, _count(texts[some])) for some in chunks]
    known, seen = zip(
        *(_frequent([(rows[some], both[kind]) for some, both in counts], most) for kind in (0, 1)),
        strict=True,
    )
    rarity = (np.log((1 + rows.sum()) / (1 + np.concatenate(seen))) + 1).astype(np.float32)
    both = cast("Known", known)
    weighed = [_weigh(*_keep(each, both), rarity, len(both[0])) for _, each in counts]
    return cast("csr_matrix", vstack(weighed, format="csr")), both, rarity


def terms_of(texts: Iterable[str], rarity: Floats32, known: Known | None) -> csr_matrix:
    """TF-IDF of cleaned texts, float32 [texts, words and pieces known]; words and pieces have length 1 each.

    The logarithm of a count, and one, is multiplied by its rarity. What is not known is as rare as the rarest, and
    counts in the length: of a text with one known word among strange ones, that word does not say all. Without
    `known`, of an earlier release, places are hashes.
    """
    from scipy.sparse import hstack

    if known is not None:
        return _weigh(*_keep(_count(texts), known), rarity, len(known[0]))
    places = len(rarity) // 2
    hashed = _count(texts, places, _EARLIER_PIECES)
    both = cast("csr_matrix", hstack(hashed, format="csr", dtype=np.float32))
    return _weigh(both, np.zeros(2 * both.shape[0]), rarity, places)


def _count(
    texts: Iterable[str], places: int = HASHES, pieces: Mapping[str, object] = PIECES
) -> tuple[csr_matrix, csr_matrix]:
    """Count words and pieces of each text, float32 [texts, places] each."""
    from sklearn.feature_extraction.text import HashingVectorizer

    texts = list(texts)
    words, parts = (
        HashingVectorizer(
            n_features=places, lowercase=False, norm=None, alternate_sign=False, dtype=np.float32, **kind
        ).transform(texts)
        for kind in (WORDS, pieces)
    )
    return words, parts


def _frequent(counts: Sequence[tuple[npt.NDArray[np.intp], csr_matrix]], most: int) -> tuple[Codes, Floats]:
    """At most so many hashes, in order, and how many rows have them; `counts` come with the rows of their texts."""
    found = [np.unique(count.indices, return_inverse=True) for _, count in counts]
    seen = [
        np.bincount(place, np.repeat(rows, np.diff(count.indptr)))
        for (rows, count), (_, place) in zip(counts, found, strict=True)
    ]
    codes, place = np.unique(np.concatenate([each for each, _ in found]), return_inverse=True)
    totals = np.bincount(place, np.concatenate(seen), len(codes))
    kept = np.sort(np.argsort(-totals, kind="stable")[:most])
    return codes[kept].astype(np.int32), totals[kept].astype(np.float64)


def _keep(counts: tuple[csr_matrix, csr_matrix], known: Known) -> tuple[csr_matrix, Floats]:
    """Counts of what is known, [texts, words and pieces], and squared logarithmic ones of the rest, [2 texts]."""
    from scipy.sparse import csr_matrix, hstack

    kept, rest = [], []
    for count, codes in zip(counts, known, strict=True):
        place = np.searchsorted(codes, count.indices)
        there = place < len(codes)
        there[there] = codes[place[there]] == count.indices[there]
        row = np.repeat(np.arange(count.shape[0]), np.diff(count.indptr))
        rest.append(np.bincount(row[~there], (1 + np.log(count.data[~there])) ** 2, count.shape[0]))
        before = np.append(0, np.cumsum(there))
        shape = count.shape[0], len(codes)
        kept.append(csr_matrix((count.data[there], place[there], before[count.indptr]), shape=shape))
    both = cast("csr_matrix", hstack(kept, format="csr", dtype=np.float32))
    return both, np.stack(rest, axis=1).ravel().astype(np.float64)


def _weigh(counts: csr_matrix, rest: Floats, rarity: Floats32, words: int) -> csr_matrix:
    """TF-IDF of counts [n, places], the first of which are of `words`; `rest` as `_keep` gives it."""
    from scipy.sparse import csr_matrix

    data = (1 + np.log(counts.data)) * rarity[counts.indices]
    # A length a row and kind; in order of rows, as the sums of one row must not depend on others.
    segment = 2 * np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    segment += counts.indices >= words
    squares = np.bincount(segment, data.astype(np.float64) ** 2, 2 * counts.shape[0])
    lengths = np.sqrt(squares + rest * float(rarity.max(initial=0)) ** 2)
    lengths[lengths == 0] = 1
    data = (data / lengths[segment]).astype(np.float32)
    return csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)
