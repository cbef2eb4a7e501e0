"""Tell covariates of series from ids, calendar columns and what follows from the target."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from lepton_pipeline.onboarding.names import CODES, ORDERS, name_words
from lepton_pipeline.onboarding.new.records import why_unused
from lepton_pipeline.onboarding.new.series_records import Records
from lepton_pipeline.onboarding.profile import is_whole

_ALIKE, _NEARLY = 0.98, 0.01
_MOST_VALUES, _OWN = 100, 0.5


@dataclass(frozen=True)
class Covariates:
    """Columns beside the target by what they serve as, and `unused` ones with the reason."""

    past: list[str] = field(default_factory=list)
    future: list[str] = field(default_factory=list)
    static: list[str] = field(default_factory=list)
    unused: dict[str, str] = field(default_factory=dict)


def choose_covariates(records: Records, made: Collection[str]) -> Covariates:
    """Decide what each column without a role serves as; `made` are names of columns that are made of the history."""
    found, rows, to_come, target = Covariates(), records.rows, records.to_come, records.target
    taken = {*records.keys, records.time, target}
    names = [str(name) for name in rows if name not in taken]
    numbers = [name for name in names if is_numeric_dtype(rows[name]) and rows[name].dtype != bool]
    count = int(records.series.max()) + 1
    for name in names:
        column = rows[name]
        if name in made or name.removesuffix("_change") in {*names} - {name}:
            found.unused[name] = "a column of this name is made of the history; rename it to use it"
        elif why := _why_unused(records, name):
            found.unused[name] = why
        elif column.groupby(records.series).nunique().max() <= 1:
            if name not in numbers and column.nunique() > min(_MOST_VALUES, count - 1):
                found.unused[name] = "too many values for so few series, so it names them"
            else:
                found.static.append(name)
        elif name not in numbers:
            found.unused[name] = "no number, and it changes within a series"
        elif {*name_words(name)} & CODES and is_whole(column):
            found.unused[name] = "a code by its name, and it changes within a series"
        elif why := _follows(rows, name, target, numbers):
            found.unused[name] = why
        elif len(to_come) and to_come[name].notna().all():
            found.future.append(name)
        else:
            found.past.append(name)
    return found


def _why_unused(records: Records, name: str) -> str:
    rows, time = records.rows, records.time
    if why := why_unused(records.profile, rows[name]):
        return why
    if {*name_words(name)} & ORDERS and rows[[time, name]].drop_duplicates()[time].is_unique:
        return "a part of the date, which rows to forecast from have anyway"
    return ""


def _follows(rows: pd.DataFrame, name: str, target: str, numbers: Collection[str]) -> str:
    """Why a column says no more than the target and another one do; empty if it does not follow."""
    column, known = rows[name].astype(float), rows[target].astype(float)
    both = column.notna() & known.notna()
    for other in (each for each in numbers if each != name):
        given = rows[other].astype(float)
        made: Mapping[str, pd.Series] = {
            f"{target} times {other}": known * given,
            f"{target} plus {other}": known + given,
            f"{other} less {target}": given - known,
        }
        for words, values in made.items():
            there = both & given.notna()
            near = (column - values).abs() <= _NEARLY * np.maximum(column.abs(), 1e-9)
            if there.any() and near[there].mean() >= _ALIKE and (given[there] != 0).mean() > _OWN:
                return f"it follows from the target: {words}"
    rank = float(column[both].corr(known[both], method="spearman"))
    return f"it follows the target (rank correlation {rank:.2f})" if abs(rank) >= _ALIKE else ""
