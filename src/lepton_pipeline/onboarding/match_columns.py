"""Similarity of two columns: name, type, values and contract."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from lepton_pipeline.data.language import words_a_text
from lepton_pipeline.onboarding.dates import date_formats
from lepton_pipeline.onboarding.names import name_words
from lepton_pipeline.parameters import Expectation

Kind = Literal["number", "text", "language", "date", "flag", "unknown"]

BETWEEN, IN_SET = "column_values_to_be_between", "column_values_to_be_in_set"

_QUANTILES = np.linspace(0, 1, 201)
_MANY, _TELLING = 200, 50
# So many of the most frequent words of written language are compared.
_WORDS = 100
_YES_NO = {"yes": "1", "true": "1", "t": "1", "y": "1", "no": "0", "false": "0", "f": "0", "n": "0"}
# What a likeness is multiplied by where the types differ: flags and categories are often coded as numbers.
_UNLIKE_TYPES = {
    frozenset({"flag", "number"}): 0.9,
    frozenset({"flag", "text"}): 0.9,
    frozenset({"number", "text"}): 0.4,
    frozenset({"language", "text"}): 0.5,
    frozenset({"language", "number"}): 0.1,
    frozenset({"language", "date"}): 0.1,
    frozenset({"language", "flag"}): 0.1,
    frozenset({"date", "text"}): 0.5,
    frozenset({"date", "number"}): 0.3,
    frozenset({"date", "flag"}): 0.1,
}


@dataclass(frozen=True)
class Column:
    """What is compared of a column.

    Attributes:
        kind: a flag has at most two values of any type; of language see `words_a_text`.
        shares: fraction of the present values that have each text (see `_as_text`), of language of the words that are
            each of the most frequent; empty without data.
        numbers: in ascending order, without missing ones; None for other types.
        quantiles: 201 of them; None for flags and row numbers.
        categories: distinct texts; None for numbers and for mostly unique texts.
    """

    name: str
    kind: Kind
    shares: dict[str, float] = field(default_factory=dict)
    numbers: np.ndarray | None = None
    quantiles: np.ndarray | None = None
    categories: frozenset[str] | None = None


@dataclass(frozen=True)
class Likeness:
    """Similarity of two columns in [0, 1], and the evidence: name, type, values, contract."""

    value: float
    reasons: tuple[str, ...]


def describe_column(column: pd.Series) -> Column:
    """Collect what is compared of a column of typed values."""
    name, present = str(column.name), column.dropna()
    if present.empty:
        return Column(name, "unknown")
    if pd.api.types.is_datetime64_any_dtype(present):
        return Column(name, "date")
    numeric = pd.api.types.is_numeric_dtype(present)
    if not numeric and not pd.api.types.is_string_dtype(present):
        return Column(name, "unknown")
    shares: dict[str, float] = {}
    for value, share in present.value_counts(normalize=True).items():
        text = _as_text(value)
        shares[text] = shares.get(text, 0.0) + share
    numbers = np.sort(present.to_numpy(float)) if numeric else None
    if len(shares) <= 2:
        flags = frozenset(_YES_NO.get(text, text) for text in shares)
        return Column(name, "flag", shares, numbers, categories=flags)
    if numbers is not None:
        counts_rows = len(shares) == len(numbers) and not (numbers % 1).any()
        quantiles = None if counts_rows else np.quantile(numbers, _QUANTILES)
        return Column(name, "number", shares, numbers, quantiles)
    if date_formats(present):
        return Column(name, "date")
    told_apart = len(shares) > _MANY and len(shares) > len(present) / 2
    if 2 * len(shares) > len(present) and words_a_text(present):
        return Column(name, "language", _word_shares(present))
    return Column(name, "text", shares, categories=None if told_apart else frozenset(shares))


def _word_shares(texts: pd.Series) -> dict[str, float]:
    """Share that each of the most frequent words has of all occurrences of these."""
    words = Counter(re.findall(r"\w+", " ".join(map(_as_text, texts)))).most_common(_WORDS)
    total = sum(count for _, count in words)
    return {word: count / total for word, count in words}


def likeness(client: Column, vertical: Column, rules: Sequence[Expectation]) -> Likeness:
    """Say how likely a client's column is to be one of a vertical's.

    With n the similarity of the names, v that of the values (1 - 2 x the Kolmogorov-Smirnov distance of
    numbers, the Jaccard index of categories, of language the Bhattacharyya coefficient of the distributions of
    words; 1 where unknown), s the weight of the values (0 .. 1, by the number of distinct ones) and k the
    fraction of the client's values that keep the vertical's expectations:

        value = type x (1 + k) / 2 x (1 - (1 - n (0.7 + 0.3 v)) (1 - 0.7 s v²))

    Equal names and types reach 1 unless the values contradict; equal values under another name reach 0.7, and
    numbers of a similar range hardly anything. `rules` are the vertical's expectations on its column about
    ranges and sets of values.
    """
    name = name_likeness(client.name, vertical.name)
    values, telling = _value_likeness(client, vertical)
    by_name = name * (0.7 + 0.3 * (1.0 if values is None else values))
    by_value = 0.0 if values is None else 0.7 * telling * values**2
    if not by_name and not by_value:
        return Likeness(0.0, ())
    # The mean fraction of the values that keep the expectations.
    kept = float(np.mean([_kept_by(client, rule) for rule in rules])) if rules and client.shares else None
    same_type = client.kind == vertical.kind
    open_type = "unknown" in (client.kind, vertical.kind)
    of_types = 1.0 if same_type or open_type else _UNLIKE_TYPES[frozenset({client.kind, vertical.kind})]
    value = of_types * (1 + (1.0 if kept is None else kept)) / 2 * (1 - (1 - by_name) * (1 - by_value))
    speaks = {
        "name": name >= 0.4,
        "type": same_type and not open_type,
        "values": values is not None and values >= 0.5,
        "contract": kept is not None and kept >= 0.95,
    }
    return Likeness(float(value), tuple(reason for reason, holds in speaks.items() if holds))


@lru_cache(maxsize=1 << 16)
def name_likeness(one: str, other: str) -> float:
    """Similarity of two names in [0, 1]: the larger of word by word and letter by letter.

    Units in brackets, case and the separator of words make no difference.
    """
    words, others = _words(one), _words(other)
    if not words or not others:
        return float(one == other)
    best = sum(max(_word_likeness(word, each) for each in others) for word in words)
    back = sum(max(_word_likeness(word, each) for each in words) for word in others)
    letters = _letter_likeness("".join(words), "".join(others), 0.6)
    return max((best + back) / (len(words) + len(others)), (letters - 0.6) / 0.4)


@lru_cache(maxsize=1 << 12)
def _words(name: str) -> tuple[str, ...]:
    return tuple(name_words(re.sub(r"[\[({].*?[\])}]", " ", name)) or name_words(name))


@lru_cache(maxsize=1 << 16)
def _word_likeness(one: str, other: str) -> float:
    if one == other:
        return 1.0
    short, long = sorted((one, other), key=len)
    if len(short) >= 3 and long.startswith(short):
        return 0.8
    return _letter_likeness(one, other, 0.8)


def _letter_likeness(one: str, other: str, least: float) -> float:
    """Ratcliff and Obershelp's ratio of matching letters, or 0 below `least`."""
    # Faster than the ratio: most names have too few letters in common in any order.
    common = min(sum(map(other.__contains__, one)), sum(map(one.__contains__, other)))
    if 2 * common < least * (len(one) + len(other)):
        return 0.0
    ratio = SequenceMatcher(None, one, other, autojunk=False).ratio()
    return ratio if ratio >= least else 0.0


