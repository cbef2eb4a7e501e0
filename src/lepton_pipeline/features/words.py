"""Words of texts, and which of them move what a column of texts says of a row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.features.text import TextColumn, cleaned
from lepton_pipeline.statistics.losses import Floats

# What the embedding of a text adds, beside quoted words; no quote has so many words.
WHOLE = "the sentence as a whole"
# Of a text with more words, those are left out in turn that say most by themselves.
MOST_LEFT_OUT = 12
_QUOTES = 3
# What moves the score by less than this share of the first word's is not worth a quote.
_LEAST_SHARE = 0.2
_CHARACTERS_AT_ONCE = 5_000_000
# Scripts without blanks between words: Thai and Lao, Burmese, Khmer, kana, Chinese characters.
_UNBROKEN = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
# Accents and vowel signs, which `re` does not take for parts of words.
_MARKS = "\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_CHARACTER = rf"(?=[{_UNBROKEN}])\w(?:(?!\w)[{_UNBROKEN}])*"
_WORD = rf"(?![{_UNBROKEN}])\w(?:(?![{_UNBROKEN}])[\w{_MARKS}]|['’](?=\w)|(?<=\d)[.,](?=\d))*"
_UNIT = re.compile(f"{_CHARACTER}|{_WORD}")
_IS_CHARACTER = re.compile(f"[{_UNBROKEN}]")
_MOST_WORDS, _MOST_CHARACTERS = 2, 4

Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Unit:
    """A word of a text, or a character of a script without blanks between words."""

    text: str
    start: int
    end: int


def units(text: str) -> list[Unit]:
    """Words of a cleaned text in order; scripts without blanks between words are cut into characters.

    >>> [unit.text for unit in units("don't: hot-tub 温泉 6.4")]
    ["don't", 'hot', 'tub', '温', '泉', '6.4']
    """
    return [Unit(found.group(), *found.span()) for found in _UNIT.finditer(text)]


def frequent_words(texts: Iterable[str], fewest: int) -> dict[tuple[str, ...], int]:
    """Single words and pairs of neighbours that at least `fewest` of the cleaned texts hold, with the number of texts.

    Only pairs of frequent words are counted, so that memory is bounded by these.
    """
    split = [[unit.text for unit in units(text)] for text in texts]
    words = Counter((word,) for text in split for word in set(text))
    known = {word for (word,), count in words.items() if count >= fewest}
    pairs = Counter(pair for text in split for pair in set(pairwise(text)) if known.issuperset(pair))
    counted = chain[tuple[tuple[str, ...], int]](words.items(), pairs.items())
    return {word: count for word, count in counted if count >= fewest}


def joined(words: Sequence[str]) -> str:
    """One word or two as they are written in a text."""
    blank = "" if all(map(_IS_CHARACTER.match, words)) else " "
    return blank.join(words)


def quote_words(
    column: TextColumn, texts: pd.Series, outputs: Positions, signs: Floats
) -> list[tuple[str, ...]]:
    """Up to three words or pairs of each text that move its score most, the strongest first.

    A word counts by how far the score of one of the column's outputs (`outputs`, [n]) falls, or rises where the
    sign [n] is negative, when the word is left out wherever the text has it; neighbours are quoted together. At
    most `MOST_LEFT_OUT` words of a text are left out in turn, so time is linear in the length of texts. A text
    without such a word gives none. `WHOLE` stands for what the sentence adds over an empty text, where that
    moves the score likewise.
    """
    clean, whole_texts = cleaned(texts), _moved_as_a_whole(column, texts, outputs, signs)
    split = [units(text) for text in clean]
    tried = _tried(column, split, outputs, signs)
    quotes: list[tuple[str, ...]] = []
    for rows in _parts([len(text) * (1 + len(words)) for text, words in zip(clean, tried, strict=True)]):
        shorter = [_without(clean[row], split[row], word) for row in rows for word in tried[row]]
        whole = column.word_scores(pd.Series([clean[row] for row in rows], dtype=object))
        scores = column.word_scores(pd.Series(shorter, dtype=object))
        start = 0
        for place, row in enumerate(rows):
            stop = start + len(tried[row])
            moved = signs[row] * (whole[place, outputs[row]] - scores[start:stop, outputs[row]])
            found = dict(zip(tried[row], moved.tolist(), strict=True))
            quotes.append(_with_whole(_quotes(clean[row], split[row], found), found, whole_texts[row]))
            start = stop
    return quotes


def _moved_as_a_whole(column: TextColumn, texts: pd.Series, outputs: Positions, signs: Floats) -> Floats:
    """How far each text moves what sentences say of its output, [n]; 0 without an encoder."""
    if column.sentences is None:
        return np.zeros(len(texts))
    scores = column.sentence_scores(pd.concat([texts.astype(object), pd.Series([""], dtype=object)]))
    return np.asarray(signs * (scores[:-1] - scores[-1])[np.arange(len(texts)), outputs])


def _with_whole(words: tuple[str, ...], moved: Mapping[str, float], whole: float) -> tuple[str, ...]:
    """Quote what a text moves as a whole among its words."""
    if whole < _least(moved):
        return words
    return (WHOLE, *words) if whole > max(moved.values(), default=0) else (*words, WHOLE)


def _least(moved: Mapping[str, float]) -> float:
    """What is worth a quote."""
    return max(_LEAST_SHARE * max(moved.values(), default=0), 1e-6)


def _tried(
    column: TextColumn, split: Sequence[Sequence[Unit]], outputs: Positions, signs: Floats
) -> list[list[str]]:
    """The words of each text that are left out in turn."""
    words = [list(dict.fromkeys(unit.text for unit in text)) for text in split]
    long = [row for row, own in enumerate(words) if len(own) > MOST_LEFT_OUT]
    known = list(dict.fromkeys(word for row in long for word in words[row]))
    alone = dict(zip(known, column.word_scores(pd.Series(known, dtype=object)), strict=True))
    for row in long:
        output, sign = outputs[row], signs[row]
        # Sorting is stable: of equal words, the first in the text.
        ranked = sorted(words[row], key=lambda word: -sign * alone[word][output])
        words[row] = ranked[:MOST_LEFT_OUT]
    return words


def _parts(sizes: Sequence[int]) -> Iterator[range]:
    """Rows in order, in parts that are scored at once."""
    start, total = 0, 0
    for row, size in enumerate(sizes):
        if total and total + size > _CHARACTERS_AT_ONCE:
            yield range(start, row)
            start, total = row, 0
        total += size
    if start < len(sizes):
        yield range(start, len(sizes))


def _without(text: str, split: Sequence[Unit], word: str) -> str:
    kept, at = [], 0
    for unit in split:
        if unit.text == word:
            kept.append(text[at : unit.start])
            at = unit.end
    return "".join([*kept, text[at:]])


def _quotes(text: str, split: Sequence[Unit], moved: Mapping[str, float]) -> tuple[str, ...]:
    """Quote the words that move the score most, each at its first place or beside another."""
    least = _least(moved)
    spans: list[tuple[int, int]] = []
    for word in sorted(moved, key=lambda word: -moved[word]):
        if moved[word] < least:
            break
        places = [place for place, unit in enumerate(split) if unit.text == word]
        joined = next(
            (
                (at, (min(first, place), max(last, place)))
                for at, (first, last) in enumerate(spans)
                for place in places
                if _follow(text, split, (first, last), place)
            ),
            None,
        )
        if joined:
            spans[joined[0]] = joined[1]
        elif len(spans) == _QUOTES:
            break
        else:
            spans.append((places[0], places[0]))
    return tuple(" ".join(text[split[first].start : split[last].end].split()) for first, last in spans)


def _follow(text: str, split: Sequence[Unit], span: tuple[int, int], place: int) -> bool:
    """Whether a word stands beside a quote that has room for it, with a blank or hyphen at most in between."""
    first, last = span
    characters = all(map(_IS_CHARACTER.match, (split[first].text, split[place].text)))
    if place not in (first - 1, last + 1) or last - first + 2 > (
        _MOST_CHARACTERS if characters else _MOST_WORDS
    ):
        return False
    left, right = (place, first) if place < first else (last, place)
    return not text[split[left].end : split[right].start].strip(" -")
