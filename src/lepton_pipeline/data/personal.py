"""Find e-mail addresses, IBANs, card, phone and account numbers in text, in linear time.

Searched is a copy of the text in ASCII, character for character: digits of every script and full-width signs
are plain ones there. The letters of scripts without blanks (Chinese, Japanese, Korean, Thai ..) separate.

- email: `local@domain.tld`, with letters of any other script.
- iban: two letters, two digits and the rest, as long as the country's are, with blanks or hyphens between;
  the check digits (mod 97, ISO 13616) must be right. Upper or lower case.
- card: 13 to 19 digits, in one or in groups of 4-4-4-4, 4-4-4-4-3, 4-6-5 or 4-6-4; first digit 2 to 6, and the
  Luhn check (ISO/IEC 7812) must be right.
- phone: 7 to 15 digits that begin with +, or that separators (blank - / . or brackets) divide into groups. Not:
  dates, years, amounts, decimal numbers, numbers with marks of thousands, IP addresses, digits without a
  separator.
- account: any other run of 8 to 20 digits. Not: a date such as 20240131, an amount, digits behind a decimal
  point.

An amount has a currency or a unit beside it (Rs, EUR, $, crore, %), or decimals behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from unicodedata import category, decimal, name, normalize

from lepton_pipeline.parameters.mask import Kind

Spans = Iterator[tuple[int, int]]
# What every hit holds, to find soon that a text has none; for `re` and for RE2.
HELD: dict[Kind, str] = {
    "email": "@",
    "iban": r"[A-Za-z]\d\d",
    "card": r"[2-6]\d{3}[ .-]?\d{4}",
    "phone": r"\d(?:[ ./()-]{0,4}\d){6}",
    "account": r"\d{8}",
}
_HELD = {kind: re.compile(pattern, re.ASCII) for kind, pattern in HELD.items()}
# Their words are not divided by blanks, so they stand right beside a number or an address.
_WITHOUT_BLANKS = (
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "BOPOMOFO",
    "HANGUL",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "TIBETAN",
)
_LOCAL = r"\w.!#$%&'*+/=?^`{|}~-"
# A run without an address behind it is left behind as a whole, so that none is read twice.
_EMAIL = re.compile(rf"[{_LOCAL}]+(@(?:[\w-]++\.)+[A-Za-z_][\w-]+)?", re.ASCII)
_BEFORE_LOCAL = ".'*/=|"
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d\d", re.ASCII)
# The IBAN registry (SWIFT), and countries that use such numbers without being in it.
_IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        r"(\w\w)(\d\d)",
        "AD24 AE23 AL28 AO25 AT20 AZ28 BA20 BE16 BF28 BG22 BH22 BI27 BJ28 BR29 BY28 CF27 CG27 CH21 CI28 CM27 CR22 CV25 "
        "CY28 CZ24 DE22 DJ27 DK18 DO28 DZ26 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GA27 GB22 GE22 GI23 GL18 GQ27 GR27 GT28 "
        "GW25 HN28 HR21 HU28 IE22 IL23 IQ23 IR26 IS26 IT27 JO30 KM27 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MA28 "
        "MC27 MD24 ME22 MG27 MK19 ML28 MN20 MR27 MT31 MU30 MZ25 NE28 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 "
        "RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SN28 SO23 ST25 SV28 TD27 TG28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
        "YE30",
    )
}
_CARDS = [
    re.compile(rf"(?<!\w)[2-6](?:{rest})(?!\w)", re.ASCII)
    for rest in (
        r"\d{12,18}",
        r"\d{3}([ .-])\d{4}\1\d{4}\1\d{4}\1\d{3}",
        r"\d{3}([ .-])\d{4}\1\d{4}\1\d{4}",
        r"\d{3}([ .-])\d{6}\1\d{4,5}",
    )
]
# Begins with a digit, not with what must not stand before it: so the search is three times as fast.
_DATE = re.compile(
    r"\d(?<!\d\d)(?<!\d[-./]\d)"
    r"(?:(?:(?<=1)[89]|(?<=2)0)\d\d[-./][01]?\d[-./][0-3]?\d|"
    r"(?:(?<=[0-3])\d)?[-./][0-3]?\d[-./](?:(?:1[89]|20)\d\d|\d\d))"
    r"(?![-./]?\d)(?:[T ][0-2]?\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_BETWEEN = r"(?: ?[-/] ?|\.| ?\(|\) ?[-/]? ?| )"
# 8 and 1 are the first digits in Russia and North America; groups of one digit are (0) and in +33 6 12 34 56 78.
_PHONE = re.compile(
    rf"(?<!\w)(?:(?:\+ ?\(?|\(\+)\d{{1,15}}(?:{_BETWEEN}\d{{1,14}}){{0,9}}|"
    rf"\(?(?:\d{{2,15}}|[0178])(?:{_BETWEEN}\d{{2,14}}){{1,9}})",
    re.ASCII,
)
# As in 1,234 567, ORD-2024 123456 and 978-3-16-148410-0.
_WITHIN = re.compile(r"(?:\d[.,]|\w-)\Z", re.ASCII)
_DIGITS, _YEAR = re.compile(r"\d+", re.ASCII), re.compile(r"(?:19|20)\d\d", re.ASCII)
_FEWEST, _MOST = 7, 15
_ACCOUNT = re.compile(r"(?<!\d)\d{8,20}(?!\d)", re.ASCII)
_FRACTION = re.compile(r"(?:\d\.|\b\d,)\Z", re.ASCII)
_DAY = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", re.ASCII)
_CURRENCIES = "Rs|INR|USD|EUR|GBP|CHF|JPY|CNY|AUD|CAD"
_BEFORE = 8
_BEFORE_AMOUNT = re.compile(rf"(?:\$|(?<![A-Za-z])(?:{_CURRENCIES})\.?) ?[-+]?\Z", re.ASCII | re.IGNORECASE)
_AFTER_AMOUNT = re.compile(
    rf"[.,]\d\d?(?!\d)| ?(?:[$%]|(?:{_CURRENCIES}|crores?|cr|lakhs?|lacs?|million|billion|mio|mn|bn|km|kg)\b)",
    re.ASCII | re.IGNORECASE,
)


def find(kind: Kind, text: str) -> Spans:
    """First and last place of each hit in a text in ASCII, see `in_ascii`, from left to right.

    >>> [text[slice(*hit)] for text in ["call +49 30 1234567 in 2024"] for hit in find("phone", text)]
    ['+49 30 1234567']
    """
    return _FINDERS[kind](text) if _HELD[kind].search(text) else iter(())


def in_ascii(text: str) -> str:
    """A composed (NFC) text with an ASCII character for each of its own.

    >>> in_ascii("Tel.：０３０")
    'Tel.:030'
    """
    return text if text.isascii() else text.translate(_PLAIN)


class _Plain(dict[int, int]):
    """The ASCII character that stands for each other one."""

    def __missing__(self, code: int) -> int:
        self[code] = found = code if code < 128 else ord(_plain(chr(code)))
        return found


_PLAIN = _Plain()


def _plain(sign: str) -> str:
    kind, plain = category(sign), normalize("NFKC", sign)
    if kind == "Nd":
        return str(decimal(sign))
    if kind == "Sc":
        return "$"
    if kind == "Pd" or sign == "\u2212":
        return "-"
    if kind[0] in "LM":
        if len(plain) == 1 and plain.isascii():
            return plain
        return "\0" if name(sign, "").startswith(_WITHOUT_BLANKS) else "_"
    return plain if kind[0] in "PSZ" and len(plain) == 1 and plain.isascii() else "\0"


def _emails(text: str) -> Spans:
    for found in _EMAIL.finditer(text):
        if found[1]:
            local = found[0][: -len(found[1])]
            if own := local.lstrip(_BEFORE_LOCAL):
                yield found.end() - len(found[1]) - len(own), found.end()


def _ibans(text: str) -> Spans:
    behind = 0
    for start in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(start[0][:2].upper())
        if start.start() >= behind and length is not None:
            found = _of_length(length).match(text, start.start())
            if found and _has_check_digits(re.sub("[ -]", "", found[0])):
                behind = found.end()
                yield found.span()


@cache
def _of_length(length: int) -> re.Pattern[str]:
    return re.compile(rf"[A-Za-z0-9](?:[ -]?[A-Za-z0-9]){{{length - 1}}}(?![A-Za-z0-9])")


def _has_check_digits(iban: str) -> bool:
    return int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97 == 1


def _cards(text: str) -> Spans:
    hits = sorted(
        found.span() for pattern in _CARDS for found in _overlapping(pattern, text) if _passes_luhn(found[0])
    )
    behind = 0
    # The longer of two that begin alike.
    for start, end in sorted(hits, key=lambda hit: (hit[0], -hit[1])):
        if start >= behind:
            behind = end
            yield start, end


def _overlapping(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Also matches that begin within another one, whose digits may fail the check."""
    found = pattern.search(text)
    while found:
        yield found
        found = pattern.search(text, found.start() + 1)


