"""Infer encoding, separator and types of raw files without a declaration."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pandas as pd

from lepton_pipeline.data.kinds import Wanted, find_kinds
from lepton_pipeline.data.raw import read_header
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.data.reading import Reading
from lepton_pipeline.data.source import Source
from lepton_pipeline.data.texts import numbers_of
from lepton_pipeline.data.values import typed_block, typed_column
from lepton_pipeline.errors import DataError
from lepton_pipeline.onboarding.dates import (
    date_formats,
    epochs,
    looks_like_a_date,
    two_digit_years,
    whole_number_dates,
)
from lepton_pipeline.onboarding.names import DATES, NO_NUMBER, NO_TEXT, Reasons, name_words
from lepton_pipeline.onboarding.numbers import code_columns, missing_among_codes, nearly, number_style
from lepton_pipeline.parameters import Contract, Ingestion

_HEAD, _LINES = 1 << 16, 100
# Numbers of more values are hardly classes.
_FEW_VALUES = 15
_SEPARATORS = (",", ";", "\t", "|")
# cp1252 leaves five bytes undefined; latin-1 has a character for every byte, so it always reads.
_ENCODINGS = ("utf-8", "cp1252", "latin-1")


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
        reading: files read and what was set apart, see `Survey.record`; None for the beginnings of files.
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
        files: at least one table file; all have the same columns, and are concatenated.
        target: column whose values are classes, so none of them means "no value" unless two are left.
        whole: False for the beginnings of files, which may end within a record.

    Raises:
        DataError: a file is no table, is empty or has only a header, a column name is missing or repeated,
            a column's type is not supported, too many records are broken, or the files differ in their columns.
    """
    blocks, ingestion, reading = _read_texts(files, whole)
    rows = pd.concat([block.to_pandas() for block in blocks], ignore_index=True)
    reasons: dict[str, str] = {}
    if ingestion.encoding != "utf-8":
        reasons["encoding"] = "the bytes are not UTF-8"
    if ingestion.separator != ",":
        reasons["separator"] = "divides every line like the header"
    codes, why, doubts = missing_among_codes(rows, ingestion)
    if why:
        reasons["missing"] = "; ".join(f"without {text}: {said}" for text, said in why.items())
    missing = [text for text in ingestion.missing if text not in codes]
    strings = {str(name): rows[name] for name in rows if pd.api.types.is_string_dtype(rows[name])}
    texts = {name: _distinct(column, missing) for name, column in strings.items()}
    regular = {name: _without(each, NO_NUMBER) for name, each in texts.items()}
    style, more, unsure = number_style(regular, ingestion)
    reasons |= more
    ingestion = ingestion.model_copy(update={**style, "missing": missing})
    odd = _odd_texts(texts, ingestion, target)
    ingestion = ingestion.model_copy(update={"missing": [*missing, *odd]})
    present = {name: values[~values.isin(ingestion.missing)] for name, values in texts.items()}
    dates, either = _dates(rows, present, ingestion)
    ingestion = ingestion.model_copy(update={"dates": dates})
    integers = {str(name): rows[name] for name in rows if pd.api.types.is_integer_dtype(rows[name])}
    keys = code_columns({name: each for name, each in present.items() if name not in dates} | integers)
    kinds = find_kinds(blocks, ingestion, Wanted(keys=keys)).of
    table = pd.concat([typed_block(block, kinds, ingestion) for block in blocks], ignore_index=True)
    table, centuries, asked = two_digit_years(table, dates)
    ingestion = ingestion.model_copy(update={"two_digit_years": centuries})
    moments = epochs(table)
    doubts = doubts | unsure | either | asked | moments
    doubts |= _nearly_typed(table, present, ingestion, keys) | doubts
    return Profile(table, ingestion, reasons, odd, doubts, keys, list(moments), reading)


def is_whole(column: pd.Series) -> bool:
    """Whether a column holds whole numbers, also as floats beside missing values."""
    present = column.dropna()
    return column.dtype.kind in "iuf" and len(present) > 0 and bool((present % 1 == 0).all())


def _read_texts(files: Sequence[RawFile], whole: bool) -> tuple[list[Any], Ingestion, Reading | None]:
    """Arrow blocks of the rows, encoding and separator, and the record of whole files."""
    first = next((file for file in files if not file.is_parquet and not file.is_document), None)
    head = b""
    if first is not None:
        # Latin-1 decodes everything: this refuses other kinds of files, and broken compression.
        read_header(first, Ingestion(encoding="latin-1", separator="\x1f"))
        head = first_bytes(first, _HEAD)
    encodings = ("utf-16",) if head.startswith((b"\xff\xfe", b"\xfe\xff")) else _ENCODINGS
    for encoding in encodings:
        separator = _separator(head.decode(encoding, errors="replace").removeprefix("\ufeff"))
        ingestion = Ingestion(encoding=encoding, separator=separator)
        try:
            source = Source.open(list(files), ingestion, {})
            survey = source.survey() if whole else None
            if survey is not None:
                survey.require_whole(Contract().max_quarantined, "contract.max_quarantined")
            blocks = [chunk.block for chunk in source.chunks()]
        except DataError as error:
            if not isinstance(error.__cause__, UnicodeDecodeError) or encoding == encodings[-1]:
                raise
        else:
            return blocks, ingestion, None if survey is None else survey.record()
    raise AssertionError("the last encoding has read the file or raised")


