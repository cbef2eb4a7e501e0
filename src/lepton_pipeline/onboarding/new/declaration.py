"""Plan of a new vertical and the declaration that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lepton_pipeline.onboarding.new.contract import starting_contract
from lepton_pipeline.onboarding.new.date_parts import DateParts
from lepton_pipeline.onboarding.new.roles import Roles, is_date
from lepton_pipeline.onboarding.new.target import Target
from lepton_pipeline.onboarding.profile import Profile
from lepton_pipeline.parameters import Contract

# The encoder drops constant columns anyway; a long list of them would only hide the other names.
_MOST_CONSTANTS = 20


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
        alone: AUC of each feature alone.
        together: AUC of all features; None where there are too few rows.
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
    windows: dict[str, dict[str, Any]] = field(default_factory=dict)
    why_windows: str = ""
    copies: dict[str, str] = field(default_factory=dict)
    drifting: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    alone: Mapping[str, float] = field(default_factory=dict)
    together: float | None = None
    entities: dict[str, str] = field(default_factory=dict)
    order: dict[str, str] = field(default_factory=dict)

    def keys(self) -> list[str]:
        """Columns besides the target that every row needs."""
        return [name for name in (self.time, self.group) if name is not None]

    def lost_rows(self) -> float:
        """Fraction of rows without a target, time or group."""
        return float(self.profile.table[[self.target.column, *self.keys()]].isna().any(axis="columns").mean())

    def features(self) -> list[str]:
        """Columns of the table that a model reads, without dates."""
        others = {self.target.column, self.roles.id, *self.keys(), *self.roles.constant, *self.roles.excluded}
        others |= {*self.leaks, *self.copies}
        table = self.profile.table
        return [str(name) for name in table if name not in others and not is_date(table[name])]

    def derived(self) -> dict[str, str]:
        """Expressions of columns derived from dates."""
        left_out = {*self.leaks, *self.copies}
        return {name: text for name, text in self.dates.derive.items() if name not in left_out}

    def lags(self) -> dict[str, dict[str, Any]]:
        """Windows over columns that are kept."""
        left_out = {*self.leaks, *self.copies}
        return {name: each for name, each in self.windows.items() if not {name, each["of"]} & left_out}

    def unused(self) -> dict[str, str]:
        """Columns without a role, with the reason; sources of derived columns are used."""
        roles = self.roles
        return {**roles.constant, **roles.excluded, **self.copies, **self.leaks, **self.dates.unused}


def declare(plan: Plan) -> dict[str, Any]:
    """The declaration of a plan: the content below the vertical's name in parameters.yml."""
    roles, target, table = plan.roles, plan.target, plan.profile.table
    dataset = {
        **target.declared(),
        "id": roles.id,
        "time": plan.time,
        "group": plan.group,
        "exclude": [
            *(roles.constant if len(roles.constant) <= _MOST_CONSTANTS else []),
            *roles.excluded,
            *(name for name in {**plan.leaks, **plan.copies} if name in table),
        ],
        "categorical": [name for name in roles.categorical if name not in {**plan.leaks, **plan.copies}],
    }
    contract = starting_contract(
        table, target.column, target.positive, roles.id, plan.keys(), plan.features(), roles.categorical
    )
    features = {"derive": plan.derived(), "windows": plan.lags()}
    positive = target.positive_when or f"{target.column} = {target.positive}"
    declared = {
        "about": {"question": f"Which rows have {positive}?"},
        "dataset": {key: value for key, value in dataset.items() if value is not None and value != []},
        "ingestion": plan.profile.ingestion.model_dump(exclude_defaults=True),
        "contract": {**_room_for_missing(plan), **({"expectations": contract} if contract else {})},
        "features": {key: value for key, value in features.items() if value},
        "split": {"strategy": plan.strategy},
    }
    return {key: value for key, value in declared.items() if value}


def _room_for_missing(plan: Plan) -> dict[str, float]:
    """A larger max_quarantined, where rows without target, time or group alone come near the default."""
    lost, allowed = plan.lost_rows(), Contract().max_quarantined
    return {} if lost <= allowed / 2 else {"max_quarantined": min(0.99, round(lost + allowed, 2))}
