"""What a drafted declaration would make of every column."""

from __future__ import annotations

from lepton_pipeline.features.column_record import Column
from lepton_pipeline.features.columns import list_columns
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.features.encode import fit_columns
from lepton_pipeline.onboarding.new.declaration import Plan, declare
from lepton_pipeline.project.declaration import read_vertical

_LEAK = "likely a leak"


def planned_columns(name: str, plan: Plan) -> list[Column]:
    """List what a training would make of the columns, as far as it can be told before.

    Args:
        name: of the vertical, for messages.
        plan: what was decided.

    Returns:
        Every column of the table, then the derived ones. The same rules decide as in a training, here over
        all rows; only a training tries whole numbers as categories.
    """
    vertical = read_vertical(name, declare(plan))
    rows = plan.profile.table.dropna(subset=[plan.target.column, *plan.keys()])
    table = derive_features(rows, vertical.dataset, vertical.features)
    encoded, dropped = fit_columns(table, vertical.dataset)
    decided = plan.unused() | dict.fromkeys(plan.leaks, _LEAK)
    return list_columns(table, vertical.dataset, vertical.features, encoded, dropped | decided)
