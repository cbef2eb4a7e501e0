"""Find the records of series in a table: what tells series apart, their time and what is forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.features.series_grid import Ints
from lepton_pipeline.onboarding.names import QUANTITIES, name_words
from lepton_pipeline.onboarding.new.plan import Wanted
from lepton_pipeline.onboarding.new.records import (
    choose_date,
    recurring_columns,
    refuse_options,
    refuse_twice,
    require_naming,
)
from lepton_pipeline.onboarding.new.roles import identifies_rows, require_column, shown_values
from lepton_pipeline.onboarding.profile import Profile


@dataclass(frozen=True)
class Records:
    """Records with a series, a time and a target.

    Attributes:
        keys: columns that tell series apart.
        why: reasons for `time` and `target`, by these names.
        rows: the records, as they are in the table.
        series: number of the series of each of them.
        to_come: records of later periods, without a target.
    """

    profile: Profile
    keys: list[str]
    time: str
    target: str
    why: dict[str, str]
    rows: pd.DataFrame
    series: Ints
    to_come: pd.DataFrame

    @property
    def times(self) -> pd.Series:
        """Their times, without a zone."""
        local: pd.Series = self.rows[self.time].dt.tz_localize(None)
        return local

    @property
    def lost(self) -> float:
        """Share of the table's records without a series, time or target."""
        return 1 - (len(self.rows) + len(self.to_come)) / len(self.profile.table)


def find_records(profile: Profile, wanted: Wanted) -> Records:
    """Find columns, as wanted, and the records that have them all.

    Raises:
        ConfigurationError: a column does not exist or has two roles, or one cannot be inferred.
        DataError: a column holds none of what its role needs, or no two records are of one series.
    """
    table = profile.table
    others = {"--positive": wanted.positive, "--task": wanted.task, "--group": wanted.group}
    refuse_options(others, "series that are forecast")
    keys = _series(table, wanted)
    time, why_time = choose_date(table, wanted.time, {wanted.target, *keys})
    target, why_target = _target(profile, wanted, keys, time)
    refuse_twice([*keys, time, target])
    keyed = table.dropna(subset=[*keys, time])
    given = keyed[target].notna()
    rows = keyed[given]
    if rows.empty:
        raise DataError(
            f"no record has {', '.join(keys)}, {time} and {target} together; check these columns."
        )
    series = rows.groupby(keys, sort=False).ngroup()
    _require_records(rows, keys, series)
    to_come = keyed[keyed[time] > rows[time].max()]
    why = {"time": why_time, "target": why_target}
    return Records(profile, keys, time, target, why, rows, np.asarray(series, np.int64), to_come)


def _series(table: pd.DataFrame, wanted: Wanted) -> list[str]:
    if not wanted.series:
        candidates = recurring_columns(table, (wanted.time, wanted.target))
        shown = ", ".join(candidates[:6]) or "none, so add one that holds the same name in every row"
        raise ConfigurationError(
            f"--series: say which column tells series apart, such as --series product; columns whose values come "
            f"again: {shown}."
        )
    for name in wanted.series:
        require_naming(table, name, "--series")
    return list(dict.fromkeys(wanted.series))


def _target(profile: Profile, wanted: Wanted, keys: list[str], time: str) -> tuple[str, str]:
    table = profile.table
    if wanted.target is not None:
        column = require_column(table, wanted.target, "--target")
        if not is_numeric_dtype(column) or column.dtype == bool:
            raise DataError(
                f"--target: column {wanted.target!r} holds no numbers, but {shown_values(column)}; series are forecast "
                "of numbers."
            )
        if column.isna().all():
            raise DataError(f"--target: column {wanted.target!r} holds no value at all; give another one.")
        return wanted.target, "as asked for"
    numbers = [
        str(name)
        for name in table
        if name not in (*keys, time)
        and is_numeric_dtype(table[name])
        and name not in profile.codes
        and name not in profile.moments
        and table[name].dropna().drop_duplicates().size > 1
        and not identifies_rows(table[name])
    ]
    if len(numbers) == 1:
        return numbers[0], "the only column of numbers"
    named = [name for name in numbers if QUANTITIES & set(name_words(name))]
    if len(named) == 1:
        return named[0], "its name says so"
    raise ConfigurationError(
        f"the target cannot be inferred; columns of numbers: {', '.join(numbers) or 'none'}. Give --target COLUMN, "
        "what is to be forecast."
    )


def _require_records(rows: pd.DataFrame, keys: list[str], codes: pd.Series) -> None:
    """Refuse records of which no two are of one series."""
    if codes.nunique() < len(rows) or len(rows) == 1:
        if len(rows) == 1:
            raise DataError("there is one record only, which is no history; bring more of them.")
        return
    raise DataError(
        f"--series: {', '.join(keys)} {'have' if len(keys) > 1 else 'has'} another value in every record, so that each "
        "series has one; give a column whose values come again."
    )
