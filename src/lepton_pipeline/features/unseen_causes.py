"""The likeliest reason why values are unseen: a difference in how they are written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from lepton_pipeline.features.column_encoders import CategoricalColumn

# The most frequent categories that unseen values are compared with, in half a second.
COMPARED = 5_000
# A cause that explains less of the new values is a coincidence.
_LEAST_SHARE = 0.1
# Two causes at once are tried only where one explains less.
_MOST_SHARE = 0.9
_SHOWN_CHARACTERS = 60
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?")
_FRACTION = re.compile(r"[+-]?\d{0,6}\.\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([,.'\u2019\s]\d{3})+")
_LEADING_ZEROS = re.compile(r"(?<![\d.,])0+(?=\d)")
_TRUE = frozenset({"1", "t", "true", "y", "yes", "on", "j", "ja", "s", "si", "s\u00ed", "o", "oui"})
_FALSE = frozenset({"0", "f", "false", "n", "no", "off", "nein", "non"})
_NO_VALUE = re.compile(
    r"-{0,3}|\.{1,2}|\?|n/?a|n\.a\.|#n/a|nan|nat|nil|null|\(null\)|#null!|\\n|none|missing|undefined|unknown|"
    r"not available|not known|<na>|#value!|#ref!"
)
# Cyrillic and Greek letters that look like Latin ones; dashes and quotation marks.
_LOOK_ALIKE = str.maketrans(
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0430\u0435\u043e\u0440\u0441\u0443\u0445"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2018\u2019\u02bc\u00b4`\u201c\u201d",
    "ABEKMHOPCTXaeopcyxABEZHIKMNOPTYX-------'''''\"\"",
)


# The name of a normalisation (or a function of new and known value), and the form it gives texts that differ in
# nothing else.
_Step = tuple[str | Callable[[str, str], str], Callable[[str], str]]


@dataclass(frozen=True)
class Cause:
    """Why `rows` values are unseen, in `words`; one of them, and the known value it stands for, if any."""

    words: str
    rows: int
    value: str
    known: str | None

    def __str__(self) -> str:
        """Words and example.

        >>> str(Cause("capital and small letters", 3, "True", "TRUE"))
        "capital and small letters ('True' for 'TRUE')"
        """
        known = "" if self.known is None else f" for {shown(self.known)}"
        return f"{self.words} ({shown(self.value)}{known})"


def likely_cause(unseen: Mapping[str, int], column: CategoricalColumn, most: int = COMPARED) -> Cause | None:
    """Find the normalisation that turns most unseen values into values of the training rows.

    Counts are rows by unseen value; `most` limits the comparison to the most frequent categories.
    Returns the simplest of equally good causes, or None where none explains a tenth of the rows.
    """
    total = sum(unseen.values())
    known = list(column.categories[:most])
    best: Cause | None = None
    for steps in (*combinations(_STEPS, 1), *combinations(_STEPS, 2)):
        if len(steps) > 1 and best is not None and best.rows >= _MOST_SHARE * total:
            break
        cause = _explained(unseen, column, known, steps)
        if cause is not None and (best is None or cause.rows > best.rows):
            best = cause
    absent = {text: rows for text, rows in unseen.items() if _NO_VALUE.fullmatch(text.casefold())}
    if sum(absent.values()) > (0 if best is None else best.rows):
        words = "a text that means no value: list it under ingestion.missing"
        best = Cause(words, sum(absent.values()), max(absent, key=absent.__getitem__), None)
    return best if best is not None and best.rows >= _LEAST_SHARE * total else None


def shown(text: str) -> str:
    r"""A value for a message: short, and without characters that are not printed.

    >>> print(shown("a\n" + "b" * 90))
    'a\nbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb..'
    """
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..")


def _explained(
    unseen: Mapping[str, int], column: CategoricalColumn, known: list[str], steps: tuple[_Step, ...]
) -> Cause | None:
    # The most frequent of those with one form.
    partner = {_written(text, steps): text for text in reversed(known)}
    changed = {text: _written(text, steps) for text in unseen}
    # Rare values are kept as hashes, which know one form only.
    other = [form for text, form in changed.items() if form not in partner and form != text]
    seen = column.seen_in_training(other)
    partner |= {form: form for form, known_form in zip(other, seen, strict=True) if known_form}
    explained = {text: unseen[text] for text, form in changed.items() if form and form in partner}
    if not explained:
        return None
    example = max(explained, key=explained.__getitem__)
    seems = partner[changed[example]]
    words = " and ".join(name if isinstance(name, str) else name(example, seems) for name, _ in steps)
    return Cause(words, sum(explained.values()), example, seems)


def _written(text: str, steps: tuple[_Step, ...]) -> str:
    for _, form in steps:
        text = form(text)
    return text


def _fraction_or_exponent(new: str, known: str) -> str:
    return "an exponent" if "e" in (new + known).lower() else "zeros behind the decimal mark"


def _leading_zeros(new: str, known: str) -> str:
    zeros = [sum(map(len, _LEADING_ZEROS.findall(text))) for text in (new, known)]
    return f"{'lost' if zeros[0] < zeros[1] else 'added'} leading zeros"


def _plain_number(text: str) -> str:
    """Drop trailing zeros of a fraction and the exponent: 1.0 is 1, 1E3 is 1000, 01 stays."""
    if not _NUMBER.fullmatch(text):
        return text
    if "e" in text.lower():
        text = format(Decimal(text), "f")
    text = text.removeprefix("+")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _few_digits(text: str) -> str:
    """Round to the precision of float32: 1.10000002 is 1.1."""
    return f"{float(text):.6g}" if _FRACTION.fullmatch(text) else text


def _look_alike(text: str) -> str:
    """Replace full-width forms, ligatures and letters of other alphabets; drop zero-width characters."""
    plain = unicodedata.normalize("NFKC", text).translate(_LOOK_ALIKE)
    return "".join(each for each in plain if unicodedata.category(each) != "Cf").strip()


def _without_accents(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))


def _decoded(text: str) -> str:
    """Undo reading UTF-8 as Windows-1252 or Latin-1."""
    for encoding in ("cp1252", "latin-1"):
        try:
            return unicodedata.normalize("NFC", text.encode(encoding).decode("utf-8"))
        except UnicodeError:
            continue
    return text


def _truth(text: str) -> str:
    word = text.casefold()
    return "true" if word in _TRUE else "false" if word in _FALSE else text


def _without_marks(text: str) -> str:
    """Keep letters and digits; numbers stay as they are, since their marks matter."""
    return re.sub(r"[\W_]", "", text) if any(map(str.isalpha, text)) else text


# The earlier one is named where two explain as much.
_STEPS: tuple[_Step, ...] = (
    (_fraction_or_exponent, _plain_number),
    ("capital and small letters", str.casefold),
    (_leading_zeros, lambda text: _LEADING_ZEROS.sub("", text)),
    ("blanks", lambda text: re.sub(r"\s", "", text)),
    ("quotation marks around the value", lambda text: text.strip("'\"").strip()),
    ("characters that look alike", _look_alike),
    ("the decimal mark", lambda text: re.sub(r"^([+-]?\d*),(\d+)\Z", r"\1.\2", text)),
    ("thousands marks", lambda text: re.sub(r"[^\d+-]", "", text) if _THOUSANDS.fullmatch(text) else text),
    ("accents", _without_accents),
    ("a file in another encoding than ingestion.encoding", _decoded),
    ("other words for true and false", _truth),
    ("rounding", _few_digits),
    ("punctuation", _without_marks),
)
