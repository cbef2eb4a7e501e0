"""Plan of a new vertical and the declaration that follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype as is_date

from lepton_pipeline.onboarding.new.derived import DateParts
from lepton_pipeline.onboarding.new.roles import Roles
from lepton_pipeline.onboarding.new.target import Target
from lepton_pipeline.onboarding.profile import Profile
from lepton_pipeline.parameters import Contract, Expectation, Vertical, Window
from lepton_pipeline.project.declaration import read_vertical

# The encoder drops constant columns anyway; a long list of them would only hide the other names.
_MOST_CONSTANTS = 20
_MOST_LEVELS, _LONGEST_SET = 12, 120
_MOSTLY = 0.99
# A value so many times further from the median than 99.9 % of all values is more likely wrong than large.
_FAR, _FAR_QUANTILE, _FEWEST_ROWS = 5, 0.999, 200
_OnFailure = Literal["stop", "quarantine", "warn"]


@dataclass(frozen=True)
class Plan:
    """What was decided about a table; columns come with the evidence.

    Attributes:
        leaks: features that give the target away.
        doubt_strategy: why the split is not the one that the columns suggest; empty where it is.
        windows: lags, by name.
        why_windows: why there are lags, or none of the target; empty where rows are no series.
        copies: features that only encode the time of a row.
        drifting: features whose later values are rare in training rows.
        asked: features so strong that they may be leaks.
        alone: AUC of each feature alone, see `suspects.as_auc`.
        too_good: what all features together reach, where that is implausible.
        entities: columns that seem to identify what several rows belong to.
        order: evidence of an order of the rows, by column.
    """

    profile: Profile
    target: Target
    time: str | None
    why_time: str
    group: str | None
    roles: Roles
    leaks: dict[str, str]
    strategy: str
    doubt_strategy: str = ""
    dates: DateParts = field(default_factory=DateParts)
    windows: dict[str, Window] = field(default_factory=dict)
    why_windows: str = ""
    copies: dict[str, str] = field(default_factory=dict)
    drifting: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    alone: Mapping[str, float] = field(default_factory=dict)
    too_good: str = ""
    entities: dict[str, str] = field(default_factory=dict)
    order: dict[str, str] = field(default_factory=dict)

    def keys(self) -> list[str]:
        """Columns besides the target that every row needs."""
        return [name for name in (self.time, self.group) if name is not None]

    def rows(self, keys: Sequence[str] = ()) -> pd.DataFrame:
        """Rows with a target that is learnt, and a value in each of `keys`."""
        table, target = self.profile.table, self.target
        rows = table.dropna(subset=[target.column, *keys])
        return rows[~rows[target.column].isin(target.question.left_out)]

    def lost_rows(self) -> float:
        """Fraction of rows without a target that is learnt, time or group."""
        return float((~self.profile.table.index.isin(self.rows(self.keys()).index)).mean())

    def features(self) -> list[str]:
        """Columns of the table that a model reads, without dates."""
        others = {self.target.column, self.roles.id, *self.keys(), *self.roles.constant, *self.roles.excluded}
        others |= {*self.leaks, *self.copies}
        table = self.profile.table
        return [str(name) for name in table if name not in others and not is_date(table[name])]

    def derived(self) -> dict[str, str]:
        """Expressions of columns derived from dates."""
        return {name: text for name, text in self.dates.derive.items() if not self._left_out(name)}

    def lags(self) -> dict[str, Window]:
        """Windows over columns that are kept."""
        return {name: each for name, each in self.windows.items() if not self._left_out(name, each.of)}

    def _left_out(self, *names: str | None) -> bool:
        return not {*self.leaks, *self.copies}.isdisjoint(names)

    def unused(self) -> dict[str, str]:
        """Columns without a role, with the reason; sources of derived columns are used."""
        roles = self.roles
        return {**roles.constant, **roles.excluded, **self.copies, **self.leaks, **self.dates.unused}

    def vertical(self, name: str) -> Vertical:
        """The typed declaration, with defaults."""
        return read_vertical(name, declare(self))

    @cached_property
    def expectations(self) -> list[Expectation]:
        """What the table meets, the most important first, with room for new data."""
        table, id_column = self.profile.table, self.roles.id
        proposed = [] if id_column is None else [_expect("be_unique", id_column, "stop")]
        proposed += self._of_the_target()
        proposed += [_expect("not_be_null", name, "quarantine") for name in self.keys()]
        bounded, listed, present = [], [], []
        for name in self.features():
            column = table[name]
            codes = name in self.roles.categorical or column.nunique() <= 2
            if codes or not pd.api.types.is_numeric_dtype(column):
                levels = sorted(column.dropna().unique().tolist())
                if 0 < len(levels) <= _MOST_LEVELS and len(str(levels)) <= _LONGEST_SET:
                    listed.append(_in_set(name, levels, "warn", mostly=_MOSTLY))
            else:
                low, high = padded_range(column)
                bounded.append(_expect("be_between", name, "quarantine", min_value=low, max_value=high))
            if column.notna().all():
                present.append(_expect("not_be_null", name, "warn", mostly=_MOSTLY))
        return [*proposed, *bounded, *listed, *present]

    def _of_the_target(self) -> list[Expectation]:
        """That new rows have one of the target's values, or a number in their range."""
        name, question = self.target.column, self.target.question
        column = self.profile.table[name]
        if question.expected == "any":
            return []
        if question.expected == "range":
            low, high = padded_range(column)
            # 0 has no logarithm.
            above = {"strict_min": True} if low == 0 and "transform" in question.declared else {}
            return [_expect("be_between", name, "quarantine", min_value=low, max_value=high, **above)]
        left_out = question.left_out
        classes = sorted(column[~column.isin(left_out)].dropna().unique().tolist())
        if left_out:
            return [_in_set(name, classes, "quarantine")]
        few = len(classes) == 2 or (len(classes) <= _MOST_LEVELS and len(str(classes)) <= _LONGEST_SET)
        return [_in_set(name, classes, "stop")] if few else []


