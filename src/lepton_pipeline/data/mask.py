"""Replace personal data in columns of text by tokens such as [EMAIL], before anything else sees it.

The one function of ingestion, batch scoring and serving, so of monitoring and backfill, too. Kinds are looked
for in this order: email, iban, card, declared patterns, phone, account, the loosest last. This is repeated until
nothing more is found, as a token may free what stood right beside it; so masking twice equals masking once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from unicodedata import normalize

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lepton_pipeline.data.personal import HELD, find, in_ascii
from lepton_pipeline.data.texts import is_text, without_codes
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion
from lepton_pipeline.parameters.mask import KINDS, Kind, Mask

# Characters that Unicode reserves for use within a program: no pattern takes a token apart.
_FIRST = 0xFDD0
_MARK = re.compile("([\ufdd0-\ufdef])")
_NO_TEXT = re.compile("[\ud800-\udfff\ufdd0-\ufdef]")
# Far more than texts need; a pattern such as `\bx` goes on for every x of a text.
_MOST_TIMES = 20
_STRICT: tuple[Kind, ...] = ("email", "iban", "card")
Counts = dict[str, Counter[str]]


class Masker:
    """Applies a mask, except to texts that are `missing`; `counts` of `block` has hits by column and token name."""

    def __init__(self, mask: Mask, missing: Iterable[str] = ()) -> None:
        self.columns = mask.names()
        self._missing = set(missing)
        self._patterns = mask.patterns
        self._strict = [kind for kind in KINDS if kind in mask.kinds and kind in _STRICT]
        self._loose = [kind for kind in KINDS if kind in mask.kinds and kind not in _STRICT]
        names = [*(kind.upper() for kind in KINDS if kind in mask.kinds), *mask.patterns]
        self._marks = {name: chr(_FIRST + at) for at, name in enumerate(names)}
        self._token_of = {mark: f"[{name}]" for name, mark in self._marks.items()}
        self._mark_of = {token: mark for mark, token in self._token_of.items()}
        self._written = re.compile("|".join(map(re.escape, self._mark_of)))
        parts = [HELD[kind] for kind in mask.kinds] + [f"(?:{pattern})" for pattern in mask.patterns.values()]
        # Others are searched whole: they are composed and folded first.
        self._suspect = "|".join([*parts, "[^\\x00-\\x7f]"])

    @classmethod
    def of(cls, ingestion: Ingestion) -> Masker | None:
        """Applies what is declared; None where nothing is."""
        return None if ingestion.mask is None else cls(ingestion.mask, ingestion.missing)

    def block(self, block: Any, ingestion: Ingestion, counts: Counts | None = None) -> Any:
        """An Arrow table with its masked columns; a DataError where one of them is not of text."""
        for at, name in enumerate(block.column_names):
            if name in self.columns:
                column = block.column(at)
                hits = None if counts is None else counts.setdefault(name, Counter())
                masked = self._column(column, name, ingestion, hits)
                block = block if masked is column else block.set_column(at, name, masked)
        return block

    def series(self, column: pd.Series) -> pd.Series:
        """Values as clients send them, missing ones as they are; a DataError where one is not text."""
        values = column.tolist()
        present = [not pd.isna(value) for value in values]
        for there, value in zip(present, values, strict=True):
            if there and not isinstance(value, str):
                raise _no_text(str(column.name), type(value).__name__)
        masked = iter(self.texts([value for there, value in zip(present, values, strict=True) if there]))
        found = [next(masked) if there else value for there, value in zip(present, values, strict=True)]
        return column if found == values else pd.Series(found, column.index, object, column.name)

    def text(self, text: str) -> str:
        """One text, masked.

        >>> Masker(Mask(columns=["note"])).text("write to jane@example.com, order 4711")
        'write to [EMAIL], order 4711'
        """
        return self.texts([text])[0]

    def texts(
        self, texts: Sequence[str], counts: Counter[str] | None = None, times: Iterable[int] = ()
    ) -> list[str]:
        """Texts, composed (NFC) and masked; `times` says how often each counts."""
        begun = [self._marked(text) for text in texts]
        done, left = list(begun), [at for at, text in enumerate(begun) if text.strip() not in self._missing]
        for _ in range(_MOST_TIMES):
            if not left:
                break
            before = [done[at] for at in left]
            after = self._once(before)
            for at, text in zip(left, after, strict=True):
                done[at] = text
            left = [at for at, old, new in zip(left, before, after, strict=True) if old != new]
        if counts is not None:
            for old, new, often in zip(begun, done, times, strict=True):
                for name, mark in self._marks.items():
                    if (more := new.count(mark) - old.count(mark)) > 0:
                        counts[name] += often * more
        return [_MARK.sub(lambda mark: self._token_of[mark[0]], text) for text in done]

    def _column(self, column: Any, name: str, ingestion: Ingestion, counts: Counter[str] | None) -> Any:
        texts = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        if not is_text(texts.type):
            if without_codes(texts, ingestion, None).null_count < len(texts):
                raise _no_text(name, str(texts.type))
            return column
        suspects = pc.fill_null(pc.match_substring_regex(texts, self._suspect), fill_value=False)
        if not pc.any(suspects, min_count=0).as_py():
            return column
        # In one piece, as `replace_with_mask` takes only that.
        texts, suspects = texts.combine_chunks(), suspects.combine_chunks()
        coded = pc.filter(texts, suspects).dictionary_encode()
        times = np.bincount(coded.indices.to_numpy(), minlength=len(coded.dictionary)).tolist()
        masked = pa.array(self.texts(coded.dictionary.to_pylist(), counts, times), texts.type)
        return pc.replace_with_mask(texts, suspects, masked.take(coded.indices))

    def _marked(self, text: str) -> str:
        """A text composed, with marks for the tokens that it has."""
        if not text.isascii():
            text = normalize("NFC", _NO_TEXT.sub("\ufffd", text))
        return self._written.sub(lambda token: self._mark_of[token[0]], text) if "[" in text else text

    def _once(self, texts: list[str]) -> list[str]:
        texts = [self._without(self._strict, text) for text in texts]
        for name, pattern in self._patterns.items():
            texts = _replaced(texts, pattern, self._marks[name])
        return [self._without(self._loose, text) for text in texts]

    def _without(self, kinds: list[Kind], text: str) -> str:
        searched = in_ascii(text)
        for kind in kinds:
            behind, parts = 0, list[str]()
            for start, end in find(kind, searched):
                parts += [text[behind:start], self._marks[kind.upper()]]
                behind = end
            if parts:
                text = "".join([*parts, text[behind:]])
                searched = in_ascii(text)
        return text


def masked_note(hits: Counter[str]) -> str:
    """What was masked in a column, for people.

    >>> masked_note(Counter(PHONE=2, EMAIL=1200))
    'masked: 1,200 [EMAIL], 2 [PHONE]'
    """
    return "masked: " + (", ".join(f"{count:,} [{name}]" for name, count in hits.most_common()) or "nothing")


def _replaced(texts: list[str], pattern: str, mark: str) -> list[str]:
    """Texts with a mark for what matches a pattern, by RE2, which is linear for every pattern."""
    found: list[str] = pc.replace_substring_regex(
        pa.array(texts, pa.large_string()), pattern, mark
    ).to_pylist()
    return found


def _no_text(column: str, kind: str) -> DataError:
    return DataError(
        f"column {column!r} is masked (ingestion.mask), but holds values that are no text ({kind}); write them as "
        "text, or take the column out of ingestion.mask.columns."
    )
