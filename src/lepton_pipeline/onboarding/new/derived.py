"""Propose derived columns: calendar parts and durations from known dates, and lags of series."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype as is_date

from lepton_pipeline.onboarding.names import (
    AFTERWARDS,
    BEFOREHAND,
    HAPPENED,
    HORIZONS,
    LIVES,
    PLANNED,
    name_words,
)
from lepton_pipeline.onboarding.new.roles import varies
from lepton_pipeline.onboarding.new.target import in_expression
from lepton_pipeline.parameters import Window
from lepton_pipeline.parameters.durations import as_declared

_YEAR, _FORTNIGHT = pd.Timedelta(days=365), pd.Timedelta(days=14)
# A few rows in the wrong order are errors in the data.
_NEARLY_ALL = 0.995
# So many steps in time are alike in a series, and so few rows share their moment.
_REGULAR, _UNIQUE = 0.8, 0.99
_FEWEST_ROWS, _FEWEST_EACH = 100, 10
_MOST_LAGS = 3
# Correlations with the row before, from which on a lag may help, and with which a column changes slowly.
_FOLLOWS, _SERIAL, _AS_LABELS = 0.2, 0.8, 0.8
_FEWEST_RUNS, _LONG_RUNS = 8, 0.9


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
    known only if its name says that it is planned ahead: an appointment is, a delivery is not. `others` are
    columns that have another role.
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


@dataclass(frozen=True)
class Series:
    """A table's time series, with the step from one row to the next, as text.

    `by` is the column that identifies the series, None for a single one; `alike` the rank autocorrelation at
    lag 1 of each column of numbers.
    """

    by: str | None
    step: str
    alike: dict[str, float]

    def present(self, targets: Sequence[pd.Series]) -> list[str]:
        """Columns at least as autocorrelated as the target: present values of the series.

        Functions of the target and noise change more than it. `targets` are numbers in time order, as in
        `propose_lags`.
        """
        own = max(float(each.corr(each.shift())) for each in targets) if self.by is None else 1.0
        least = min(_SERIAL, max(_AS_LABELS * own, 2 * _FOLLOWS))
        return [name for name, correlation in self.alike.items() if correlation >= least]


def find_series(table: pd.DataFrame, time: str, things: Sequence[str]) -> Series | None:
    """Find out whether rows follow each other at even steps, in total or per value of one of `things`."""
    if len(table) < _FEWEST_ROWS:
        return None
    for by in (None, *things):
        step = _step(table, time, by)
        if step is not None:
            ordered = table.sort_values([time] if by is None else [by, time])
            groups = None if by is None else ordered[by]
            names = [str(name) for name in table.select_dtypes(["number", "bool"]) if name not in (time, by)]
            alike = {name: _correlation(ordered[name].astype(float), groups) for name in names}
            return Series(by, as_declared(step) if isinstance(step, pd.Timedelta) else f"{step:g}", alike)
    return None


def propose_lags(
    table: pd.DataFrame,
    series: Series,
    target: str,
    targets: Sequence[pd.Series],
    features: Collection[str],
) -> tuple[dict[str, Window], str]:
    """Propose lags of the strongest columns, and of the target where it helps and was known.

    Lags read only rows before a row's own time, and of the target only labels known by then
    (`dataset.label_delay`). A label that looks several rows ahead is not known when the next row comes.

    `table` has its rows in the order of the file, `targets` are numbers for each, indexed as it: the target's, or
    for each of several classes whether it is that. Returns windows by name; and why the target's own past is
    not among them, if so.
    """
    refused = _why_no_target(table, series, target, targets)
    own = [target] if not refused and series.alike[target] >= _FOLLOWS else []
    numbers = [name for name, each in series.alike.items() if name in features and each >= _FOLLOWS]
    strength = {name: max(abs(float(table[name].rank().corr(each))) for each in targets) for name in numbers}
    strongest = sorted((name for name in numbers if strength[name] > 0), key=lambda name: -strength[name])
    by = [] if series.by is None else [series.by]
    windows = {
        f"{identifier(name)}_before": Window(statistic="lag", of=name, by=by, rows=1)
        for name in [*own, *strongest[:_MOST_LAGS]]
    }
    return {name: window for name, window in windows.items() if name not in table}, refused


def _why_no_target(table: pd.DataFrame, series: Series, target: str, targets: Sequence[pd.Series]) -> str:
    if len(targets) > 1:
        return "the target's own past is a class, of which there is no lag"
    if not pd.api.types.is_numeric_dtype(table[target]):
        return "the target is text; written as 0 and 1, its own past could be a feature (features.windows)"
    ahead = (
        "the target may look several rows ahead, and is then unknown when the next row comes; to use its past as a "
        "feature, declare label_delay and a lag in features.windows"
    )
    if HORIZONS & set(name_words(target)) or any(word[:-1].isdigit() for word in name_words(target)):
        return ahead
    groups = table[series.by] if series.by is not None else pd.Series(0, index=table.index)
    (labels,) = targets
    changed = (labels != labels.shift()) | (groups != groups.shift())
    runs = labels.groupby(changed.cumsum()).agg(["first", "size"])
    positive = runs.loc[runs["first"] == 1, "size"]
    # A label on any of the next rows comes in runs, hardly one of them short.
    return ahead if len(positive) >= _FEWEST_RUNS and (positive > 1).mean() >= _LONG_RUNS else ""


def _step(table: pd.DataFrame, time: str, by: str | None) -> Any:
    """The step from row to row that most rows have; None where rows are no series."""
    columns = [time] if by is None else [by, time]
    rows = table[columns].dropna()
    if len(rows) < _FEWEST_ROWS or rows.duplicated().mean() > 1 - _UNIQUE:
        return None
    if by is not None and not 1 < rows[by].nunique() <= len(rows) / _FEWEST_EACH:
        return None
    ordered = rows.sort_values(columns)
    steps = (ordered[time].diff() if by is None else ordered.groupby(by, sort=False)[time].diff()).dropna()
    common = steps.value_counts(normalize=True)
    return common.index[0] if len(common) and common.iloc[0] >= _REGULAR else None


def _correlation(column: pd.Series, things: pd.Series | None) -> float:
    """Rank autocorrelation at lag 1; 0 where there are too few rows."""
    ranks = column.rank()
    before = ranks.shift() if things is None else ranks.groupby(things, sort=False).shift()
    there = before.notna() & ranks.notna()
    if there.sum() < _FEWEST_ROWS or ranks[there].std() == 0 or before[there].std() == 0:
        return 0.0
    return float(np.corrcoef(ranks[there], before[there])[0, 1])
