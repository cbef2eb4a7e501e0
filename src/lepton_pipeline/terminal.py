"""Where tables and summaries are printed."""

from __future__ import annotations

from rich.console import Console

from lepton_pipeline.readable import readable_output, reader_left

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


class _Console(Console):
    def on_broken_pipe(self) -> None:
        self.quiet = True
        reader_left(self.file)
