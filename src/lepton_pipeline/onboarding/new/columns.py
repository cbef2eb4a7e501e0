"""The columns that a drafted declaration yields."""

from __future__ import annotations

from lepton_pipeline.features.column_record import Column
from lepton_pipeline.features.columns import list_columns
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.features.encode import fit_columns
from lepton_pipeline.onboarding.new.declaration import Plan, declare
from lepton_pipeline.project.declaration import read_vertical

_LEAK = "likely a leak"


def planned_columns(name: str, plan: Plan) -> list[Column]:
    """List every column of the table, then the derived ones, as a training would treat them.

    The rules are those of a training, over all rows; only a training tries whole numbers as categories.
    """
    vertical = read_vertical(name, declare(plan))
    rows = plan.profile.table.dropna(subset=[plan.target.column, *plan.keys()])
    table = derive_features(rows, vertical.dataset, vertical.features)
    encoded, dropped = fit_columns(table, vertical.dataset)
    decided = plan.unused() | dict.fromkeys(plan.leaks, _LEAK)
    return list_columns(table, vertical.dataset, vertical.features, encoded, dropped | decided)
