"""What raw files hold, without a declaration: their format, and one typed table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lepton_pipeline.data.raw import RawFile
from lepton_pipeline.data.values import typed_column
from lepton_pipeline.errors import DataError
from lepton_pipeline.onboarding.dates import date_format, looks_like_a_date, whole_number_dates
from lepton_pipeline.onboarding.formats import read_texts
from lepton_pipeline.onboarding.names import DATES, NO_NUMBER, NO_TEXT, name_words
from lepton_pipeline.parameters import Ingestion

_FEW_ODD = 0.05


@dataclass(frozen=True)
class Profile:
    """What was found in raw files.

    Attributes:
        table: typed rows, as a run reads them with `ingestion`; indexed 0 .. rows - 1.
        ingestion: format of the files, with the texts that mean "no value" and the formats of dates.
        reasons: why, for encoding, separator and decimal mark that are not the default.
        odd: texts beyond the default that mean "no value", each with the columns that say so.
        doubts: by column, what a person should look at.
    """

    table: pd.DataFrame
    ingestion: Ingestion
    reasons: dict[str, str]
    odd: dict[str, list[str]]
    doubts: dict[str, str]


def profile_files(files: Sequence[RawFile], target: str | None = None) -> Profile:
    """Read table files and find out how their text becomes values.

    Args:
        files: table files with the same columns, whose rows are put one below the other.
        target: column whose values are classes, so that none of them is taken for "no value", unless two are left.

    Returns:
        The typed table and how it was read.

    Raises:
        DataError: a file cannot be read as a table, see `read_texts`; or a column holds neither numbers, texts, dates
            nor true and false.
    """
    rows, ingestion = read_texts(files)
    _require_plain_values(rows)
    texts = {str(name): _distinct(rows[name], ingestion) for name in rows if pd.api.types.is_string_dtype(rows[name])}
    reasons: dict[str, str] = {}
    if ingestion.encoding != "utf-8":
        reasons["encoding"] = "the bytes are not UTF-8"
    if ingestion.separator != ",":
        reasons["separator"] = "divides every line like the header"
    decimal = _decimal(texts)
    if decimal == ",":
        reasons["decimal"] = "numbers such as " + _example(texts)
    odd = _odd_texts(texts, decimal, target)
    ingestion = ingestion.model_copy(update={"decimal": decimal, "missing": [*ingestion.missing, *odd]})
    dates, doubts = _dates(rows, texts, ingestion)
    ingestion = ingestion.model_copy(update={"dates": dates})
    table = pd.DataFrame({name: typed_column(rows[name], ingestion) for name in rows})
    doubts |= _nearly_typed(table, texts, ingestion)
    return Profile(table, ingestion, reasons, odd, doubts)


def _require_plain_values(rows: pd.DataFrame) -> None:
    """Refuse what only Parquet files can hold.

    Raises:
        DataError: a column holds something else than numbers, texts, dates, or true and false.
    """
    for name in rows:
        column = rows[name]
        plain = (
            pd.api.types.is_numeric_dtype(column)
            or pd.api.types.is_string_dtype(column)
            or pd.api.types.is_datetime64_any_dtype(column)
        )
        if not plain and column.notna().any():
            kind = type(column.dropna().iloc[0]).__name__
            raise DataError(
                f"column {name!r} holds values of the type {kind}; write them as numbers, texts, timestamps, or true "
                "and false, or leave the column out of the file."
            )


def is_whole(column: pd.Series) -> bool:
    """Say whether a column holds whole numbers, also where missing values made them floats."""
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        return False
    present = column.dropna()
    return bool(len(present)) and bool((present % 1 == 0).all())


def _distinct(column: pd.Series, ingestion: Ingestion) -> pd.Series:
    values = column.drop_duplicates().str.strip().drop_duplicates()
    return values[values.notna() & ~values.isin(ingestion.missing)]


def _as_numbers(texts: pd.Series, decimal: str) -> pd.Series:
    plain = texts if decimal == "." else texts.str.translate(str.maketrans(",.", ".,"))
    return pd.to_numeric(plain, errors="coerce")


def _without(texts: pd.Series, odd: frozenset[str]) -> pd.Series:
    return texts[~texts.str.casefold().isin(odd)]


def _decimal(texts: dict[str, pd.Series]) -> str:
    """The comma, where more columns are numbers with it than with the point."""
    votes = {",": 0, ".": 0}
    for values in texts.values():
        regular = _without(values, NO_NUMBER)
        for mark in votes:
            marked = regular[regular.str.contains(mark, regex=False)]
            # 1,234 beside 56,789 are thousands, not decimals.
            thousands = mark == "," and marked.str.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+").all()
            if len(marked) and not thousands and _as_numbers(regular, mark).notna().all():
                votes[mark] += 1
    return "," if votes[","] > votes["."] else "."


def _example(texts: dict[str, pd.Series]) -> str:
    numbers = pd.concat(list(texts.values()))
    return str(numbers[numbers.str.fullmatch(r"[+-]?\d+,\d+")].iloc[0])


def _odd_texts(texts: dict[str, pd.Series], decimal: str, target: str | None) -> dict[str, list[str]]:
    """Texts that mean "no value", each with the columns that say so."""
    found: dict[str, list[str]] = {}
    kept: set[str] = set()
    for name, values in texts.items():
        regular = _without(values, NO_NUMBER)
        ordered = len(regular) > 1 and (_as_numbers(regular, decimal).notna().all() or date_format(regular) is not None)
        known = NO_NUMBER if ordered else NO_TEXT
        odd = values[values.str.casefold().isin(known)]
        left = len(values) - len(odd)
        if name == target and left != 2:
            kept |= set(odd)
        elif left > 1:
            for text in odd:
                found.setdefault(text, []).append(name)
    return {
        text: names
        for text, names in found.items()
        if text not in kept and text not in _of_target(texts, target, found)
    }


def _of_target(texts: dict[str, pd.Series], target: str | None, found: dict[str, list[str]]) -> set[str]:
    """Classes of the target: what means nothing elsewhere may be one."""
    if target is None or target not in texts:
        return set()
    return {text for text in texts[target] if target not in found.get(text, [])}


def _dates(
    rows: pd.DataFrame, texts: dict[str, pd.Series], ingestion: Ingestion
) -> tuple[dict[str, str], dict[str, str]]:
    dates: dict[str, str] = {}
    doubts: dict[str, str] = {}
    for name in map(str, rows):
        values = texts.get(name)
        if values is None or _as_numbers(values[~values.isin(ingestion.missing)], ingestion.decimal).notna().all():
            if DATES & set(name_words(name)) and _holds_whole_number_dates(rows[name], ingestion):
                dates[name] = "%Y%m%d"
            continue
        if date_format(values[~values.isin(ingestion.missing)]) is None:
            continue
        # Once more with the order of the rows, which can tell day and month apart.
        present = rows[name].str.strip()
        found = date_format(present[present.notna() & ~present.isin(ingestion.missing)])
        if found is not None:
            dates[name] = found.format
            if found.other:
                doubts[name] = f"every value fits {found.format} and {found.other}: check which one is meant"
    return dates, doubts


def _holds_whole_number_dates(column: pd.Series, ingestion: Ingestion) -> bool:
    typed = typed_column(column, ingestion)
    return is_whole(typed) and whole_number_dates(typed.dropna())


def _nearly_typed(table: pd.DataFrame, texts: dict[str, pd.Series], ingestion: Ingestion) -> dict[str, str]:
    """Columns that are text only because of a few values, or of how their numbers are written."""
    doubts = {}
    for name, values in texts.items():
        if not pd.api.types.is_string_dtype(table[name]):
            continue
        present = values[~values.isin(ingestion.missing)]
        no_numbers = present[_as_numbers(present, ingestion.decimal).isna()]
        no_dates = present[~present.map(looks_like_a_date).astype(bool)]
        if _few(no_numbers, present):
            doubts[name] = f"numbers but for {_two(no_numbers)}: add these to ingestion.missing if they mean no value"
        elif _few(no_dates, present):
            doubts[name] = (
                f"dates but for {_two(no_dates)}: if these mean no value, add them to ingestion.missing and the format "
                "of the others to ingestion.dates"
            )
        elif len(present) and present.str.fullmatch(r"[+-]?\d{1,3}([,.' ]\d{3})+([,.]\d+)?").all():
            doubts[name] = (
                f"numbers with thousands separators, such as {present.iloc[0]!r}: read as text; write them plain"
            )
    return doubts


def _few(odd: pd.Series, texts: pd.Series) -> bool:
    return 0 < len(odd) <= max(1, _FEW_ODD * len(texts)) and len(texts) - len(odd) > 2


def _two(texts: pd.Series) -> str:
    return ", ".join(map(repr, texts.iloc[:2]))
