"""The declaration that follows from what was decided about a table."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from lepton_pipeline.onboarding.new.contract import starting_contract
from lepton_pipeline.onboarding.new.roles import Roles, is_date
from lepton_pipeline.onboarding.new.target import Target, in_expression
from lepton_pipeline.onboarding.profile import Profile
from lepton_pipeline.parameters import Contract

# The encoder drops constant columns anyway; a long list of them would only hide the other names.
_MOST_CONSTANTS = 20
_YEAR, _FORTNIGHT = pd.Timedelta(days=365), pd.Timedelta(days=14)


@dataclass(frozen=True)
class Plan:
    """What was decided about a table.

    Attributes:
        profile: the table and how it is read.
        target: what is predicted.
        time: column that orders rows.
        why_time: why, or why there is none.
        group: column of what several rows belong to.
        roles: of the other columns.
        leaks: features that give the target away, with the evidence.
        strategy: of the split.
        doubt_strategy: why the split is not the one that the columns suggest; empty where it is.
        strong: features that are good alone, yet no proven leaks, with their AUC.
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
    strong: dict[str, float] = field(default_factory=dict)

    def keys(self) -> list[str]:
        """Columns without whose value a row cannot be used, but for the target."""
        return [name for name in (self.time, self.group) if name is not None]

    def lost_rows(self) -> float:
        """Fraction of rows without a target, time or group."""
        return float(self.profile.table[[self.target.column, *self.keys()]].isna().any(axis="columns").mean())

    def features(self) -> list[str]:
        """Columns of the table that a model reads; dates are not among them."""
        others = {
            self.target.column,
            self.roles.id,
            *self.keys(),
            *self.roles.constant,
            *self.roles.excluded,
            *self.leaks,
        }
        table = self.profile.table
        return [str(name) for name in table if name not in others and not is_date(table[name])]


def declare(plan: Plan) -> dict[str, Any]:
    """The declaration of a plan: what stands below the vertical's name in its parameters.yml."""
    roles, target, table = plan.roles, plan.target, plan.profile.table
    dataset = {
        **target.declared(),
        "id": roles.id,
        "time": plan.time,
        "group": plan.group,
        "exclude": [
            *(roles.constant if len(roles.constant) <= _MOST_CONSTANTS else []),
            *roles.excluded,
            *(name for name in plan.leaks if name in table),
        ],
        "categorical": [name for name in roles.categorical if name not in plan.leaks],
    }
    contract = starting_contract(
        table, target.column, target.positive, roles.id, plan.keys(), plan.features(), roles.categorical
    )
    derived = _date_features(plan)
    declared = {
        "about": {"question": f"Which rows have {target.positive_when or f'{target.column} = {target.positive}'}?"},
        "dataset": {key: value for key, value in dataset.items() if value is not None and value != []},
        "ingestion": plan.profile.ingestion.model_dump(exclude_defaults=True),
        "contract": {**_room_for_missing(plan), **({"expectations": contract} if contract else {})},
        "features": {"derive": derived} if derived else {},
        "split": {"strategy": plan.strategy},
    }
    return {key: value for key, value in declared.items() if value}


def _date_features(plan: Plan) -> dict[str, str]:
    """Parts of the time axis that vary, and how long ago other dates were."""
    table, time = plan.profile.table, plan.time
    if time is None or not is_date(table[time]):
        return {}
    dates, axis, stem = table[time].dropna(), in_expression(time), _identifier(time)
    span = dates.max() - dates.min()
    made = {}
    # A month that only later rows have would tell the model nothing.
    if span >= _YEAR and _varies(dates.dt.month):
        made[f"{stem}_month"] = f"month({axis})"
    if span >= _FORTNIGHT and _varies(dates.dt.day_of_week):
        made[f"{stem}_weekday"] = f"weekday({axis})"
    if _varies(dates.dt.hour):
        made[f"{stem}_hour"] = f"hour({axis})"
    others = {time, plan.target.column, *plan.roles.excluded}
    for name in (str(name) for name in table if name not in others and is_date(table[name])):
        same_zone = (table[name].dt.tz is None) == (table[time].dt.tz is None)
        # What is later than its row was not known then.
        if same_zone and not (table[name] > table[time]).any():
            made[f"days_since_{_identifier(name)}"] = f"days_between({axis}, {in_expression(name)})"
    return {name: text for name, text in made.items() if name not in table and name not in plan.leaks}


def _varies(column: pd.Series) -> bool:
    return bool(column.min() < column.max())


def _identifier(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_") or "date"


def _room_for_missing(plan: Plan) -> dict[str, float]:
    """A larger fraction of quarantined rows, where rows without a target or time alone come near the default."""
    lost, allowed = plan.lost_rows(), Contract().max_quarantined
    return {} if lost <= allowed / 2 else {"max_quarantined": min(0.99, round(lost + allowed, 2))}
