"""Tell columns of written language from codes, names, addresses and markup."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

import pandas as pd

# Judged by so many values, and by the beginning of each.
_SAMPLE, _CHARACTERS = 1000, 1000
_FEWEST_VALUES, _FEWEST_WORDS = 20, 3.0
# Least share of the characters that are letters, of the parts between blanks that are words, and of the words that
# other values hold as well: what is handed out or drawn by chance shares none.
_LETTERS, _WORDS, _SHARED = 0.6, 0.5, 0.2
_MARKUP = re.compile(r"<[^<>]*>|&#?\w+;")
_RECORD = re.compile(r"\s*(\{.*\}|\[.*\])\s*", re.DOTALL)
# Scripts without blanks between words, with about how many characters make a word: Thai, Lao, Khmer, Burmese;
# Chinese and Japanese.
_LONG_WORDS, _SHORT_WORDS = 7, 3
_UNSPACED = re.compile(
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
)
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_JOINED = frozenset("'’-‐·")


def words_a_text(column: pd.Series) -> float:
    """Mean number of words a value, where a column holds written language; otherwise 0.

    Language is many different values of several words, or in scripts without blanks of as many characters, mostly
    letters, some of whose words come again in other values. Ids, codes, paths, addresses of mail and web, records
    such as JSON, and markup without text are none; names of persons may be, see `onboarding.new.roles`.

    >>> words_a_text(pd.Series([f"A quiet room near the river, {n} steps" for n in range(30)]))
    7.0
    >>> words_a_text(pd.Series([f"https://example.org/rooms/{n}" for n in range(30)]))
    0.0
    """
    if not pd.api.types.is_string_dtype(column):
        return 0.0
    values = column.dropna().drop_duplicates()
    if len(values) < _FEWEST_VALUES:
        return 0.0
    texts = [_plain(str(value)) for value in values.iloc[:: -(-len(values) // _SAMPLE)]]
    parts = [text.split() for text in texts]
    words = [[word for part in text if (word := _word(part))] for text in parts]
    characters = [character for text in parts for part in text for character in part]
    letters = sum(unicodedata.category(character)[0] in "LM" for character in characters)
    counts = [sum(map(_length, text)) for text in words]
    mean = sum(counts) / len(counts)
    enough = (
        mean >= _FEWEST_WORDS
        and letters >= _LETTERS * len(characters)
        and sum(map(len, words)) >= _WORDS * sum(map(len, parts))
        and _shared(words) >= _SHARED
    )
    return round(mean, 1) if enough else 0.0


def _plain(value: str) -> str:
    """A value without markup; nothing of a record."""
    value = value[:_CHARACTERS]
    return "" if _RECORD.fullmatch(value) else _MARKUP.sub(" ", value)


def _word(part: str) -> str:
    """A part between blanks without what surrounds it, in small letters; empty if it is no word."""
    word = _EDGES.sub("", part)
    # Punctuation stands between letters of scripts without blanks.
    spelt = "".join(filter(_is_letter, word)) if _UNSPACED.search(word) else word
    return spelt.casefold() if all(_is_letter(each) or each in _JOINED for each in spelt) else ""


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM"


def _length(word: str) -> float:
    """How many words there are in what stands between blanks."""
    unspaced = [match[1] is not None for match in _UNSPACED.finditer(word)]
    return max(1.0, sum(1 / (_LONG_WORDS if long else _SHORT_WORDS) for long in unspaced))


def _shared(texts: Iterable[Iterable[str]]) -> float:
    """Share of the words, or characters of scripts without blanks, that at least two texts hold."""
    distinct = [
        {each for word in text for each in (word if _UNSPACED.search(word) else [word])} for text in texts
    ]
    texts_with = Counter(each for text in distinct for each in text)
    return sum(count for count in texts_with.values() if count > 1) / max(texts_with.total(), 1)
