"""Progress of long work: a bar on a terminal, occasional lines in a log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import isnan
from time import monotonic
from typing import Any

from lepton_pipeline.statistics.metric_table import METRICS

logger = logging.getLogger(__name__)
_SECONDS_A_LINE = 20


@contextmanager
def show_epochs(curves: tuple[str, str]) -> Iterator[Callable[[Any], None]]:
    """Yield a function to call with the result of every epoch; `curves` name its two figures."""
    loss_name, figure_name = map(_words, curves)
    with _bar("training  {task.description}") as update:
        if update is not None:
            yield lambda epoch: update(description=_text(epoch, loss_name, figure_name))
            return
    best: dict[int, Any] = {}
    networks = 0
    # Show the first epoch at once.
    shown = monotonic() - _SECONDS_A_LINE

    def show(epoch: Any) -> None:
        nonlocal shown, networks
        networks = max(networks, epoch.network)
        if epoch.best and not isnan(epoch.validation_loss):
            best[epoch.network] = epoch
        if monotonic() - shown >= _SECONDS_A_LINE:
            shown = monotonic()
            logger.info("  %s", _text(epoch, loss_name, figure_name))

    yield show
    if best:
        # Networks that are fitted side by side end in any order.
        epochs = ", ".join(str(best[network].number) for network in sorted(best))
        loss = sum(epoch.validation_loss for epoch in best.values()) / len(best)
        many = "networks" if networks > 1 else "network"
        logger.info("  %d %s, best epoch %s, held-out %s %.4f", networks, many, epochs, loss_name, loss)


@contextmanager
def show_rows(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of finished rows; `what` is done to them ("scored")."""
    of = "" if total is None else f" of {total:,}"
    with _bar("{task.description}", what, total, counted=True) as update:
        if update is not None:
            yield lambda rows: update(completed=rows, description=f"{what} {rows:,}{of} rows")
            return
    shown = monotonic()

    def show(rows: int) -> None:
        nonlocal shown
        if monotonic() - shown >= _SECONDS_A_LINE:
            shown = monotonic()
            logger.info("  %s %s%s rows", what, f"{rows:,}", of)

    yield show


@contextmanager
def _bar(
    text: str, what: str = "", total: int | None = None, *, counted: bool = False
) -> Iterator[Callable[..., None] | None]:
    """Yield a function that updates a bar of the terminal; None in a log."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from lepton_pipeline.terminal.console import console

    out = console(to_stderr=True)
    if not out.is_terminal:
        yield None
        return
    spinner = SpinnerColumn("line" if out.options.ascii_only else "dots")
    columns = (spinner, TextColumn(text), *([BarColumn()] if counted else []), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True) as bar:
        yield partial(bar.update, bar.add_task(what, total=total))


def _words(curve: str) -> str:
    """A figure's name within a line: "log loss", "AUC"."""
    title = METRICS[curve].title if curve in METRICS else curve.replace("_", " ")
    return title if title.isupper() else title.lower()


def _text(epoch: Any, loss_name: str, figure_name: str) -> str:
    where = f"network {epoch.network}  epoch {epoch.number:3d}"
    if isnan(epoch.validation_loss):
        return f"{where}  on all rows, loss {epoch.train_loss:.4f}"
    quality = f"held-out {loss_name} {epoch.validation_loss:.4f}  {figure_name} {epoch.validation_figure:.4f}"
    return f"{where}  {quality}{' (best)' if epoch.best else ''}"
