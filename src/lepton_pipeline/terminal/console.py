"""The one console, its width, and the style of its tables, texts and grids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich import box, text
from rich.console import Console
from rich.padding import Padding
from rich.table import Column as Column
from rich.table import Table as Table

from lepton_pipeline.system.readable import close_output, readable_output, shown

_WIDTH_OF_A_LOG = 130


def console(*, to_stderr: bool = False) -> Console:
    """A console for tables; a log, which has no width, gets a fixed one."""
    readable_output()
    # Brackets and colons occur in names, values and paths.
    made = _Console(highlight=False, markup=False, emoji=False, stderr=to_stderr)
    if not made.is_terminal:
        made.width = _WIDTH_OF_A_LOG
    return made


def fixed(header: str = "", **options: Any) -> Column:
    """A column whose cells do not wrap."""
    return Column(header, no_wrap=True, **options)


def figures(header: str = "") -> Column:
    """A column of figures."""
    return fixed(header, justify="right")


def table(*columns: Column | str, **options: Any) -> Table:
    """An empty table; a column given by its name wraps long cells."""
    headers = [Column(each, overflow="fold") if isinstance(each, str) else each for each in columns]
    return Table(*headers, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), **options)


def facts_grid(facts: Iterable[tuple[str | Text, ...]]) -> Padding:
    """Pairs of label and text below each other, with short columns between them; the text wraps."""
    rows = list(facts)
    short = [fixed()] * (max(map(len, rows), default=2) - 2)
    grid = Table.grid(fixed(style="dim"), *short, Column(overflow="fold"), padding=(0, 2))
    for row in rows:
        grid.add_row(*(Text(each) if isinstance(each, str) else each for each in row))
    return Padding(grid, (0, 1), expand=False)


def print_facts(title: str, facts: Iterable[tuple[str, str]]) -> None:
    """Print a title and `facts_grid` below an empty line."""
    out = console()
    out.print()
    out.print(Text(title, style="bold"))
    out.print(facts_grid(facts))


class Text(text.Text):
    """A rich text that escapes control characters and masks secrets (`shown`), as names and values need."""

    def __init__(self, text: str = "", *arguments: Any, **options: Any) -> None:
        super().__init__(shown(text), *arguments, **options)

    def append(self, text: Any, style: Any = None) -> Text:
        """Append a text, `shown`."""
        super().append(shown(text) if isinstance(text, str) else text, style)
        return self


class _Console(Console):
    def render_str(self, text: str, **options: Any) -> Any:
        return super().render_str(shown(text), **options)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        close_output(self.file)
