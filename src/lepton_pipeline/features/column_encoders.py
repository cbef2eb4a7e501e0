"""Encoders of single raw columns: numbers by quantiles, categories by codes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.statistics.losses import Floats

MISSING, UNSEEN, FIRST_CATEGORY = 0, 1, 2
QUANTILES = 256
SAMPLED_ROWS = 100_000
RARE_ROWS = 10
# Beyond this, slopes between quantiles lose their digits; infinities are treated as this large.
LARGEST = 1e300
# Ranks are kept this far from 0 and 1, so that no value maps further than 3.1 from 0.
EDGE = 1e-3
# With more rare values in a column, an encoder keeps no hashes (8 bytes each).
MOST_RARE = 200_000
TRUTH = {"true": "True", "1": "True", "false": "False", "0": "False"}

SEEN, RARE, NEW = 0, 1, 2

Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class NumericColumn:
    """A numeric column, mapped piecewise linearly from training quantiles to a standard normal."""

    name: str
    input: str  # type of the raw values, "number", or "boolean" for a declared numeric column of truth values
    # ascending, float64 [k]; a single one if training rows hold one number and missing values
    quantiles: Floats
    scores: Floats  # value of each quantile, float64 [k]
    indicator: bool  # whether training rows had missing values, so that missing is a signal of its own

    @property
    def indicator_name(self) -> str:
        """Name of the encoded column that marks missing values."""
        return f"{self.name} is missing"

    @classmethod
    def fit(cls, column: pd.Series, input_kind: str) -> NumericColumn:
        """Take the quantiles of training values, at least one of which is present."""
        numbers = as_numbers(column)
        missing = np.isnan(numbers)
        quantiles, scores = _quantile_map(np.clip(numbers[~missing], -LARGEST, LARGEST))
        return cls(str(column.name), input_kind, quantiles, scores, bool(missing.any()))

    def transform(self, column: pd.Series) -> dict[str, npt.NDArray[np.float32]]:
        """Map values to [-3.1, 3.1], missing ones to 0, with an indicator if training rows had any."""
        numbers = as_numbers(column)
        missing = np.isnan(numbers)
        encoded = {}
        if len(self.quantiles) > 1:
            scores = np.interp(numbers, self.quantiles, self.scores)
            # Between quantiles that differ by less than 1e-308 a slope overflows.
            inside = scores.clip(self.scores[0], self.scores[-1])
            encoded[self.name] = np.where(missing, 0.0, inside).astype(np.float32)
        if self.indicator:
            encoded[self.indicator_name] = missing.astype(np.float32)
        return encoded


@dataclass(frozen=True)
class CategoricalColumn:
    """A categorical column, mapped to codes: 0 missing, 1 unseen or rare, 2 and up by falling frequency."""

    name: str
    input: str  # type of the raw values, "text", "number" or "boolean"
    categories: tuple[str, ...]  # values with a code of their own, in the order of codes
    # share of non-missing training rows whose value has its own code; None in older encoders
    known: float | None = None
    # sorted hashes of the other training values (a rare value may identify a person); None if not kept
    rare: Hashes | None = field(default=None, compare=False)

    @classmethod
    def fit(cls, column: pd.Series, input_kind: str) -> CategoricalColumn:
        """Give a code to every value of at least 10 training rows; below 1,000 rows 1 %, at least 2."""
        positions, keys = distinct_texts(column, input_kind)
        rows = np.bincount(positions[positions >= 0], minlength=len(keys))
        counts: dict[str, int] = {}
        for key, count in zip(keys, rows.tolist(), strict=True):
            counts[key] = counts.get(key, 0) + count
        kept = {key: count for key, count in counts.items() if count >= enough_rows(len(column))}
        rare = counts.keys() - kept.keys()
        return cls(
            str(column.name),
            input_kind,
            tuple(sorted(kept, key=lambda key: (-kept[key], key))),
            sum(kept.values()) / max(int(rows.sum()), 1),
            np.sort(_hashes(rare)) if len(rare) <= MOST_RARE else None,
        )

    def transform(self, column: pd.Series) -> dict[str, npt.NDArray[np.int32]]:
        """Look the text of every value up; a value may arrive with another dtype than in training."""
        positions, keys = distinct_texts(column, self.input)
        # A missing value has position -1, which is the last entry.
        codes = np.array([*(self._codes.get(key, UNSEEN) for key in keys), MISSING], dtype=np.int32)
        return {self.name: codes[positions]}

    def look_up(self, column: pd.Series) -> tuple[Positions, list[str], Positions]:
        """Look up which values the training rows had.

        Returns the position of each row's value in the look-up texts (-1 where it is missing), these texts
        (two values may share one), and of each text whether it is `SEEN` (with a code of its own), `RARE`
        (too rare for one, as far as that was kept) or `NEW`.
        """
        positions, keys = distinct_texts(column, self.input)
        rare = np.where(self._had_rarely(keys), RARE, NEW)
        return positions, keys, np.where([key in self._codes for key in keys], SEEN, rare)

    def seen_in_training(self, texts: Iterable[str]) -> list[bool]:
        """Whether training rows had each text, as far as that was kept."""
        texts = list(texts)
        return [text in self._codes or few for text, few in zip(texts, self._had_rarely(texts), strict=True)]

    def texts(self, column: pd.Series) -> pd.Series:
        """Write every value as its look-up text, rare and unseen ones too; missing stays missing."""
        positions, keys = distinct_texts(column, self.input)
        return pd.Series([*keys, None], dtype=object).take(positions).set_axis(column.index)

    def _had_rarely(self, texts: list[str]) -> npt.NDArray[np.bool_]:
        if self.rare is None or not len(self.rare):
            return np.zeros(len(texts), dtype=bool)
        hashes = _hashes(texts)
        places = np.searchsorted(self.rare, hashes).clip(max=len(self.rare) - 1)
        return np.asarray(self.rare[places] == hashes)

    @cached_property
    def _codes(self) -> dict[str, int]:
        """Code of each category, in NFC: older encoders kept other forms."""
        # The first of equal ones counts.
        codes = list(enumerate(map(_composed, self.categories), start=FIRST_CATEGORY))
        return {key: code for code, key in reversed(codes)}


def enough_rows(rows: int) -> int:
    """Fewest rows that must share a value in a table of `rows` rows; a rarer value shares a code."""
    return min(RARE_ROWS, max(2, rows // 100))


def as_numbers(column: pd.Series) -> Floats:
    """Read a column as float64, missing as NaN; `DataError` names a value that is not a number."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(np.float64, na_value=np.nan)
    said = f"column {column.name!r} must hold numbers, but"
    if column.dtype.kind in "mM":
        raise DataError(f"{said} holds dates or durations ({column.dtype}).")
    try:
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    except OverflowError as error:
        raise DataError(f"column {column.name!r} holds a whole number beyond 1e308; correct it.") from error
    wrong = np.isnan(numbers) & column.notna().to_numpy(bool)
    if wrong.any():
        raise DataError(
            f"{said} {int(wrong.sum())} of {len(column)} values are not, first {column[wrong].iloc[0]!r}; correct "
            "them, leave them empty, or declare the column in dataset.categorical and train again."
        )
    return numbers


