"""Classify the texts of a column: numbers, codes, dates, or none of these."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lepton_pipeline.data.texts import (
    BARE_EXPONENT,
    CANONICAL,
    DECIMAL,
    FOR_PEOPLE,
    INFINITE,
    LONG_WHOLE,
    MOST_DIGITS,
    WHOLE,
    ZERO_LED,
    fits,
)

INT64, UINT64 = 2**63 - 1, 2**64 - 1
_EXAMPLES = 3
_DATE_LIKE = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?|\d{1,2}[./]\d{1,2}[./]\d{4}(?: \d\d:\d\d.*)?"
_CLASSES = {
    "decimal": DECIMAL,
    "code": ZERO_LED,
    "exponent": BARE_EXPONENT,
    "long": LONG_WHOLE,
    "infinite": INFINITE,
}
_MOST = 0.5
# Some codes without a zero in front look like numbers; so few codes among numbers look like a mistake.
_MANY = 0.01


class TextClasses:
    """Counts of the texts of one column by class: "whole", those of `_CLASSES`, and "other".

    The texts of a key (`is_key`) are numbers only where they can be restored. `low` and `high` bound the
    whole numbers, as far as it matters for their type.
    """

    def __init__(self, *, is_key: bool) -> None:
        self.counts: Counter[str] = Counter()
        self.low = self.high = 0
        self._is_key = is_key
        # The first texts of each class, each with its row.
        self._examples: dict[str, dict[str, int]] = {}
        self._canonical = self._for_people = self._date_like = 0

    @property
    def present(self) -> int:
        """Number of texts."""
        return sum(self.counts.values())

    @property
    def largest(self) -> int:
        """The whole number furthest from 0."""
        return max(-self.low, self.high)

    def reach(self, *numbers: int) -> None:
        """Extend `low` and `high` to these numbers."""
        self.low, self.high = min(self.low, *numbers), max(self.high, *numbers)

    @property
    def fits_64_bits(self) -> bool:
        """Whether one type of 64 bits holds every whole number."""
        return self.low >= -INT64 - 1 and self.high <= (INT64 if self.low < 0 else UINT64)

    def add(self, texts: Any, plain: Any, start: int) -> None:
        """Count Arrow strings by class; `plain` has their numbers in plain form, `start` is the first row."""
        if self._is_key:
            self._canonical += pc.sum(fits(texts, CANONICAL), min_count=0).as_py() or 0
        if pc.any(pc.starts_with(plain, "-")).as_py():
            self.reach(-1)
        whole = pc.fill_null(fits(plain, WHOLE), fill_value=True)
        places = pc.indices_nonzero(pc.invert(whole))
        self.counts["whole"] += len(texts) - texts.null_count - len(places)
        if not len(places):
            return
        rest = pa.table({"place": places, "plain": pc.take(plain, places), "text": pc.take(texts, places)})
        for name, pattern in _CLASSES.items():
            found = fits(rest["plain"], pattern)
            matched = rest.filter(found)
            if not len(matched):
                continue
            self._count(name, matched, start)
            if name == "long":
                # Beyond 64 bits, whatever the digits behind are.
                self.reach(*(int(text[:MOST_DIGITS]) for text in pc.unique(matched["plain"]).to_pylist()))
            rest = rest.filter(pc.invert(found))
        self._count("other", rest, start)
        self._for_people += pc.sum(fits(rest["text"], FOR_PEOPLE), min_count=0).as_py()
        self._date_like += pc.sum(fits(rest["text"], _DATE_LIKE), min_count=0).as_py()

    def are_numbers(self) -> bool:
        """Whether all texts are numbers."""
        seen = self.counts
        if self._is_key:
            return self._canonical == self.present and self.fits_64_bits
        if seen["other"] or seen["code"]:
            return False
        # With a number beyond doubt beside them, exponents are numbers, and long ones need not be keys.
        return bool(seen["decimal"]) or (not seen["exponent"] and self.fits_64_bits)

    def notes(self, rows: int, *, surprising: bool) -> list[str]:
        """Notes for the user on texts that stay texts; `surprising` where numbers were expected."""
        seen, present = self.counts, self.present
        if self._is_key or not present:
            return []
        beyond = not self.fits_64_bits
        numbers = seen["whole"] + seen["decimal"] + seen["infinite"]
        numbers += 0 if beyond else seen["long"]
        if not surprising and seen["code"] >= _MANY * present and seen["code"] + seen["whole"] == present:
            return [f"codes: whole numbers with leading zeros, such as {self.shown('code')}"]
        if seen["exponent"] == present:
            return [f"codes: digits, E and digits, such as {self.shown('exponent')}"]
        if beyond and seen["long"] + seen["whole"] == present:
            return [f"keys: whole numbers of 20 digits or more, such as {self.shown('long')}"]
        odd = present - numbers
        if odd and (surprising or numbers + self._for_people >= _MOST * present):
            kind = next(name for name in ("other", "code", "exponent", "long") if seen[name])
            written = self._for_people >= _MOST * seen["other"] and seen["other"]
            remedy = (
                "declare how they are written (ingestion.decimal, thousands, units, accounting)"
                if written
                else "correct them, list what means no value under ingestion.missing, or declare it categorical"
            )
            others = ", numbers in the others" if numbers else ""
            return [f"text in {odd:,} of {rows:,} rows{others}: {self.shown(kind)}; {remedy}"]
        if self._date_like >= _MOST * present:
            return [
                f"texts that look like dates: {self.shown('other')}; declare their format in ingestion.dates"
            ]
        return []

    def shown(self, name: str) -> str:
        """The first texts of a class, with their rows."""
        return ", ".join(f"{text!r} (row {row:,})" for text, row in self._examples.get(name, {}).items())

    def _count(self, name: str, found: Any, start: int) -> None:
        self.counts[name] += len(found)
        known = self._examples.setdefault(name, {})
        if len(known) < _EXAMPLES:
            for text in found["text"].unique()[: 2 * _EXAMPLES].to_pylist():
                if len(known) < _EXAMPLES and text not in known:
                    known[text] = start + found["place"][found["text"].index(text).as_py()].as_py()
