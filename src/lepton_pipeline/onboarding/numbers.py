"""Infer how a table writes numbers (decimal mark, thousands mark, units, accounting signs), and what are codes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

import pandas as pd

from lepton_pipeline.data.texts import MINUS
from lepton_pipeline.onboarding.names import COUNTRIES, COUNTRY_CODES, Reasons, name_words
from lepton_pipeline.parameters import Ingestion

_CURRENCIES = (
    "$ € £ ¥ ₹ ₽ ₩ ₺ ₴ zł Kč Ft kr R$ US$ "
    "EUR USD GBP CHF JPY CNY INR SEK NOK DKK PLN CZK HUF BRL CAD AUD Fr. Rs Rs."
)
_MEASURES = (
    "% ‰ ° °C °F C F K kg g mg µg t lb lbs oz km m cm mm mi ft in km² m² ha sqm sqft l ml L mL gal km/h kmh mph m/s "
    "kW W MW kWh MWh Wh V A Hz kHz MHz GHz hp PS bhp kmpl CC cc Nm bar hPa mbar psi s sec min h hrs hours days d "
    "years yrs months weeks KB MB GB TB kB bps Mbps pcs x"
)
_PREFIXES = frozenset(_CURRENCIES.split())
_SUFFIXES = frozenset([*_CURRENCIES.split(), *_MEASURES.split()])
# Files also write the narrow and the wide blank that does not break, and the typographic apostrophe.
_SAME_MARK = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'", MINUS: "-"})
_AFFIXED = re.compile(
    r"[(]?\s*[+-]?\s*(?P<before>[^\d\s.,'()+-][^\d\s'()+,-]{0,3})?\s*[+-]?\s*(?P<number>[.,]?\d[\d., ']*?)"
    r"\s*(?P<after>[^\d\s.,'()+-][^\s'()+,-]{0,5})?\s*-?\s*[)]?"
)
_EXAMPLES = 2
_FEW_ODD = 0.05
_SAMPLE = 200
# From so many digits on, numbers in groups that all have as many are telephone numbers or the like.
_LONG = 7
_FEWEST = 10
# A float loses the last digits of longer numbers; no amount has as many.
_KEY_DIGITS = 18
_LONG_WHOLE = f"whole numbers of {_KEY_DIGITS} digits and more, such as {{}}"
_FEWEST_CODES, _SHOWN_CODES = 3, 3


def number_style(
    texts: Mapping[str, pd.Series], ingestion: Ingestion
) -> tuple[dict[str, object], Reasons, Reasons]:
    """Find the style in which the most columns are numbers; of equal ones, the plainer.

    `texts` are the distinct values of each text column, stripped, without missing values; the separator of
    `ingestion` says where a point may be a thousands mark. Returns the keys of `ingestion` that differ from
    it; the reason for each, with examples and columns; and by column, what to review.
    """
    cores = {name: found for name, values in texts.items() if (found := _cores(values)) is not None}
    decimal, mark = max(_STYLES, key=lambda style: sum(_fit(each.numbers, *style) for each in cores.values()))
    reasons, doubts = {}, {name: each.doubt for name, each in cores.items() if each.doubt}
    fitting = {name: each for name, each in cores.items() if _fit(each.numbers, decimal, mark)}
    if decimal == ",":
        example = _shown(fitting, r".*\d,\d+.*")
        reasons["decimal"] = f"numbers such as {example}" if example else "the point separates thousands"
    if mark is not None:
        grouped_by_mark = rf"[^\d]*\d{{1,3}}({re.escape(mark)}\d{{3}})+.*"
        reasons["thousands"] = f"numbers such as {_shown(fitting, grouped_by_mark)}"
    signed, columns = {name: each.texts for name, each in fitting.items() if each.units}, fitting.values()
    units = list(dict.fromkeys(unit for each in columns for unit in each.units))
    if units:
        reasons["units"] = f"units of the numbers in {', '.join(signed)}, such as {_first(signed.values())}"
    negative = [each.matching(_NEGATIVE) for each in columns if each.accounting]
    if negative:
        reasons["accounting"] = f"negative numbers such as {_first(negative)}"
    if mark is None and decimal == "." and ingestion.separator == ";":
        grouped = {name: each.numbers for name, each in fitting.items() if _may_be_grouped(each.numbers)}
        doubts |= {name: _POINT.format(numbers.iloc[0]) for name, numbers in grouped.items()}
    keys = ("decimal", "thousands", "units", "accounting")
    style = zip(keys, (decimal, mark, units, bool(negative)), strict=True)
    return {key: value for key, value in style if value != getattr(ingestion, key)}, reasons, doubts


_STYLES: list[tuple[str, str | None]] = [
    (".", None), (".", ","), (",", None), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"),
]  # fmt: skip
_POINT = (
    "three digits follow the point in every value, such as {!r}: if it is a thousands mark, declare ingestion.decimal "
    "as a comma and ingestion.thousands as a point"
)


@dataclass(frozen=True)
class _Cores:
    """A column of numbers without signs and units; `doubt` says why it may be text."""

    texts: pd.Series
    numbers: pd.Series
    units: list[str]
    accounting: bool
    doubt: str = ""

    def matching(self, pattern: str) -> pd.Series:
        """The texts that match, whichever blank, minus or apostrophe they have."""
        plain = self.texts.astype("str").str.translate(_SAME_MARK)
        return self.texts[plain.str.fullmatch(pattern).to_numpy()]


_NEGATIVE = r"\(.*\d.*\)|[^-(]*\d[^-]*-"


def _cores(values: pd.Series) -> _Cores | None:
    """Separate numbers from signs and units, where nearly every value is a number with at most one unit."""
    if pd.api.types.is_numeric_dtype(values) or values.empty:
        return None
    texts = values.astype("str").str.translate(_SAME_MARK)
    if pd.to_numeric(texts, errors="coerce").notna().all():
        return _Cores(values, texts.str.lstrip("+-"), [], False)
    sample = texts.iloc[:_SAMPLE]
    if not nearly(sample.str.fullmatch(_AFFIXED)):
        return None
    parts = texts.str.extract(rf"^{_AFFIXED.pattern}$")
    found = parts["number"].notna()
    if not nearly(found):
        return None
    accounting = texts.str.fullmatch(_NEGATIVE) & found
    numbers = parts["number"].fillna("?")
    beside = pd.concat([parts["before"], parts["after"]]).dropna()
    units = beside.value_counts().index.tolist()
    if accounting.all() or _codes(numbers):
        return None
    if not all(_is_unit(unit, parts, len(beside)) for unit in units):
        return None
    if len(units) > 1:
        shown = ", ".join(map(repr, units[:_EXAMPLES]))
        several = f"numbers in several units ({shown}): read as text; write them in one unit"
        return _Cores(values, pd.Series(["?"]), [], False, several)
    return _Cores(values, numbers, units, bool(accounting.any()))


def _is_unit(unit: str, parts: pd.DataFrame, rows: int) -> bool:
    """Whether an affix is a unit, and not a part of a code such as A17 or 12b."""
    before, after = (parts["before"] == unit).any(), (parts["after"] == unit).any()
    known = not (before and unit not in _PREFIXES) and not (after and unit not in _SUFFIXES)
    if unit in _PREFIXES or unit in "%‰°":
        return known or not unit.isalnum()
    return bool(known and rows >= (1 - _FEW_ODD) * len(parts))


def _codes(numbers: pd.Series) -> bool:
    """Whether grouped digits are a code such as a telephone number: equally many in every value."""
    digits = numbers.str.replace(r"\D", "", regex=True).str.len()
    grouped = numbers.str.contains(r"\d[ '.]\d{3}(?!\d)", regex=True)
    return bool(grouped.all() and len(numbers) > 2 and digits.min() == digits.max() and digits.min() >= _LONG)


def _fit(numbers: pd.Series, decimal: str, mark: str | None) -> float:
    """1 where every value is a number in this style, 0.9 where nearly every one is, else 0."""
    point = re.escape(decimal)
    fraction = rf"({point}\d*)?([eE][+-]?\d+)?"
    whole = r"\d+" if mark is None else rf"(\d+|[1-9]\d{{0,2}}({re.escape(mark)}\d{{3}})+)"
    good = numbers.str.fullmatch(rf"{whole}{fraction}|{point}\d+([eE][+-]?\d+)?")
    return 1.0 if good.all() else 0.9 if nearly(good) else 0.0


def nearly(good: pd.Series) -> bool:
    """Whether all values are good, but for a few."""
    wrong = int((~good).sum())
    return wrong == 0 or (wrong <= max(1, _FEW_ODD * len(good)) and len(good) - wrong > 2)


def _shown(columns: Mapping[str, _Cores], pattern: str) -> str:
    """Examples from the first columns that match, and the names of all that do."""
    found = {name: each.matching(pattern) for name, each in columns.items()}
    found = {name: values for name, values in found.items() if len(values)}
    return f"{_first(found.values())} in {', '.join(found)}" if found else ""


def _first(columns: Iterable[pd.Series]) -> str:
    return ", ".join(repr(texts.iloc[0]) for texts in islice(columns, _EXAMPLES))


def _may_be_grouped(numbers: pd.Series) -> bool:
    marked = numbers[numbers.str.contains(".", regex=False)]
    enough = len(marked) >= _FEWEST and len(marked) >= len(numbers) / 2
    return enough and bool(marked.str.fullmatch(r"[1-9]\d{0,2}\.\d{3}").all())


def code_columns(columns: Mapping[str, pd.Series]) -> dict[str, str]:
    """Columns whose digits are codes, with the reason; from distinct values stripped of missing ones."""
    return {name: why for name, values in columns.items() if (why := _why_codes(values)) is not None}


def _why_codes(values: pd.Series) -> str | None:
    if pd.api.types.is_integer_dtype(values):
        is_long = len(values) and values.abs().max() >= 10 ** (_KEY_DIGITS - 1)
        return _LONG_WHOLE.format(values.max()) if is_long else None
    if not pd.api.types.is_string_dtype(values) or values.empty:
        return None
    whole = values.str.fullmatch(r"[+-]?\d+")
    exponent = values.str.fullmatch(r"\d+[eE]\d+")
    if not (whole | exponent).all():
        return None  # 007.5 is a number: codes have no decimal mark.
    if exponent.any():
        return f"digits, E, digits, such as {values[exponent].iloc[0]!r}, which is no power of ten"
    zeros = values[values.str.fullmatch(r"[+-]?0\d+")]
    if len(zeros):
        return f"whole numbers with leading zeros, such as {zeros.iloc[0]!r}"
    long = values[values.str.len() >= _KEY_DIGITS]
    return _LONG_WHOLE.format(repr(long.iloc[0])) if len(long) else None


def missing_among_codes(rows: pd.DataFrame, ingestion: Ingestion) -> tuple[list[str], Reasons, Reasons]:
    """Find codes that are spelled like a missing value: NA is Namibia among country codes.

    Returns texts to take out of `ingestion.missing`; the reason by text; and by column, what to review.
    """
    among: dict[str, dict[str, tuple[pd.Series, str]]] = {}
    elsewhere: set[str] = set()
    for name in (str(name) for name in rows if pd.api.types.is_string_dtype(rows[name])):
        counts = rows[name].str.strip().value_counts()
        regular = counts.index[~counts.index.isin(ingestion.missing)]
        beside = ", ".join(regular[:_SHOWN_CODES]) + " .." * (len(regular) > _SHOWN_CODES)
        for text in (text for text in ingestion.missing if text.isalpha() and text in counts.index):
            if _alike(text, regular):
                among.setdefault(text, {})[name] = counts, beside
            else:
                elsewhere.add(text)
    codes, reasons, doubts = [], {}, {}
    for text, columns in among.items():
        countries = all(_of_countries(name, counts) for name, (counts, _) in columns.items())
        if text == "NA" and text not in elsewhere and countries:
            codes.append(text)
            said = [f"a code among {beside} in {name}" for name, (_, beside) in columns.items()]
            reasons[text] = "; ".join(f"{each}, not a missing value" for each in said)
            continue
        other = " in this column; in other columns it is a missing value, so give it another text here"
        for name, (counts, beside) in columns.items():
            doubts[name] = (
                f"{text} occurs among {beside} in {counts[text]:,} rows and is read as missing: if it is a code, "
                f"take it out of ingestion.missing{other if text in elsewhere else ''}"
            )
    return codes, reasons, doubts


def _alike(text: str, others: pd.Index) -> bool:
    """Whether all other values have the same number of letters and the same case."""

    def shape(each: str) -> tuple[int, bool, bool, bool]:
        return len(each), each.isalpha(), each.isupper(), each.islower()

    return len(others) >= _FEWEST_CODES - 1 and all(shape(other) == shape(text) for other in others)


def _of_countries(name: str, counts: pd.Series) -> bool:
    codes = {code for code in counts.index if code.isalpha()}
    return bool(codes <= COUNTRY_CODES or COUNTRIES & set(name_words(name)))
