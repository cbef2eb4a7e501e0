"""What the figures of `gpu.py` say: shares of the roofline, distances to plain loops, and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from machine import describe
from overhead import table
from roofline import Card, Work

SHARE_GOAL, LOADER_GOAL = 0.6, 20
GRAPH, EAGER, LOADER = "captured graph", "eager", "DataLoader"
# The plain loop is timed on so many rows, and its epoch is extrapolated: a whole one would take most of a minute.
LOADER_ROWS = 200_000


@dataclass(frozen=True)
class Measured:
    """Epochs of one model with one batch size.

    Attributes:
        model: its name.
        batch_size: rows a step.
        rows: of the table.
        columns: of the table.
        seconds: of one epoch, by way; None where the card had no memory for it.
        work: what an epoch must do.
    """

    model: str
    batch_size: int
    rows: int
    columns: int
    seconds: dict[str, float | None]
    work: Work

    def share(self, card: Card, fused: bool = False) -> float | None:
        """Share of the roofline that the captured graph reaches."""
        seconds = self.seconds[GRAPH]
        return None if seconds is None else card.least_seconds(self.work, fused) / seconds

    @property
    def ahead(self) -> float | None:
        """Epochs of the captured graph in the time of one of the plain loop."""
        ours, theirs = self.seconds[GRAPH], self.seconds[LOADER]
        return None if ours is None or theirs is None else theirs / ours


def result_table(measured: Sequence[Measured], card: Card) -> str:
    """One line for each model and batch size."""
    lines = []
    for each in measured:
        ours = each.seconds[GRAPH]
        lines.append(
            [
                each.model,
                f"{each.batch_size:,}",
                _cell(ours, 1000, ",.2f"),
                "—" if ours is None else f"{each.rows / ours / 1e6:,.2f}",
                _cell(each.share(card), 100, ".0f", " %"),
                _cell(each.share(card, fused=True), 100, ".0f", " %"),
                _cell(each.seconds[EAGER], 1000, ",.2f"),
                _cell(each.seconds[LOADER], 1000, ",.0f"),
                _cell(each.ahead, 1, ",.1f", "x"),
            ]
        )
    head = ["model", "rows a step", "ms an epoch", "M rows/s", "of roofline", "of fused bound"]
    return table([*head, "eager ms", "DataLoader ms", "ahead of DataLoader"], lines)


def goals(measured: Sequence[Measured], card: Card) -> dict[str, bool]:
    """Whether each model reaches what was to be reached, at its best batch size."""
    verdicts = {}
    for model in dict.fromkeys(each.model for each in measured):
        own = [each for each in measured if each.model == model]
        share = max((each.share(card) or 0 for each in own), default=0)
        ahead = max((each.ahead or 0 for each in own), default=0)
        verdicts[f"{model}: {share:.0%} of the roofline (goal: at least {SHARE_GOAL:.0%})"] = (
            share >= SHARE_GOAL
        )
        verdicts[f"{model}: {ahead:.1f} times the DataLoader loop (goal: at least {LOADER_GOAL})"] = (
            ahead >= LOADER_GOAL
        )
    return verdicts


def report(measured: Sequence[Measured], card: Card, epochs: int, precision: str) -> str:
    """The result as Markdown."""
    rows, columns = measured[0].rows, measured[0].columns
    verdicts = [
        f"- {text}: {'reached' if reached else 'missed'}." for text, reached in goals(measured, card).items()
    ]
    parts = [
        "# Epochs on a CUDA card",
        f"**{card.name}**: copies {card.bandwidth / 1e12:.3g} TB/s (read and written together), matrix products in "
        f"{precision} {card.rate / 1e12:.3g} TFLOP/s,\nboth measured here.",
        describe(["torch"], f"CUDA {torch.version.cuda or '—'}"),
        f"A random table of {rows:,} rows and {columns} columns, on the card. Median of {epochs} epochs, each with a\n"
        "new order of the rows, drawn on the card; a first epoch, in which the graph is captured, does not count.\n"
        "What the roofline counts stands in `roofline.py`; the fused bound has all between matrix products fused into\n"
        f"them. The DataLoader loop is timed on {min(LOADER_ROWS, rows):,} rows and extrapolated.",
        result_table(measured, card),
        "The best of each model:",
        "\n".join(verdicts),
    ]
    return "\n\n".join(parts) + "\n"


def _cell(value: float | None, factor: float, layout: str, unit: str = "") -> str:
    return "—" if value is None else f"{value * factor:{layout}}{unit}"
