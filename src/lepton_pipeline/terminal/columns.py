"""The table of columns on a terminal: whole where it is short, folded where it is long."""

from __future__ import annotations

from collections.abc import Sequence

from lepton_pipeline.features.column_record import Column
from lepton_pipeline.reporting.report.columns import (
    columns_notes,
    count_columns,
    describe_share,
    describe_use,
    kind_inference,
)
from lepton_pipeline.terminal.console import Table, Text, figures, fixed, table

_MOST_LINES = 12


def show_columns(columns: Sequence[Column]) -> tuple[Table | None, list[tuple[str, str]]]:
    """The table of columns to print: as a table with its notes where it is short, else as facts alone.

    Args:
        columns: what became of each.

    Returns:
        A table, or None; and pairs of a label and a text. Both are empty where there is no column.
    """
    if not columns:
        return None, []
    if len(columns) > _MOST_LINES:
        return None, kind_inference(columns)
    shown = table(
        "column", fixed("read as"), fixed("role"), figures("missing"), figures("distinct"), "used as"
    )
    for column in columns:
        distinct = "" if column.distinct is None else f"{column.distinct:,}"
        missing = describe_share(column.missing_share)
        # As they are: a name may look like markup.
        shown.add_row(
            Text(column.name), column.kind, column.role, missing, distinct, Text(describe_use(column))
        )
    return shown, [("columns", count_columns(columns)), *columns_notes(columns)]