def first_bytes(file: RawFile, most: int) -> bytes:
    """The beginning of a file; empty where it cannot be read, which reading all of it reports."""
    try:
        with file.open() as stream:
            return stream.read(most)
    except Exception:
        return b""


def _separator(text: str) -> str:
    """The separator that splits most lines into as many fields as the header; of several, the most fields."""
    complete = text[: text.rfind("\n") + 1] or text

    def fit(separator: str) -> tuple[float, int]:
        rows = csv.reader(io.StringIO(complete, newline=""), delimiter=separator)
        lengths: list[int] = []
        with suppress(csv.Error):
            lengths = [len(row) for row in islice(rows, _LINES) if row]
        fields = lengths[0] if lengths else 0
        return (lengths.count(fields) / len(lengths), fields) if fields > 1 else (0.0, 0)

    return max(_SEPARATORS, key=fit)


def _distinct(column: pd.Series, missing: Collection[str]) -> pd.Series:
    values = column.drop_duplicates().str.strip().drop_duplicates()
    return values[values.notna() & ~values.isin(missing)]


def _without(texts: pd.Series, odd: frozenset[str]) -> pd.Series:
    return texts[~texts.str.casefold().isin(odd)]


def _odd_texts(texts: dict[str, pd.Series], ingestion: Ingestion, target: str | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    kept: set[str] = set()
    for name, values in texts.items():
        regular = _without(values, NO_NUMBER)
        numbers = bool(numbers_of(regular, ingestion).notna().all())
        ordered = numbers or date_formats(regular)
        odd = values[values.str.casefold().isin(NO_NUMBER if ordered and len(regular) > 1 else NO_TEXT)]
        left = len(values) - len(odd)
        # In a numeric target, a text such as "unknown" is a missing value.
        if name == target and left != 2 and not (numbers and left > _FEW_VALUES):
            kept |= set(odd)
        elif left > 1:
            for text in odd:
                found.setdefault(text, []).append(name)
    # Classes of the target may be spelled like a missing value.
    kept |= {text for text in texts.get(target or "", ()) if target not in found.get(text, [])}
    return {text: names for text, names in found.items() if text not in kept}


def _dates(rows: pd.DataFrame, texts: dict[str, pd.Series], ingestion: Ingestion) -> tuple[Reasons, Reasons]:
    """Formats of date columns, and what to review; `texts` are distinct present values."""
    dates, doubts = dict[str, str](), dict[str, str]()
    for name in map(str, rows):
        values = texts.get(name)
        if values is None or numbers_of(values, ingestion).notna().all():
            typed = typed_column(rows[name], ingestion) if DATES & set(name_words(name)) else None
            if typed is not None and is_whole(typed) and whole_number_dates(typed.dropna()):
                dates[name] = "%Y%m%d"
        elif date_formats(values):
            # Once more with the order of the rows, which can tell day and month apart.
            present = rows[name].str.strip()
            dates[name], *others = date_formats(present[present.notna() & ~present.isin(ingestion.missing)])
            if others:
                doubts[name] = f"every value fits {dates[name]} and {others[0]}: check which one is meant"
    return dates, doubts


def _nearly_typed(
    table: pd.DataFrame, texts: dict[str, pd.Series], ingestion: Ingestion, codes: Collection[str]
) -> dict[str, str]:
    """Columns that are text only because of a few values."""
    doubts = {}
    for name, present in texts.items():
        if name in codes or not pd.api.types.is_string_dtype(table[name]):
            continue
        numbers = numbers_of(present, ingestion).notna()
        dates = present.map(looks_like_a_date).astype(bool)
        if nearly(numbers) and not numbers.all() and not present.str.fullmatch(r"0\d+").any():
            odd = ", ".join(map(repr, present[~numbers].iloc[:2]))
            doubts[name] = f"numbers except {odd}: add these to ingestion.missing if they mean no value"
        elif nearly(dates) and not dates.all():
            odd = ", ".join(map(repr, present[~dates].iloc[:2]))
            doubts[name] = (
                f"dates except {odd}: if these mean no value, add them to ingestion.missing and the format of the "
                "others to ingestion.dates"
            )
    return doubts