def _passes_luhn(card: str) -> bool:
    digits = [int(sign) for sign in reversed(card) if sign.isdigit()]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + doubled) % 10 == 0


def _phones(text: str) -> Spans:
    without_dates = _DATE.sub(lambda date: "\0" * len(date[0]), text)
    behind = 0
    found = _PHONE.search(without_dates)
    while found:
        groups = _groups(without_dates, *found.span())
        start, end = found.start(), groups[-1][1]
        # Behind a hit a number may begin anew.
        within = _WITHIN.search(text[max(behind, start - 2) : start])
        if not within and _is_phone(without_dates, start, groups) and not _is_amount(text, start, end):
            # A bracket that closes behind the last group opened before it.
            end += text[start:end].count("(") > text[start:end].count(")") and text[end : end + 1] == ")"
            behind = end
            yield start, end
        found = _PHONE.search(without_dates, end)


def _groups(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The groups of digits of one number: what begins as a second one, or is too long, is left out."""
    kept: list[tuple[int, int]] = []
    total = 0
    for found in _DIGITS.finditer(text, start, end):
        before = text[found.start() - 1]
        begins = before == "(" or (before == " " and found[0][0] == "0")
        if kept and (total + len(found[0]) > _MOST or (total >= _FEWEST and begins)):
            break
        kept.append(found.span())
        total += len(found[0])
    return kept


def _is_phone(text: str, start: int, places: list[tuple[int, int]]) -> bool:
    groups = [text[slice(*place)] for place in places]
    marks = [text[before[1] : after[0]] for before, after in pairwise(places)]
    written = text[start : places[0][0]]
    international = "+" in written
    if not _FEWEST <= sum(map(len, groups)) <= _MOST or text[places[-1][1] : places[-1][1] + 1].isdigit():
        return False
    if not marks:
        return international
    dots = set(marks) == {"."}
    if dots and (len(groups) == 2 or (len(groups) == 4 and all(int(group) < 256 for group in groups))):
        # A decimal number; an IP address.
        return False
    # 52.5200 13.4049
    if "." in marks[1:] and set(marks[1:]) != {"."}:
        return False
    # Nine digits in threes, with blanks, are phone numbers in many countries.
    largest = 3 if dots else 2 if set(marks) == {" "} and not international else 0
    if groups[0][0] != "0" and len(groups[0]) <= largest and {len(group) for group in groups[1:]} == {3}:
        return False
    if international or "(" in written:
        return True
    years = [_YEAR.fullmatch(group) is not None for group in groups]
    return not (
        all(years) or (years[0] and len(groups) == 2) or all(group.endswith("00") for group in groups)
    )


def _accounts(text: str) -> Spans:
    behind = 0
    for found in _ACCOUNT.finditer(text):
        fraction = _FRACTION.search(text[max(behind, found.start() - 3) : found.start()])
        if not fraction and not _DAY.fullmatch(found[0]) and not _is_amount(text, *found.span()):
            behind = found.end()
            yield found.span()


def _is_amount(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - _BEFORE) : start]
    return _AFTER_AMOUNT.match(text, end) is not None or _BEFORE_AMOUNT.search(before) is not None


_FINDERS: dict[Kind, Callable[[str], Spans]] = {
    "email": _emails,
    "iban": _ibans,
    "card": _cards,
    "phone": _phones,
    "account": _accounts,
}
