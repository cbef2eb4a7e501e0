"""Texts of raw files: the one grammar of numbers, for files, batches and rows; missing codes; classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any
from unicodedata import normalize

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lepton_pipeline.data.expressions.dates import ISO
from lepton_pipeline.parameters import Ingestion

# The typographic minus, U+2212, which some locales write.
MINUS = "\u2212"
# Of a whole number that every float64 reaches; Python would read 4,300.
MOST_DIGITS = 308
# Whole numbers that every type holds exactly; +5 and -0 are numbers, but not the only way to write them.
WHOLE = r"(?:[+-]?(?:0|[1-9]\d{0,14}))"
_LONG = r"(?:[+-]?[1-9]\d{15,})"
# Unmistakably a number: it has a decimal mark, or an exponent with a sign.
DECIMAL = r"(?:[+-]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d{1,4})?|\d+[eE][+-]\d{1,4}))"
_INFINITE = r"(?:[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)"
# 1E5 may be a number or a code; 007 is a code (a postcode, an article): its zeros mean something.
_EXPONENT = r"(?:[+-]?[1-9]\d*[eE]\d{1,4}|0[eE]\d{1,4})"
_CODE = r"(?:[+-]?0\d+(?:[eE]\d{1,4})?)"
NUMBER = rf"(?:{WHOLE}|{_LONG}|{DECIMAL}|{_INFINITE}|{_EXPONENT})"
# A whole number whose text can be had back from it.
CANONICAL = r"(?:0|-?[1-9]\d*)"
# Written for people: marks between thousands, a currency or percent sign, brackets or a trailing minus.
_BLANK = "[\\s\u00a0\u202f\u2009\u2007]"
_SIGN = r"(?:[$€£¥₹₽₩₺₴₫₦₱%‰°]{1,2}|[A-Z]{3}|[A-Z][a-z])"
FOR_PEOPLE = (
    rf"[(+-]?{_BLANK}?(?:{_SIGN}{_BLANK}|[$€£¥₹₽₩₺₴₫₦₱]{{1,2}})?{_BLANK}?[+-]?"
    "(?:\\d{1,3}(?:[.,'’ \u00a0\u202f\u2009\u2007]\\d{2,3})+|\\d+)(?:[.,]\\d+)?"
    rf"(?:{_BLANK}?(?:[$€£¥₹₽₩₺₴₫₦₱%‰°]{{1,2}}|[A-Z]{{3}})|{_BLANK}[\w/%²³]{{1,6}}|[kK])?[)-]?"
)
_SWAP = str.maketrans(",.", ".,")
_SPACES = "\u00a0\u202f\u2009\u2007"
INT64, UINT64 = 2**63 - 1, 2**64 - 1
_EXAMPLES = 3
_DATE_LIKE = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?|\d{1,2}[./]\d{1,2}[./]\d{4}(?: \d\d:\d\d.*)?"
_CLASSES = {"decimal": DECIMAL, "code": _CODE, "exponent": _EXPONENT, "long": _LONG, "infinite": _INFINITE}
_MOST = 0.5
# Some codes without a zero in front look like numbers; so few codes among numbers look like a mistake.
_MANY = 0.01


def clean_texts(column: Any, missing: Iterable[str]) -> Any:
    """Trim and compose (NFC) Arrow strings; those among `missing` become null."""
    trimmed = pc.utf8_trim_whitespace(column)
    if not pc.all(pc.string_is_ascii(trimmed), min_count=0).as_py():
        trimmed = _composed(trimmed)
    means_nothing = pc.is_in(trimmed, value_set=pa.array(list(missing), trimmed.type))
    return pc.if_else(means_nothing, pa.scalar(None, trimmed.type), trimmed)


def with_strings(table: Any) -> Any:
    """Cast string views, which few Arrow functions take, to strings."""
    views = {name for name in table.column_names if pa.types.is_string_view(table.schema.field(name).type)}
    if not views:
        return table
    fields = [field.with_type(pa.large_string()) if field.name in views else field for field in table.schema]
    return table.cast(pa.schema(fields))


def _composed(texts: Any) -> Any:
    """Texts in NFC; Arrow's own function decomposes them instead (pyarrow 25)."""
    values = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    coded = values.dictionary_encode()
    composed = [None if text is None else normalize("NFC", text) for text in coded.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(composed, texts.type).take(coded.indices)])


def plain_numbers(texts: Any, writing: Writing) -> Any:
    """Numbers as a program would write them; see `Writing.unwritten`."""
    if pc.any(pc.match_substring(texts, MINUS)).as_py():
        texts = pc.replace_substring(texts, MINUS, "-")
    if writing.plain:
        return texts
    for pattern, replacement in writing.rules:
        texts = pc.replace_substring_regex(texts, pattern=pattern, replacement=replacement)
    if writing.thousands is not None:
        grouped = pc.match_substring_regex(texts, writing.grouped())
        if pc.any(grouped).as_py():
            texts = pc.if_else(grouped, pc.replace_substring_regex(texts, writing.marks(), ""), texts)
    if writing.swapped:
        for old, new in ((".", "\x00"), (",", "."), ("\x00", ",")):
            texts = pc.replace_substring(texts, old, new)
    return texts


