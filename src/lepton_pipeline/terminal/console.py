"""Where tables and summaries are printed, and the one kind of text that is printed there."""

from __future__ import annotations

from typing import Any

from rich import text
from rich.console import Console

from lepton_pipeline.system.readable import readable_output, reader_left, shown

_WIDTH_OF_A_LOG = 110


def console(width_of_a_log: int | None = _WIDTH_OF_A_LOG, *, to_stderr: bool = False) -> Console:
    """Where tables are printed; a log has no width of its own.

    Args:
        width_of_a_log: columns where the output is no terminal; None: what rich takes.
        to_stderr: print to standard error.
    """
    readable_output()
    # Brackets and colons are those of names, values and paths.
    made = _Console(highlight=False, markup=False, emoji=False, stderr=to_stderr)
    if width_of_a_log is not None and not made.is_terminal:
        made.width = width_of_a_log
    return made


class Text(text.Text):
    """A text of rich's that is `shown`: names and values of the data may hold what moves a cursor."""

    def __init__(self, text: str = "", *arguments: Any, **options: Any) -> None:
        super().__init__(shown(text), *arguments, **options)

    def append(self, text: Any, style: Any = None) -> Text:
        """Add a text, `shown`."""
        super().append(shown(text) if isinstance(text, str) else text, style)
        return self


class _Console(Console):
    def render_str(self, text: str, **options: Any) -> Any:
        return super().render_str(shown(text), **options)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        reader_left(self.file)
