"""Show how a training goes: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)
_EPOCHS_A_LINE = 10


@contextmanager
def show_epochs(epochs: int) -> Iterator[Callable[[Any], None]]:
    """Give a function that is called with every epoch's result.

    Args:
        epochs: most epochs there can be.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _log_epoch
        return
    columns = (TextColumn("  training"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=epochs)
        yield lambda epoch: bar.update(task, advance=1, description=_text(epoch))


def _log_epoch(epoch: Any) -> None:
    if epoch.number % _EPOCHS_A_LINE == 0:
        logger.info("  %s", _text(epoch))


def _text(epoch: Any) -> str:
    quality = f"validation log loss {epoch.validation_log_loss:.4f}  AUC {epoch.validation_auc:.4f}"
    return f"epoch {epoch.number:3d}  {quality}{' (best)' if epoch.best else ''}"