def _quantile_map(numbers: Floats) -> tuple[Floats, Floats]:
    """Pair up to 256 distinct values with the normal score of the middle of their range of ranks."""
    if len(numbers) > SAMPLED_ROWS:
        sample = np.random.default_rng(0).choice(numbers, SAMPLED_ROWS, replace=False)
        # The ends are kept: a column that is nearly constant must not look constant.
        numbers = np.concatenate([sample, [numbers.min(), numbers.max()]])
    values, counts = np.unique(numbers, return_counts=True)
    ranks = counts.cumsum()
    middles = (ranks - counts / 2) / len(numbers)
    if len(values) > QUANTILES:
        picked = np.unique(np.searchsorted(ranks, np.linspace(0, len(numbers), QUANTILES)))
        values, middles = values[picked], middles[picked]
    normal = NormalDist()
    return values, np.array([normal.inv_cdf(middle) for middle in middles.clip(EDGE, 1 - EDGE)])


def distinct_texts(column: pd.Series, input_kind: str) -> tuple[Positions, list[str]]:
    """Position of each row's value (-1 missing), and the text of every position; two values may share one."""
    if column.dtype == object:
        # Mixed objects first become texts: 1 and True are equal as objects, and one would hide the other. As objects,
        # since pandas' own type of texts has no place for half a character.
        written = zip(column.tolist(), column.isna().tolist(), strict=True)
        column = pd.Series([None if missing else _text(value) for value, missing in written], dtype=object)
    positions, values = pd.factorize(column)
    keys = [_text(value) for value in np.asarray(values)]
    if input_kind == "boolean":
        keys = [TRUTH.get(key.lower(), key) for key in keys]
    return positions, keys


def _text(value: Any) -> str:
    """Write 1, 1.0 and "1" as one category, and "é" as one, composed or not."""
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < 2**63:
        return str(int(value))
    return _composed(str(value).strip())


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _hashes(texts: Iterable[str]) -> Hashes:
    """Hash each text to 64 bits, the same on every machine."""
    # JSON may hold half a character, which UTF-8 cannot.
    digests = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