def _value_likeness(one: Column, other: Column) -> tuple[float | None, float]:
    """Similarity of the values, None where unknown, and its weight."""
    if one.quantiles is not None and other.quantiles is not None:
        apart = _distance(one.quantiles, other.quantiles)
        if apart >= 0.5:
            return 0.0, 0.0
        distinct = min(len(np.unique(one.quantiles)), len(np.unique(other.quantiles)))
        return 1 - 2 * apart, min(1.0, np.log(distinct) / np.log(_TELLING))
    if one.kind == other.kind == "language" and one.shares and other.shares:
        words = one.shares.keys() & other.shares.keys()
        return float(sum(np.sqrt(one.shares[word] * other.shares[word]) for word in words)), 1.0
    if one.categories and other.categories:
        shared = len(one.categories & other.categories) / len(one.categories | other.categories)
        return shared, 0.2 if "flag" in (one.kind, other.kind) else 1.0
    return None, 0.0


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Kolmogorov-Smirnov distance of two sorted samples; 1 where a median is out of the other's range."""
    medians = one[len(one) // 2], other[len(other) // 2]
    if not (other[0] <= medians[0] <= other[-1] and one[0] <= medians[1] <= one[-1]):
        return 1.0  # It is more than 1/2, all of which mean the same to the caller.
    at = np.concatenate([one, other])
    below = np.searchsorted(one, at, side="right") / len(one)
    return float(np.abs(below - np.searchsorted(other, at, side="right") / len(other)).max())


def _kept_by(column: Column, rule: Expectation) -> float:
    if rule.expect == IN_SET:
        allowed = dict.fromkeys(map(_as_text, rule.value_set or []))
        return sum(column.shares.get(text, 0.0) for text in allowed)
    if column.numbers is None:
        return 0.0
    lowest = -np.inf if rule.min_value is None else float(rule.min_value)  # type: ignore[arg-type]  # rules of numbers
    highest = np.inf if rule.max_value is None else float(rule.max_value)  # type: ignore[arg-type]  # as above
    return float(((column.numbers >= lowest) & (column.numbers <= highest)).mean())


def _as_text(value: object) -> str:
    """Normalise a value so that 1, 1.0, "1" and " 1" are equal."""
    return str(value).strip().casefold().removesuffix(".0")
