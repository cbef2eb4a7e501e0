"""Infer the format of date columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import product

import pandas as pd

from lepton_pipeline.data.expressions.dates import ISO, offsets_of
from lepton_pipeline.onboarding.names import EPOCHS, LIVES, Reasons, name_words

_SAMPLE = 40
_DAYS = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d",
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y",
    "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%y", "%d%b%Y", "%d%b%y", "%b-%Y", "%b %Y",
    "%b-%y", "%b %y", "%m/%Y", "%m-%Y",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", ":%H:%M:%S")
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_LOOKS_LIKE_A_DATE = re.compile(
    r"(\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?|\d{1,2}[-/]\d{4}|\d{8}"
    rf"|\d{{1,2}}[- ]?{_MONTH}[- ]?(\d{{2,4}})?|{_MONTH}[- ](\d{{1,2}}, )?\d{{2,4}})"
    r"([ T:]\d.*)?",
    re.IGNORECASE,
)
_FIRST_YEAR, _LAST_YEAR = 1850, 2200
_EPOCHS = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000}
# The years 1990 to 2039.
_FIRST_SECOND, _LAST_SECOND = 631_152_000, 2_208_988_800


def date_formats(texts: pd.Series) -> list[str]:
    """Find the format that fits all values of a column: ISO8601 or a format of strptime.

    `texts` is the column in row order, stripped, without missing values. Returns no format where no known
    one fits; two, the one with the day first, if neither values nor row order tell day from month.
    """
    distinct = texts.drop_duplicates()
    sample = distinct.iloc[:_SAMPLE]
    if sample.empty or not sample.map(looks_like_a_date).all():
        return []
    forms = (ISO, *map("".join, product(_DAYS, _TIMES)))
    fitting = [form for form in forms if _fits(sample, form) and _fits(distinct, form)]
    if len(fitting) < 2 or fitting[0] == ISO:
        return fitting[:1]
    dates = {form: pd.to_datetime(texts, format=form) for form in fitting}
    ordered = [form for form, at in dates.items() if at.is_monotonic_increasing or at.is_monotonic_decreasing]
    return ordered if len(ordered) == 1 else fitting[:2]


def looks_like_a_date(text: str) -> bool:
    """Whether a text is written like a date in any format."""
    return bool(_LOOKS_LIKE_A_DATE.fullmatch(text))


def whole_number_dates(numbers: pd.Series) -> bool:
    """Whether every number is a date written as 20130401."""
    texts = numbers.drop_duplicates().astype("Int64").astype("str")
    return bool(texts.str.fullmatch(r"(18|19|20|21)\d{6}").all()) and _fits(texts, "%Y%m%d")


def two_digit_years(
    table: pd.DataFrame, dates: Mapping[str, str]
) -> tuple[pd.DataFrame, dict[str, int], Reasons]:
    """Find date columns whose years have two digits.

    Those of birth or death lie in the past, in the hundred years up to the latest year of the table. Returns
    the table with these dates, that year for each, and what to review by column.
    """
    short = [name for name, form in dates.items() if "%y" in form]
    last = [table[name].max() for name in dates if name not in short and table[name].notna().any()]
    latest = max((each.year for each in last), default=datetime.now(tz=UTC).year)
    past, asked = {}, {}
    for name in short:
        years = table[name].dt.year
        late = int((years > latest).sum())
        beyond = f", {late:,} of them after {latest}" if late else ""
        declared = f"ingestion.two_digit_years: {{{name}: {latest}}}"
        remedy = f"declare the latest possible year, e.g. {declared}"
        if LIVES & set(name_words(name)):
            past[name] = table[name].where(years <= latest, table[name] - pd.DateOffset(years=100))
            remedy = f"{declared} is declared as the latest possible year"
        asked[name] = f"two-digit years, read as {years.min():.0f} to {years.max():.0f}{beyond}: {remedy}"
    return table.assign(**past), dict.fromkeys(past, latest), asked


def epochs(table: pd.DataFrame) -> dict[str, str]:
    """What to ask about whole-number columns that look like seconds since 1970 or a fraction of them."""
    asked = {}
    for name in map(str, table.select_dtypes("number")):
        present = table[name].dropna()
        for word, second in _EPOCHS.items():
            seconds = present / second
            named = EPOCHS & set(name_words(name)) or (second > 1 and (present % 1 == 0).all())
            in_range = seconds.between(_FIRST_SECOND, _LAST_SECOND).all()
            if named and in_range and present.nunique() > 2:
                ends = (seconds.min(), seconds.max())
                first, last = (pd.Timestamp(end, unit="s").strftime("%Y-%m-%d") for end in ends)
                asked[name] = (
                    f"looks like {word} since 1970, {first} to {last} UTC: --time {name} takes it as the order of the "
                    f"rows; hour and weekday can be derived, floor({name} / {3600 * second}) % 24 and "
                    f"(floor({name} / {86400 * second}) + 3) % 7, or write the column as dates"
                )
                break
    return asked


def _fits(texts: pd.Series, form: str) -> bool:
    try:
        mixed = form == ISO and offsets_of(texts, form).notna().all()
        dates = pd.to_datetime(texts, format=form, errors="coerce", utc=bool(mixed))
    except ValueError:
        return False
    if not pd.api.types.is_datetime64_any_dtype(dates) or dates.isna().any():
        return False
    return bool(dates.dt.year.between(_FIRST_YEAR, _LAST_YEAR).all() or form == ISO)
