"""Texts and whole numbers as dates."""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np
import pandas as pd

ISO = "ISO8601"
_EXAMPLES = 3
# Directives that always have as many digits, and those of a time zone.
_FIXED_WIDTH = {"Y", "y", "m", "d", "H", "M", "S", "j", "%"}
_ZONES = {"z", "Z"}


def read_dates(column: pd.Series, layout: str, or_iso: bool = False) -> pd.Series:
    """Read a column of dates.

    Args:
        column: texts, blank where missing, or whole numbers, to which the zeros are given back that a number loses.
        layout: a format of strptime, or ISO8601.
        or_iso: whether a value may also be an ISO 8601 date, with a time zone just where the format has one.

    Returns:
        datetime64[us], indexed as `column`.

    Raises:
        ValueError: a value is no such date, or the format cannot be used; with examples and what to do.
    """
    # Every distinct value is looked at once: columns of a large table repeat theirs.
    codes, distinct = pd.factorize(column)
    values = pd.Series(distinct)
    number = pd.api.types.is_numeric_dtype(values.dtype)
    texts = _digits(values, _width(layout)) if number else values.astype("str").str.strip()
    texts = texts.mask(texts == "")
    dates = _parsed(texts, layout)
    wrong = texts[dates.isna() & texts.notna()]
    if or_iso and len(wrong):
        dates, wrong = _with_iso(dates, wrong, bool(_directives(layout) & _ZONES))
    if len(wrong):
        shown = ", ".join(map(repr, wrong[:_EXAMPLES]))
        raise ValueError(
            f"values are no dates of the format {layout!r} ({len(wrong):,} of them, e.g. {shown}); "
            "correct the values or the format"
        )
    return pd.Series(dates.array.take(codes, allow_fill=True), index=column.index, name=column.name)


def _parsed(texts: pd.Series, layout: str) -> pd.Series:
    try:
        return pd.to_datetime(texts, format=layout, errors="coerce", utc=False).dt.as_unit("us")
    except ValueError as error:
        if layout == ISO or _directives(layout) & _ZONES:
            raise ValueError("they have different time zones, or some have none; give all the same one") from error
        raise ValueError(
            f"the format {layout!r} cannot be used: {error}; declare ISO8601, or one such as %d/%m/%Y %H:%M"
        ) from error


def _with_iso(dates: pd.Series, wrong: pd.Series, zoned: bool) -> tuple[pd.Series, pd.Series]:
    """Fill in what is written in ISO 8601; the dates, and the texts that are still none."""
    written = _parsed(wrong, ISO)
    read = dates.notna().any()
    if (written.dt.tz is not None) != zoned or (read and written.dtype != dates.dtype):
        return dates, wrong
    filled = dates.fillna(written) if read else written.reindex(dates.index)
    return filled, wrong[written.isna()]


def _digits(whole: pd.Series, width: int) -> pd.Series:
    fits = (whole % 1 == 0) & (whole.abs() < 2**53)
    return whole.astype("str").mask(fits, whole.where(fits, 0).astype(np.int64).astype("str").str.zfill(width))


def _width(layout: str) -> int:
    """Length of every date in this format; 0 where it varies."""
    fixed = layout != ISO and _directives(layout) <= _FIXED_WIDTH
    return len(datetime(2001, 11, 11, 11, 11, 11).strftime(layout)) if fixed else 0


def _directives(layout: str) -> set[str]:
    return set(re.findall("%(.)", layout))
