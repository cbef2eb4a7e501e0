"""Choose the time column and the roles of all others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype as is_date
from pandas.api.types import is_numeric_dtype, is_string_dtype

from lepton_pipeline.data.language import words_a_text
from lepton_pipeline.errors import ConfigurationError, DataError, closest
from lepton_pipeline.features.column_encoders import enough_rows
from lepton_pipeline.onboarding.names import (
    ADDRESSES,
    CODES,
    DIRECTIONS,
    LIVES,
    PERSON_NAMES,
    PERSONS,
    PLACES,
    PROTECTED,
    ROW_IDS,
    SAMPLINGS,
    THING_IDS,
    WEIGHTS,
    name_words,
)
from lepton_pipeline.onboarding.profile import is_whole

_MOST_CODES = 10
# An id of something that has many rows, against a code with some hundred values.
_MANY_THINGS, _MANY_THINGS_SHARE = 1000, 0.05
_OWN_TEXT = 0.5
# Fraction of the rows that a run trains on, by default.
_TRAINED = 0.6
_PERSON = (
    r"((Dr|Mr|Mrs|Ms)\.)?\s*[A-ZÀ-Þ][\w'’-]+,?( [A-ZÀ-Þ]\.?)*( (van|von|de|da|del|der|la|bin|al))*"
    r"( [A-ZÀ-Þ][\w'’-]+){1,3}"
)
_FEWEST_PERSONS, _MOSTLY_PERSONS = 15, 0.8
_WEIGHT = "looks like a sampling weight, the number of cases that a row stands for; if so, declare it as dataset.weight"
_PERSONS = (
    "looks like names of persons, which a model would memorise: list it in dataset.exclude or give --group"
)
# A column of dates may lack so few of them and still order the rows.
_FEW_MISSING = 0.01


@dataclass(frozen=True)
class Roles:
    """Columns by role, except the target.

    Attributes:
        id: identifies rows; None where no column does.
        constant: columns with fewer than two values, with the reason.
        excluded: other columns that are no features, with the reason.
        categorical: whole numbers that are codes.
        text: columns of written language, with the reason.
        things: excluded ids that occur in several rows, with the number of distinct values.
        protected: features whose use is restricted by law in many fields.
        asked: by column, what to review.
    """

    id: str | None
    constant: dict[str, str]
    excluded: dict[str, str]
    categorical: list[str]
    things: dict[str, int]
    protected: list[str]
    asked: dict[str, str] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)


def choose_time(
    table: pd.DataFrame, given: str | None, others: Collection[str | None]
) -> tuple[str | None, str]:
    """Choose the column that orders rows, and say why.

    `given` is the column asked for, None to infer it; `others` are columns that have another role.

    Raises:
        ConfigurationError: there is no such column, or it has another role.
        DataError: it holds neither dates nor numbers, or one value only.
    """
    if given is not None:
        column = require_column(table, given, "--time")
        if given in others:
            raise ConfigurationError(
                f"--time: column {given!r} is the target or the group already; give another one."
            )
        if not is_date(column) and column.dtype.kind not in "iuf":
            raise DataError(
                f"--time: column {given!r} holds neither numbers nor dates of one known format, but "
                f"{shown_values(column)}; give another column, or write its dates as 2026-01-31 12:00:00."
            )
        if column.nunique() < 2:
            raise DataError(
                f"--time: column {given!r} holds one value only, so it orders nothing; give another one."
            )
        return given, "as asked for"
    free = {str(name): table[name] for name in table if name not in others}
    dates = [name for name, column in free.items() if is_date(column) and varies(column)]
    events = [name for name in dates if not LIVES & set(name_words(name))]
    axes = [name for name in events if table[name].notna().all()]
    if len(axes) == 1:
        return axes[0], "the only date of every row"
    if axes:
        return None, f"several dates ({', '.join(axes[:4])}) may order the rows; give --time"
    if nearly := next((name for name in events if table[name].isna().mean() < _FEW_MISSING), ""):
        takes = f"--time {nearly} takes it, and sets these rows apart"
        return None, f"{nearly} lacks a date in a few rows; {takes}"
    return None, "no column of dates" + (" that every row has" if dates else "")


def choose_roles(table: pd.DataFrame, taken: Collection[str], codes: Collection[str] = ()) -> Roles:
    """Assign roles to the columns that are not `taken` as target, time or group; `codes` hold digits."""
    free = {str(name): table[name] for name in table if name not in taken}
    constant, excluded = dict[str, str](), dict[str, str]()
    things, categorical = dict[str, int](), list[str]()
    weights = [name for name, column in free.items() if _is_weight(column)]
    # Rows that must share a value for a run to learn from it.
    enough = enough_rows(round(_TRAINED * len(table)))
    texts = {name: why for name, column in free.items() if (why := _why_text(column, enough))}
    naming = [
        name
        for name, column in free.items()
        if name not in weights and name not in texts and identifies_rows(column)
    ]
    # The encoder leaves dates out.
    for name, column in ((name, free[name]) for name in free if name not in {*naming, *weights}):
        distinct, text = column.nunique(), is_string_dtype(column)
        if column.isna().all():
            constant[name] = "it has no value at all"
        elif distinct == 1 and column.notna().all():
            constant[name] = "every row has the same value"
        elif is_date(column) or name in texts:
            continue
        elif _identifies_things(column, name in codes):
            things[name] = distinct
        elif text and _is_own(column):
            excluded[name] = "nearly every row has a text of its own"
        elif text and (most := _most_alike(column)) < enough:
            excluded[name] = f"every value is rare, at most {most} rows have the same"
        elif _names_persons(column):
            excluded[name] = f"names of {distinct:,} persons, which a model would memorise"
        elif name in codes or (is_whole(column) and distinct > 2 and _is_code(column)):
            categorical.append(name)
    for name in _twins_of(things, free):
        # A column and its twin are of one kind, however many values each has.
        naming = [each for each in naming if each != name]
        categorical = [each for each in categorical if each != name]
        things[name] = free[name].nunique()
    for name in (name for name in free if name in things):
        several = "each with several rows" if 2 * things[name] <= len(table) else "some with several rows"
        excluded[name] = f"it names {things[name]:,} things, {several}"
    twins = set(_twins_of(categorical, free)) - {*excluded, *naming, *constant}
    categorical = [name for name in free if name in categorical or (name in twins and is_whole(free[name]))]
    chosen = next((name for name in naming if _hint(name)), naming[0] if naming else None)
    excluded |= {name: "another value in every row, so it names rows" for name in naming if name != chosen}
    features = [name for name in free if name not in constant and name not in excluded and name != chosen]
    protected = [name for name in features if PROTECTED & set(name_words(name))]
    asked = dict.fromkeys(weights, _WEIGHT)
    asked |= {name: _PERSONS for name in features if name not in asked and _like_persons(free[name])}
    return Roles(chosen, constant, excluded, categorical, things, protected, asked, texts)


def require_column(table: pd.DataFrame, name: str, option: str) -> pd.Series:
    """The column that an option names; ConfigurationError if it does not exist."""
    if name not in table.columns:
        raise ConfigurationError(
            f"{option}: there is no column {name!r}; {closest(name, map(str, table.columns))}."
        )
    return table[name]


def shown_values(column: pd.Series) -> str:
    """The first values of a column, for a message."""
    return ", ".join(map(repr, column.dropna().unique()[:3].tolist()))


def identifies_rows(column: pd.Series) -> bool:
    """Whether a column has another text or number in every row, and looks handed out."""
    if not column.is_unique or column.isna().any() or len(column) < 2:
        return False
    if not is_whole(column):
        return is_string_dtype(column)
    consecutive = column.max() - column.min() + 1 == len(column)
    return bool(consecutive or _hint(str(column.name)))


def varies(column: pd.Series) -> bool:
    """Whether an ordered column has two values."""
    return bool(column.min() < column.max())


def _hint(name: str) -> bool:
    words = name_words(name)
    return not words or words[-1] in ROW_IDS or words[-1].endswith("id") or words[0] == "unnamed"


def _identifies_things(column: pd.Series, is_code: bool) -> bool:
    words = name_words(str(column.name))
    named = is_code or (bool(words) and words[-1] in THING_IDS)
    most = min(_MANY_THINGS, max(_MOST_CODES, _MANY_THINGS_SHARE * len(column)))
    return named and (is_string_dtype(column) or is_whole(column)) and column.nunique() > most


def _is_own(column: pd.Series) -> bool:
    """Whether nearly every row has a text of its own."""
    return bool(column.nunique() > max(20, _OWN_TEXT * column.count()))


def _most_alike(column: pd.Series) -> int:
    """Rows that share the most frequent value."""
    return int(column.value_counts().max())


def _why_text(column: pd.Series, enough: int) -> str:
    """Why a column is learnt from by its words: nothing else would be learnt of it; empty if it is not."""
    if not is_string_dtype(column) or column.isna().all():
        return ""
    words = name_words(str(column.name))
    if (words and words[-1] in THING_IDS) or set(words) & ADDRESSES:
        return ""
    if (
        not (_is_own(column) or _most_alike(column) < enough)
        or _names_persons(column)
        or _like_persons(column)
    ):
        return ""
    mean = words_a_text(column)
    return f"written language, {mean:.0f} words a text on average" if mean else ""


def _is_code(column: pd.Series) -> bool:
    words = set(name_words(str(column.name)))
    return bool(words & THING_IDS) or (column.nunique() <= _MOST_CODES and bool(words & CODES))


def _twins_of(names: Collection[str], free: Mapping[str, pd.Series]) -> list[str]:
    """Other columns whose names differ only by a direction, such as from_zone_id and to_zone_id."""
    stems = {stem for name in names if (stem := _stem(name))}
    twins = [name for name in free if name not in names and _stem(name) in stems]
    return [name for name in twins if is_whole(free[name]) or is_string_dtype(free[name])]


def _stem(name: str) -> tuple[str, ...]:
    """A name without its direction words; empty without one, or without other words."""
    words = name_words(name)
    rest = tuple(word for word in words if word not in DIRECTIONS)
    return rest if len(rest) < len(words) else ()


def _is_weight(column: pd.Series) -> bool:
    words = set(name_words(str(column.name)))
    if not words & WEIGHTS or not is_numeric_dtype(column):
        return False
    around_one = words <= WEIGHTS and 0.8 <= column.mean() <= 1.2 and column.nunique() > 2
    return bool(words & SAMPLINGS) or around_one


def _names_persons(column: pd.Series) -> bool:
    words = name_words(str(column.name))
    named = bool({*words, *map("".join, pairwise(words))} & PERSON_NAMES) and is_string_dtype(column)
    return named or (bool(set(words) & PERSONS) and _like_persons(column))


def _like_persons(column: pd.Series) -> bool:
    """Whether most values look like names of persons, and the column's name is not one of places."""
    if not is_string_dtype(column) or PLACES & set(name_words(str(column.name))):
        return False
    values = column.dropna().drop_duplicates()
    like = values.str.fullmatch(_PERSON)
    return len(values) >= _FEWEST_PERSONS and bool(like.mean() >= _MOSTLY_PERSONS)