def fits(texts: Any, pattern: str) -> Any:
    """Whether each text as a whole matches a pattern; null for null."""
    return pc.match_substring_regex(texts, f"^(?:{pattern})$")


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def without_codes(column: Any, ingestion: Ingestion, layout: str | None) -> Any:
    """Arrow values, not texts, with NaN and missing codes as nulls; `layout` is the format of dates."""
    kind = column.type
    own = kind
    if pa.types.is_float16(kind):
        column, kind = column.cast(pa.float32()), pa.float32()
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    numbers: list[Any] = missing_numbers(ingestion.missing, Writing(ingestion))
    if pa.types.is_integer(kind):
        # Exactly: beyond 2^53 a float would hit the neighbours, too.
        low, high = (-(2**63), 2**63 - 1) if pa.types.is_signed_integer(kind) else (0, 2**64 - 1)
        whole = [int(number) for number in numbers if number == int(number) and low <= number <= high]
        wider = pa.int64() if pa.types.is_signed_integer(kind) else pa.uint64()
        compared, wanted = column.cast(wider), pa.array(whole, wider)
    elif pa.types.is_floating(kind):
        # As the column writes them: -99.9 is another number in 32 bits.
        narrow = {pa.float16(): np.float16, pa.float32(): np.float32}.get(own, np.float64)
        compared, wanted = column.cast(pa.float64()), pa.array(np.array(numbers, narrow).astype(float))
    elif pa.types.is_decimal(kind):
        compared, wanted = column.cast(pa.float64(), safe=False), pa.array(numbers, pa.float64())
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        dates = date_codes(ingestion.missing, layout)
        compared, wanted = column, pa.array(dates, pa.timestamp("us"))
        if dates:
            compared = column.cast(pa.timestamp("us"), safe=False)
    else:
        return column
    return pc.if_else(pc.is_in(compared, wanted), pa.scalar(None, kind), column) if len(wanted) else column


def date_codes(missing: Iterable[str], layout: str | None) -> list[pd.Timestamp]:
    """The missing codes that are dates, in the declared format or in ISO 8601."""
    found = []
    for text in missing:
        for form in dict.fromkeys([layout or ISO, ISO]):
            date = pd.to_datetime(text, format=form, errors="coerce") if re.search(r"\d\d", text) else pd.NaT
            if not pd.isna(date):
                found.append(pd.Timestamp(date).tz_localize(None))
                break
    return found


class Writing:
    """How numbers are written, as replacement rules that leave plain numbers."""

    def __init__(self, ingestion: Ingestion) -> None:
        self.rules: list[tuple[str, str]] = []
        if ingestion.units:
            units = "|".join(re.escape(unit) for unit in sorted(ingestion.units, key=len, reverse=True))
            self.rules += [
                (rf"^([(+-]?){_BLANK}*(?:{units}){_BLANK}*([+-]?[0-9.,])", r"\1\2"),
                (rf"([0-9][.,]?){_BLANK}*(?:{units})([)-]?)$", r"\1\2"),
            ]
        if ingestion.accounting:
            self.rules += [
                (rf"^\({_BLANK}*([0-9.,][^()]*?){_BLANK}*\)$", r"-\1"),
                (rf"^([0-9.,](?:.*[0-9])?){_BLANK}?-$", r"-\1"),
            ]
        self.thousands = ingestion.thousands
        self.swapped = ingestion.decimal == ","

    @property
    def plain(self) -> bool:
        """Whether numbers are written as programs write them."""
        return not self.rules and self.thousands is None and not self.swapped

    def grouped(self) -> str:
        """Pattern of a number with thousands marks."""
        mark = self.marks()
        decimal = "," if self.swapped else r"\."
        # Twelve lakh thirty-four thousand is 12,34,000 in India.
        lakhs = rf"|[1-9]\d?(?:{mark}\d{{2}})+{mark}\d{{3}}" if self.thousands == "," else ""
        return rf"^[+-]?(?:[1-9]\d{{0,2}}(?:{mark}\d{{3}})+{lakhs})(?:{decimal}\d*)?$"

    def marks(self) -> str:
        """Pattern of the thousands mark."""
        mark = str(self.thousands)
        return {" ": f"[ {_SPACES}]", "'": "['’]"}.get(mark, f"[{re.escape(mark)}]")

    def unwritten(self, text: str) -> str:
        """A number as a program would write it; other texts are changed in any way."""
        for pattern, replacement in self.rules:
            text = re.sub(pattern, replacement, text)
        if self.thousands is not None and re.fullmatch(self.grouped()[1:-1], text):
            text = re.sub(self.marks(), "", text)
        # Swapped, not replaced: where the comma is the decimal mark, 1.5 is no number.
        return text.translate(_SWAP) if self.swapped else text


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern matches the whole text."""
    return re.fullmatch(pattern, text, re.ASCII) is not None


def read_number(text: str, writing: Writing) -> int | float | None:
    """The number in a text such as "1,234.50" without blanks around it, or None."""
    text = text.replace(MINUS, "-")
    plain = text if writing.plain else writing.unwritten(text)
    if not matches(NUMBER, plain):
        return None
    whole = matches(WHOLE, plain) or matches(_LONG, plain)
    return int(plain) if whole and len(plain) <= MOST_DIGITS else float(plain)


def numbers_of(texts: pd.Series, ingestion: Ingestion) -> pd.Series:
    """Texts without blanks around them as float64; NaN where a text is no number."""
    writing = Writing(ingestion)
    known = {text: read_number(text, writing) for text in texts.dropna().unique()}
    return texts.map(known).astype("float64")


def missing_numbers(missing: Iterable[str], writing: Writing) -> list[float]:
    """The numbers among the missing codes: -999 is one in every type."""
    found = [read_number(text.strip(), writing) for text in missing]
    return [float(number) for number in found if number is not None]


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
