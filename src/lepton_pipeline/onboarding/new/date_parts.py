"""Derive calendar parts and durations from dates that are known with their row."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

import pandas as pd

from lepton_pipeline.onboarding.names import AFTERWARDS, BEFOREHAND, HAPPENED, LIVES, PLANNED, name_words
from lepton_pipeline.onboarding.new.roles import is_date, varies
from lepton_pipeline.onboarding.new.target import in_expression

_YEAR, _FORTNIGHT = pd.Timedelta(days=365), pd.Timedelta(days=14)
# A few rows in the wrong order are errors in the data.
_NEARLY_ALL = 0.995


@dataclass
class DateParts:
    """Columns derived from dates.

    Attributes:
        derive: expression by name.
        calendar: names of calendar parts; the others are durations.
        asked: by date column, what to review.
        unused: date columns that are not used, with the reason.
        first: the date at which a row is known, if any.
    """

    derive: dict[str, str] = field(default_factory=dict)
    calendar: list[str] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    first: str | None = None


def date_parts(table: pd.DataFrame, time: str | None, others: Collection[str]) -> DateParts:
    """Derive month, weekday and hour of dates known with their row, and durations between dates.

    A row is known at its `time`, or else at the date that comes first in every row. A later date counts as
    known only if its name says that it is planned ahead: an appointment is, a delivery is not.

    Args:
        table: typed rows.
        time: column that orders rows.
        others: columns that have another role.
    """
    made = DateParts()
    free = [str(name) for name in table if name not in others]
    dates = [name for name in free if is_date(table[name]) and varies(table[name])]
    made.unused |= {name: "no expression can name a column with a backtick" for name in dates if "`" in name}
    dates = [name for name in dates if name not in made.unused]
    made.first = first = time if time in dates else _first(table, dates)
    if first is not None:
        _add_calendar(made, table, first)
    for name in dates:
        if name != first:
            _add_other(made, table, name, first)
    made.derive = {name: text for name, text in made.derive.items() if name not in table}
    used = " ".join(made.derive.values())
    idle = [name for name in dates if name not in (first, *made.asked, *made.unused)]
    idle += [first] if first is not None and first != time else []
    idle = [name for name in idle if in_expression(name) not in used]
    made.unused |= dict.fromkeys(idle, "it has no part that varies and recurs")
    return made


def _first(table: pd.DataFrame, dates: list[str]) -> str | None:
    """The date that comes first in every row, if any."""
    whole = [name for name in dates if table[name].notna().all() and not LIVES & set(name_words(name))]
    ordered = sorted(whole, key=lambda name: not BEFOREHAND & set(name_words(name)))
    return next((one for one in ordered if all(_before(table[one], table[other]) for other in whole)), None)


def _before(date: pd.Series, other: pd.Series) -> bool:
    """Whether a date is not after another one; by day, since some dates have no time of day."""
    if (date.dt.tz is None) != (other.dt.tz is None):
        return False
    apart = (other.dt.floor("D") - date.dt.floor("D")).dropna()
    return bool((apart >= pd.Timedelta(0)).mean() >= _NEARLY_ALL)


def _add_other(made: DateParts, table: pd.DataFrame, name: str, first: str | None) -> None:
    words = set(name_words(name))
    if first is None:
        if _denotes_past(words):
            made.unused[name] = "its name denotes a later event, and no date comes first in every row"
        elif LIVES & words:
            made.unused[name] = "the rows have no date from which its distance could be measured"
        else:
            _add_calendar(made, table, name)
        return
    if (table[name].dt.tz is None) != (table[first].dt.tz is None):
        made.unused[name] = f"only one of {name} and {first} has a time zone"
        return
    axis, date, stem = in_expression(first), in_expression(name), identifier(name)
    after = table[name] > table[first]
    if not after.any():
        made.derive[f"days_since_{stem}"] = f"days_between({axis}, {date})"
        if not LIVES & words:
            _add_calendar(made, table, name, short=True)
        return
    later = f"it is later than {first} in {after.mean():.0%} of the rows"
    lead = f"days_to_{stem}: days_between({date}, {axis})"
    if _denotes_past(words) or table[name].isna().any():
        made.unused[name] = f"{later}, so it was not known then; if it was, derive {lead}"
    elif LIVES & words:
        made.unused[name] = f"{later}, which is impossible: see ingestion.two_digit_years, or correct it"
    elif (PLANNED | BEFOREHAND) & words:
        made.derive[f"days_to_{stem}"] = f"days_between({date}, {axis})"
        _add_calendar(made, table, name, short=True)
        made.asked[name] = (
            f"{later}: planned ahead by its name; if not, take days_to_{stem} and its parts out"
        )
    else:
        made.unused[name] = f"{later}; if it is planned ahead and known then, derive {lead}"


def _denotes_past(words: set[str]) -> bool:
    """Whether a name such as closed_at denotes a past event, not a planned one."""
    if BEFOREHAND & words:
        return False
    past = any(len(word) > 4 and word.endswith("ed") for word in words)
    return past or bool((HAPPENED | AFTERWARDS) & words)


def _add_calendar(made: DateParts, table: pd.DataFrame, name: str, *, short: bool = False) -> None:
    """Month, weekday and hour, where they vary; `short` omits the month, which two near dates share."""
    dates, axis, stem = table[name].dropna(), in_expression(name), identifier(name)
    span = dates.max() - dates.min()
    # Months that only later rows have are useless to the model.
    if not short and span >= _YEAR and varies(dates.dt.month):
        made.derive[f"{stem}_month"] = f"month({axis})"
    if span >= _FORTNIGHT and varies(dates.dt.day) and varies(dates.dt.day_of_week):
        made.derive[f"{stem}_weekday"] = f"weekday({axis})"
    if varies(dates.dt.hour):
        made.derive[f"{stem}_hour"] = f"hour({axis})"
    parts = [f"{stem}_{part}" for part in ("month", "weekday", "hour")]
    made.calendar += [part for part in parts if part in made.derive]


def identifier(name: str) -> str:
    """A column's name as part of a new column's name."""
    return re.sub(r"\W+", "_", name).strip("_") or "date"
