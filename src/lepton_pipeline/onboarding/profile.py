"""Infer format and types of raw files without a declaration."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pandas as pd

from lepton_pipeline.data.kinds import Wanted, find_kinds
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.data.reading import Reading
from lepton_pipeline.data.texts import numbers_of
from lepton_pipeline.data.values import typed_block, typed_column
from lepton_pipeline.onboarding.codes import code_columns, missing_among_codes
from lepton_pipeline.onboarding.dates import (
    date_format,
    epochs,
    looks_like_a_date,
    two_digit_years,
    whole_number_dates,
    within_century,
)
from lepton_pipeline.onboarding.formats import RawRows, read_texts
from lepton_pipeline.onboarding.names import DATES, NO_NUMBER, NO_TEXT, name_words
from lepton_pipeline.onboarding.numbers import number_style
from lepton_pipeline.parameters import Ingestion

_FEW_ODD = 0.05


@dataclass(frozen=True)
class Profile:
    """What was found in raw files.

    Attributes:
        table: typed rows, as a run reads them with `ingestion`; indexed 0 .. rows - 1.
        reasons: for the keys of `ingestion` that are not at their default.
        odd: further texts for missing values, with their columns.
        doubts: by column, what to review.
        codes: columns of digits that are codes, with the reason.
        moments: whole-number columns that look like times since 1970.
        reading: files read and what was set apart, see `Survey.record`; None for parts of files.
    """

    table: pd.DataFrame
    ingestion: Ingestion
    reasons: dict[str, str]
    odd: dict[str, list[str]]
    doubts: dict[str, str]
    codes: dict[str, str] = field(default_factory=dict)
    moments: list[str] = field(default_factory=list)
    reading: Reading | None = None


def profile_files(files: Sequence[RawFile], target: str | None = None, *, whole: bool = True) -> Profile:
    """Read table files and infer how their text becomes values.

    Args:
        files: table files with the same columns, concatenated.
        target: column whose values are classes, so none of them means "no value" unless two are left.
        whole: whether they are whole files, see `read_texts`.

    Raises:
        DataError: a file cannot be read as a table, see `read_texts`, or a column's type is not supported.
    """
    read = read_texts(files, whole=whole)
    rows, ingestion = read.frame, read.ingestion
    reasons: dict[str, str] = {}
    if ingestion.encoding != "utf-8":
        reasons["encoding"] = "the bytes are not UTF-8"
    if ingestion.separator != ",":
        reasons["separator"] = "divides every line like the header"
    codes, why, doubts = missing_among_codes(rows, ingestion)
    if why:
        reasons["missing"] = "; ".join(f"without {text}: {said}" for text, said in why.items())
    missing = [text for text in ingestion.missing if text not in codes]
    ingestion = ingestion.model_copy(update={"missing": missing})
    strings = rows.columns[[pd.api.types.is_string_dtype(rows[name]) for name in rows]]
    texts = {str(name): _distinct(rows[name], ingestion) for name in strings}
    regular = {name: _without(each, NO_NUMBER) for name, each in texts.items()}
    style = number_style(regular, ingestion.separator)
    reasons |= style.reasons
    ingestion = style.of(ingestion)
    odd = _odd_texts(texts, ingestion, target)
    ingestion = ingestion.model_copy(update={"missing": [*missing, *odd]})
    present = {name: values[~values.isin(ingestion.missing)] for name, values in texts.items()}
    dates, more = _dates(rows, present, ingestion)
    ingestion = ingestion.model_copy(update={"dates": dates})
    integers = {str(name): rows[name] for name in rows if pd.api.types.is_integer_dtype(rows[name])}
    keys = code_columns({name: each for name, each in present.items() if name not in dates} | integers)
    table = _typed(read, ingestion, keys)
    centuries, asked = two_digit_years(table, dates)
    ingestion = ingestion.model_copy(update={"two_digit_years": centuries})
    table = table.assign(**{name: within_century(table[name], latest) for name, latest in centuries.items()})
    moments = epochs(table)
    doubts = doubts | style.doubts | more | asked | moments
    doubts |= _nearly_typed(table, present, ingestion, keys) | doubts
    reading = None if read.survey is None else read.survey.record()
    return Profile(table, ingestion, reasons, odd, doubts, keys, list(moments), reading)


def _typed(read: RawRows, ingestion: Ingestion, keys: Collection[str]) -> pd.DataFrame:
    """The rows as a run reads them with the keys as categories."""
    kinds = find_kinds(read.blocks, ingestion, Wanted(keys=keys)).of
    return pd.concat([typed_block(block, kinds, ingestion) for block in read.blocks], ignore_index=True)


def is_whole(column: pd.Series) -> bool:
    """Whether a column holds whole numbers, also as floats beside missing values."""
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        return False
    present = column.dropna()
    return bool(len(present)) and bool((present % 1 == 0).all())


def _distinct(column: pd.Series, ingestion: Ingestion) -> pd.Series:
    values = column.drop_duplicates().str.strip().drop_duplicates()
    return values[values.notna() & ~values.isin(ingestion.missing)]


def _without(texts: pd.Series, odd: frozenset[str]) -> pd.Series:
    return texts[~texts.str.casefold().isin(odd)]


def _odd_texts(texts: dict[str, pd.Series], ingestion: Ingestion, target: str | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    kept: set[str] = set()
    for name, values in texts.items():
        regular = _without(values, NO_NUMBER)
        ordered = len(regular) > 1 and (
            numbers_of(regular, ingestion).notna().all() or date_format(regular) is not None
        )
        known = NO_NUMBER if ordered else NO_TEXT
        odd = values[values.str.casefold().isin(known)]
        left = len(values) - len(odd)
        if name == target and left != 2:
            kept |= set(odd)
        elif left > 1:
            for text in odd:
                found.setdefault(text, []).append(name)
    # Classes of the target may be spelled like a missing value.
    kept |= {text for text in texts.get(target or "", ()) if target not in found.get(text, [])}
    return {text: names for text, names in found.items() if text not in kept}


def _dates(
    rows: pd.DataFrame, texts: dict[str, pd.Series], ingestion: Ingestion
) -> tuple[dict[str, str], dict[str, str]]:
    """Formats of date columns, and what to review; `texts` are distinct present values."""
    dates: dict[str, str] = {}
    doubts: dict[str, str] = {}
    for name in map(str, rows):
        values = texts.get(name)
        if values is None or numbers_of(values, ingestion).notna().all():
            if DATES & set(name_words(name)):
                typed = typed_column(rows[name], ingestion)
                if is_whole(typed) and whole_number_dates(typed.dropna()):
                    dates[name] = "%Y%m%d"
            continue
        if date_format(values) is None:
            continue
        # Once more with the order of the rows, which can tell day and month apart.
        present = rows[name].str.strip()
        found = date_format(present[present.notna() & ~present.isin(ingestion.missing)])
        if found is not None:
            dates[name] = found.format
            if found.other:
                doubts[name] = f"every value fits {found.format} and {found.other}: check which one is meant"
    return dates, doubts


def _nearly_typed(
    table: pd.DataFrame, texts: dict[str, pd.Series], ingestion: Ingestion, codes: Collection[str]
) -> dict[str, str]:
    """Columns that are text only because of a few values."""
    doubts = {}
    for name, present in texts.items():
        if name in codes or not pd.api.types.is_string_dtype(table[name]):
            continue
        no_numbers = present[numbers_of(present, ingestion).isna()]
        no_dates = present[~present.map(looks_like_a_date).astype(bool)]
        zeros = present.str.fullmatch(r"0\d+").any()
        if _few(no_numbers, present) and not zeros:
            doubts[name] = (
                f"numbers except {_two(no_numbers)}: add these to ingestion.missing if they mean no value"
            )
        elif _few(no_dates, present):
            doubts[name] = (
                f"dates except {_two(no_dates)}: if these mean no value, add them to ingestion.missing and the format "
                "of the others to ingestion.dates"
            )
    return doubts


def _few(odd: pd.Series, texts: pd.Series) -> bool:
    return 0 < len(odd) <= max(1, _FEW_ODD * len(texts)) and len(texts) - len(odd) > 2


def _two(texts: pd.Series) -> str:
    return ", ".join(map(repr, texts.iloc[:2]))
