"""Texts and whole numbers as dates."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

ISO = "ISO8601"
_EXAMPLES = 3
# Directives that always have as many digits, and those of a time zone.
_FIXED_WIDTH = {"Y", "y", "m", "d", "H", "M", "S", "j", "%"}
_ZONES = {"z", "Z"}
# No zone is called so: whatever zone the times have is kept.
UNKNOWN = "as written"
_OFFSET = re.compile(r"(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$")
# An offset stands behind a time of day: the "-02" in 2024-01-02 is a day, no offset.
_ZONED = rf"(?:\d{{2}}:\d{{2}}(?::\d{{2}}(?:[.,]\d+)?)?|T\d{{2}}(?:\d{{2}}){{0,2}}(?:[.,]\d+)?)\s*{_OFFSET.pattern}"


def read_dates(
    column: pd.Series,
    layout: str,
    *,
    or_iso: bool = False,
    zone: str | None = UNKNOWN,
    latest_year: int | None = None,
) -> pd.Series:
    """Read texts, or whole numbers (padded with zeros), as datetime64[us], indexed as `column`.

    Args:
        column: blank where missing.
        layout: a format of strptime, or ISO8601.
        or_iso: also take ISO 8601, unless the format has the day before the month.
        zone: time zone of the result; None for times without one; UNKNOWN to keep that of all.
        latest_year: what two digits may mean at most, where the format has such years.

    Raises:
        ValueError: a value is no such date, or has no zone where others do, or the format cannot be used;
            with examples and what to do.
    """
    # Every distinct value is looked at once: columns of a large table repeat theirs.
    codes, distinct = pd.factorize(column)
    values = pd.Series(distinct)
    number = pd.api.types.is_numeric_dtype(values.dtype)
    texts = _digits(values, layout) if number else values.astype("str").str.strip()
    texts = texts.mask(texts == "")
    _require_alike(texts, layout, zone)
    dates = _parsed(texts, layout, zone)
    if latest_year is not None:
        dates = dates.mask(dates.dt.year > latest_year, dates - pd.DateOffset(years=100))
    wrong = texts[dates.isna() & texts.notna()]
    if or_iso and len(wrong) and "%Y-%d" not in layout:
        dates, wrong = _with_iso(dates, wrong, layout, zone)
    if len(wrong):
        places = np.flatnonzero(np.isin(codes, wrong.index))
        first = {int(codes[place]): column.index[place] for place in places[::-1]}
        shown = ", ".join(f"{wrong[code]!r} (row {first[code]})" for code in wrong.index[:_EXAMPLES])
        raise ValueError(
            f"values are no dates of the format {layout!r} ({len(places):,} of them, e.g. {shown}); "
            "correct the values or the format"
        )
    return pd.Series(dates.array.take(codes, allow_fill=True), index=column.index, name=column.name)


def offsets_of(texts: pd.Series, layout: str) -> pd.Series:
    """The offset of each time, "UTC" or "UTC+02:00", or missing; formats with zone names count as UTC."""
    directives = _directives(layout)
    offsets = pd.Series("UTC" if "Z" in directives else None, index=texts.index, dtype=object)
    if "Z" in directives or (layout != ISO and "z" not in directives):
        return offsets
    written = texts.astype("str")
    if layout == ISO:
        zoned = written[pc.match_substring_regex(pa.array(written), _ZONED).to_numpy(zero_copy_only=False)]
        # Few ends for many times.
        ends = zoned.str[-6:]
        names = {end: _zone_name(found[0]) for end in ends.unique() if (found := _OFFSET.search(end))}
        offsets.loc[zoned.index] = ends.map(names).astype(object)
    else:
        extracted = pd.Series(written.str.extract(_offset_of(layout), expand=False))
        others = texts[extracted.isna()]
        offsets.loc[others.index] = offsets_of(others, ISO)
        offsets.loc[extracted.dropna().index] = extracted.dropna().map(_zone_name).astype(object)
    return offsets


def _offset_of(layout: str) -> str:
    """Pattern of the offset in times of this format."""
    parts = re.split("(%.)", layout)
    others = {"%%": "%", "%z": r"([Zz]|[+-]\d{2}:?\d{2})"}
    patterns = [others.get(part, ".+?" if part.startswith("%") else re.escape(part)) for part in parts]
    return f"^{''.join(patterns)}$"


def are_of_zone(texts: pd.Series, offsets: pd.Series, layout: str, zone: str) -> bool:
    """Whether times have the `offsets` of a zone (such as Europe/Berlin) at their dates, not UTC."""
    if offsets.isna().any() or "UTC" in set(offsets):
        return False
    try:
        local = read_dates(texts, layout, or_iso=True, zone=zone)
    except ValueError:
        # The reader reports which values are not dates.
        return False
    ahead = (local.dt.tz_localize(None) - local.dt.tz_convert("UTC").dt.tz_localize(None)).dt.total_seconds()
    minutes = offsets.map(lambda name: int(f"{name[3]}1") * (int(name[4:6]) * 60 + int(name[7:9])))
    return bool((ahead == 60 * minutes).all())


def _zone_name(offset: str) -> str:
    digits = offset.replace(":", "").ljust(5, "0")
    return "UTC" if offset in "Zz" or digits[1:] == "0000" else f"UTC{digits[:3]}:{digits[3:]}"


def in_zone(dates: pd.Series, zone: str) -> pd.Series:
    """Convert dates to another zone: "Europe/Berlin", "UTC" or "UTC+02:00"."""
    converted: pd.Series = dates.dt.tz_convert(_zone(zone))
    return converted


def on_clock(dates: pd.Series, zone: str | None) -> pd.Series:
    """Convert dates to the time zone of a model; a ValueError where only one of them has a zone."""
    zoned = dates.dt.tz is not None
    if zone == UNKNOWN or (zone is None and not zoned):
        return dates
    if zone is None:
        raise ValueError(
            f"they have a time zone ({dates.dt.tz}), but the training rows had none; write them alike"
        )
    if not zoned:
        raise ValueError(f"they have no time zone, but the training rows are in {zone}; add their offset")
    return in_zone(dates, zone)


def _zone(name: str) -> Any:
    fixed = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d\d)?", name)
    if fixed is None:
        return name
    minutes = int(fixed[2]) * 60 + int(fixed[3] or 0)
    return timezone(timedelta(minutes=-minutes if fixed[1] == "-" else minutes))


def is_zone(name: str) -> bool:
    """Whether a text names a time zone: Europe/Berlin, UTC, or an offset."""
    known = _zone(name)
    try:
        return not isinstance(known, str) or ZoneInfo(known) is not None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _require_alike(texts: pd.Series, layout: str, zone: str | None) -> None:
    """Refuse times without a zone beside times with one, or against `zone`."""
    present = texts.dropna()
    offsets = offsets_of(present, layout)
    bare, zoned = present[offsets.isna()], present[offsets.notna()]
    if len(bare) and len(zoned):
        raise ValueError(
            f"some have a time zone, such as {zoned.iloc[0]!r}, and some have none, such as {bare.iloc[0]!r}; "
            "write them alike"
        )
    if zone is None and len(zoned):
        raise ValueError(f"{zoned.iloc[0]!r} has a time zone, but others have none; write them alike")
    if zone not in (None, UNKNOWN) and len(bare):
        raise ValueError(f"{bare.iloc[0]!r} has no time zone, but others have ({zone}); add its offset")


def _parsed(texts: pd.Series, layout: str, zone: str | None) -> pd.Series:
    zoned = zone not in (None, UNKNOWN)
    try:
        dates = pd.to_datetime(texts, format=layout, errors="coerce", utc=zoned).dt.as_unit("us")
    except ValueError as error:
        if layout == ISO or _directives(layout) & _ZONES:
            raise ValueError("they have several time zones; declare ingestion.zone") from error
        raise ValueError(
            f"the format {layout!r} cannot be used: {error}; declare ISO8601, or one such as %d/%m/%Y %H:%M"
        ) from error
    return in_zone(dates, str(zone)) if zoned else dates


def _with_iso(
    dates: pd.Series, wrong: pd.Series, layout: str, zone: str | None
) -> tuple[pd.Series, pd.Series]:
    """Fill in what is written in ISO 8601; the dates, and the texts that still are not dates."""
    zoned = bool(_directives(layout) & _ZONES) if zone == UNKNOWN else zone is not None
    written = _parsed(wrong, ISO, zone)
    _require_alike(wrong[written.notna()], ISO, zone)
    read = dates.notna().any()
    if (written.dt.tz is not None) != zoned or (read and written.dtype != dates.dtype):
        return dates, wrong
    filled = dates.fillna(written) if read else written.reindex(dates.index)
    return filled, wrong[written.isna()]


def _digits(whole: pd.Series, layout: str) -> pd.Series:
    """Whole numbers as texts, with zeros in front where every date of the format has one length."""
    fixed = layout != ISO and _directives(layout) <= _FIXED_WIDTH
    width = len(datetime(2001, 11, 11, 11, 11, 11).strftime(layout)) if fixed else 0
    fits = (whole % 1 == 0) & (whole.abs() < 2**53)
    return whole.astype("str").mask(fits, whole.where(fits, 0).astype(np.int64).astype(str).str.zfill(width))


def _directives(layout: str) -> set[str]:
    return set(re.findall("%(.)", layout))
