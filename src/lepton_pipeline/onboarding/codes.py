"""Detect codes among texts that look like numbers or missing values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from lepton_pipeline.onboarding.names import COUNTRIES, COUNTRY_CODES, Reasons, name_words
from lepton_pipeline.parameters import Ingestion

# A float loses the last digits of longer numbers; no amount has as many.
_KEY_DIGITS = 18
_LONG = f"whole numbers of {_KEY_DIGITS} digits and more, such as {{}}"
_FEWEST_CODES = 3
_SHOWN = 3


def code_columns(columns: Mapping[str, pd.Series]) -> dict[str, str]:
    """Columns whose digits are codes, with the reason; from distinct values stripped of missing ones."""
    return {name: why for name, values in columns.items() if (why := _why_codes(values)) is not None}


def _why_codes(values: pd.Series) -> str | None:
    if pd.api.types.is_integer_dtype(values):
        is_long = len(values) and values.abs().max() >= 10 ** (_KEY_DIGITS - 1)
        return _LONG.format(values.max()) if is_long else None
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
    return _LONG.format(repr(long.iloc[0])) if len(long) else None


def missing_among_codes(rows: pd.DataFrame, ingestion: Ingestion) -> tuple[list[str], Reasons, Reasons]:
    """Find codes that are spelled like a missing value: NA is Namibia among country codes.

    Returns:
        Texts to take out of `ingestion.missing`; the reason by text; and by column, what to review.
    """
    suspected = {text for text in ingestion.missing if text.isalpha()}
    among: dict[str, dict[str, pd.Series]] = {}
    elsewhere: set[str] = set()
    for name in (str(name) for name in rows if pd.api.types.is_string_dtype(rows[name])):
        counts = rows[name].str.strip().value_counts()
        regular = counts.index[~counts.index.isin(ingestion.missing)]
        for text in suspected & set(counts.index):
            if _alike(text, regular):
                among.setdefault(text, {})[name] = counts
            else:
                elsewhere.add(text)
    codes, reasons, doubts = [], {}, {}
    for text, columns in among.items():
        shown = {name: _beside(counts, ingestion.missing) for name, counts in columns.items()}
        if text == "NA" and text not in elsewhere and all(map(_of_countries, columns, columns.values())):
            codes.append(text)
            reasons[text] = "; ".join(
                f"a code among {beside} in {name}, not a missing value" for name, beside in shown.items()
            )
            continue
        other = " in this column; in other columns it is a missing value, so give it another text here"
        for name, counts in columns.items():
            doubts[name] = (
                f"{text} occurs among {shown[name]} in {counts[text]:,} rows and is read as missing: if it is a code, "
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


def _beside(counts: pd.Series, missing: Iterable[str]) -> str:
    others = [code for code in counts.index if code not in set(missing)]
    return ", ".join(others[:_SHOWN]) + (" .." if len(others) > _SHOWN else "")
