"""The table of columns on a terminal, folded if it is long."""

from __future__ import annotations

from collections.abc import Sequence

from lepton_pipeline.features.column_record import Column
from lepton_pipeline.reporting.report.columns import (
    column_facts,
    columns_notes,
    count_columns,
    describe_share,
    describe_use,
)
from lepton_pipeline.terminal.console import Table, Text, figures, fixed, table

_MOST_LINES = 12


def show_columns(columns: Sequence[Column]) -> tuple[Table | None, list[tuple[str, str]]]:
    """The columns as a table with notes if they are few, else None and pairs of a label and a text."""
    if not columns:
        return None, []
    if len(columns) > _MOST_LINES:
        return None, column_facts(columns)
    narrow = (fixed("read as"), fixed("role"), figures("missing"), figures("distinct"))
    shown = table("column", *narrow, "used as")
    for column in columns:
        distinct = "" if column.distinct is None else f"{column.distinct:,}"
        cells = (column.kind, column.role, describe_share(column.missing_share), distinct)
        shown.add_row(Text(column.name), *cells, Text(describe_use(column)))
    return shown, [("columns", count_columns(columns)), *columns_notes(columns)]