def declare(plan: Plan, most: int | None = None) -> dict[str, object]:
    """The declaration of a plan: the content below the vertical's name in parameters.yml.

    `most` is how many expectations it has at most.
    """
    roles, target, left_out = plan.roles, plan.target, {**plan.leaks, **plan.copies}
    dataset = {
        "target": target.column,
        **target.question.declared,
        "id": roles.id,
        "time": plan.time,
        "group": plan.group,
        "exclude": [
            *(roles.constant if len(roles.constant) <= _MOST_CONSTANTS else []),
            *roles.excluded,
            *(name for name in left_out if name in plan.profile.table),
        ],
        "categorical": [name for name in roles.categorical if name not in left_out],
        "text": [name for name in roles.text if name not in left_out],
    }
    # Where rows without target, time or group alone come near the default, more may be quarantined.
    lost, allowed = plan.lost_rows(), Contract().max_quarantined
    contract: dict[str, object] = {}
    if lost > allowed / 2:
        contract["max_quarantined"] = min(0.99, round(lost + allowed, 2))
    if plan.expectations:
        contract["expectations"] = [
            {"expect": each.expect, **each.arguments(), "on_failure": each.on_failure}
            for each in plan.expectations[:most]
        ]
    windows = {name: each.model_dump(exclude_defaults=True) for name, each in plan.lags().items()}
    features = {"derive": plan.derived(), "windows": windows}
    declared = {
        "about": {"question": target.question.text},
        "dataset": stated(dataset),
        "ingestion": plan.profile.ingestion.model_dump(exclude_defaults=True),
        "contract": contract,
        "features": stated(features),
        "split": {"strategy": plan.strategy},
    }
    return stated(declared)


def stated(declared: Mapping[str, object]) -> dict[str, object]:
    """Without keys that have no value."""
    return {key: value for key, value in declared.items() if value not in (None, [], {})}


def padded_range(column: pd.Series) -> tuple[int | float, int | float]:
    """The observed range widened by its own width at both ends, in round numbers, never across zero."""
    low, high = float(column.min()), float(column.max())
    width = high - low or abs(high) or 1.0
    wide_low, wide_high = low - width, high + width
    wide_low = 0.0 if low >= 0 and wide_low < 0 else _rounded(wide_low, width, math.floor)
    wide_high = 0.0 if high <= 0 < wide_high and low < 0 else _rounded(wide_high, width, math.ceil)
    return _plain(wide_low), _plain(wide_high)


def far_values(column: pd.Series) -> pd.Series:
    """Outliers that are more likely wrong than large."""
    numbers = column.dropna().astype(float)
    spread = (numbers - numbers.median()).abs()
    if len(numbers) < _FEWEST_ROWS or spread.max() == 0:
        return numbers.iloc[:0]
    common = float(spread.quantile(_FAR_QUANTILE, interpolation="lower"))
    far: pd.Series = numbers.loc[spread > _FAR * max(common, float(spread[spread > 0].median()))]
    return far


def _rounded(value: float, width: float, towards: Callable[[float], int]) -> float:
    """Round away from the data by at most half the width."""
    exponent = math.floor(math.log10(width / 2))
    return round(towards(value / 10.0**exponent) * 10.0**exponent, max(0, -exponent))


def _expect(what: str, name: str, on_failure: _OnFailure, **arguments: Any) -> Expectation:
    return Expectation(expect=f"column_values_to_{what}", column=name, on_failure=on_failure, **arguments)


def _in_set(name: str, levels: list[Any], on_failure: _OnFailure, **arguments: Any) -> Expectation:
    return _expect("be_in_set", name, on_failure, value_set=[*map(_plain, levels)], **arguments)


def _plain(value: Any) -> Any:
    """Whole floats as integers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
