"""The table of columns on a terminal: whole where it is short, folded where it is long."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.padding import Padding
from rich.table import Table

from lepton_pipeline.features.column_record import Column
from lepton_pipeline.reporting.report.columns import (
    column_facts,
    columns_notes,
    count_columns,
    describe_share,
    describe_use,
)
from lepton_pipeline.terminal.console import Text

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
        return None, column_facts(columns)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    table.add_column("column", overflow="fold")
    table.add_column("read as", no_wrap=True)
    table.add_column("role", no_wrap=True)
    table.add_column("missing", justify="right", no_wrap=True)
    table.add_column("distinct", justify="right", no_wrap=True)
    table.add_column("used as")
    for column in columns:
        distinct = "" if column.distinct is None else f"{column.distinct:,}"
        missing = describe_share(column.missing_share)
        # As they are: a name may look like markup.
        table.add_row(Text(column.name), column.kind, column.role, missing, distinct, Text(describe_use(column)))
    return table, [("columns", count_columns(columns)), *columns_notes(columns)]


def facts_grid(facts: Sequence[tuple[str, str]]) -> Padding:
    """Facts below each other: labels, and texts that may look like markup."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in facts:
        grid.add_row(name, Text(text))
    return Padding(grid, (0, 1), expand=False)
