"""What drafts of records share: columns of a role, their dates, and options that do not fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype as is_date

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.onboarding.names import THING_IDS, name_words
from lepton_pipeline.onboarding.new.roles import choose_time, identifies_rows, require_column, shown_values
from lepton_pipeline.onboarding.profile import Profile

# Records of one value that a column has at least on average, to be proposed.
_RECORDS = 4


def refuse_options(given: Mapping[str, object], what: str) -> None:
    """Refuse, by a ConfigurationError, the first option with a value, as it has no effect on `what`."""
    if option := next((option for option, value in given.items() if value not in (None, ())), None):
        raise ConfigurationError(f"{option}: it has no effect on {what}; leave it out.")


def refuse_twice(names: Sequence[str]) -> None:
    """Refuse, by a ConfigurationError, a column of two roles."""
    if twice := next((each for each in names if names.count(each) > 1), None):
        raise ConfigurationError(f"column {twice!r} was given two roles; give another one.")


def refuse_made(names: Collection[str], made: Collection[str]) -> None:
    """Refuse, by a ConfigurationError, columns with the name of one that is made of the history."""
    if clash := next((each for each in names if each in made), None):
        raise ConfigurationError(
            f"column {clash!r} has the name of a column that is made of the history; rename it in the files."
        )


def require_naming(table: pd.DataFrame, name: str, option: str) -> None:
    """Require a column that can name things.

    Raises:
        ConfigurationError: there is no such column, or it holds dates.
        DataError: it holds no value.
    """
    column = require_column(table, name, option)
    if is_date(column):
        raise ConfigurationError(
            f"{option}: column {name!r} holds dates, which name nothing; give another one."
        )
    if column.isna().all():
        raise DataError(f"{option}: column {name!r} holds no value at all; give another one.")


def recurring_columns(table: pd.DataFrame, taken: Collection[str | None]) -> list[str]:
    """Columns whose values come again, without dates and those that are `taken`."""
    return [
        str(name)
        for name in table
        if 0 < table[name].dropna().drop_duplicates().size <= len(table) / _RECORDS
        and str(name) not in taken
        and not is_date(table[name])
    ]


def choose_date(table: pd.DataFrame, given: str | None, others: Collection[str | None]) -> tuple[str, str]:
    """Choose the column of dates, and say why.

    `given` is the column asked for, None to infer it; `others` are columns that have another role.

    Raises:
        ConfigurationError: there is no such column, or it cannot be inferred.
        DataError: it holds no dates.
    """
    if given is None:
        found, why = choose_time(table, None, others)
        if found is None:
            raise ConfigurationError(
                f"--time: the column of dates cannot be inferred, {why}; give --time COLUMN."
            )
        return found, why
    column = require_column(table, given, "--time")
    if not is_date(column):
        raise DataError(
            f"--time: column {given!r} holds no dates of one known format, but {shown_values(column)}; give another "
            "column, or write its dates as 2026-01-31."
        )
    return given, "as asked for"


def why_unused(profile: Profile, column: pd.Series) -> str:
    """Why a column says nothing beside the roles of records; empty if it may."""
    name = str(column.name)
    words = name_words(name)
    if column.dropna().drop_duplicates().size < 2:
        return "it has fewer than two values"
    if is_date(column) or name in profile.moments:
        return "another date"
    if name in profile.codes or identifies_rows(column) or (words and words[-1] in THING_IDS):
        return "it names rows or things"
    return ""
