"""Texts as numbers: the one grammar for files, batches and single rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from lepton_pipeline.parameters import Ingestion

# Beyond what a float64 reaches, and below what Python reads as a whole number (4,300).
MOST_DIGITS = 400
# Whole numbers that every type holds exactly; +5 and -0 are numbers, but not the only way to write them.
WHOLE = r"(?:[+-]?(?:0|[1-9]\d{0,14}))"
LONG_WHOLE = r"(?:[+-]?[1-9]\d{15,})"
# Unmistakably a number: it has a decimal mark, or an exponent with a sign.
DECIMAL = r"(?:[+-]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d{1,4})?|\d+[eE][+-]\d{1,4}))"
INFINITE = r"(?:[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)"
# 1E5 may be a number or a code; 007 is a code (a postcode, an article): its zeros mean something.
BARE_EXPONENT = r"(?:[+-]?[1-9]\d*[eE]\d{1,4}|0[eE]\d{1,4})"
ZERO_LED = r"(?:[+-]?0\d+(?:[eE]\d{1,4})?)"
NUMBER = rf"(?:{WHOLE}|{LONG_WHOLE}|{DECIMAL}|{INFINITE}|{BARE_EXPONENT})"
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
    plain = text if writing.plain else writing.unwritten(text)
    if not matches(NUMBER, plain):
        return None
    whole = matches(WHOLE, plain) or matches(LONG_WHOLE, plain)
    return int(plain) if whole and len(plain) <= MOST_DIGITS else float(plain)


def numbers_of(texts: pd.Series, ingestion: Ingestion) -> pd.Series:
    """Texts without blanks around them as float64; NaN where a text is no number."""
    writing = Writing(ingestion)
    known: dict[Any, float] = {}
    for text in texts.dropna().unique():
        number = read_number(text, writing)
        known[text] = float("nan") if number is None else float(number)
    return texts.map(known).astype("float64")


def missing_numbers(missing: Iterable[str], writing: Writing) -> list[float]:
    """The numbers among the missing codes: -999 is one in every type."""
    found = [read_number(text.strip(), writing) for text in missing]
    return [float(number) for number in found if number is not None]
