"""Draw what each strategy would have given, with what happened below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_pipeline.operations.backfill.realised import ALWAYS, NEVER, POLICY
from lepton_pipeline.reporting.pictures.page import BLUE, FONT, INK, LEFT, add_axes, as_png, new_page, small_print

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METRICS = {"auc": "AUC", "average_precision": "average precision", "f1": "F1"}
_NAMES = {POLICY: "the policy", NEVER: "never retrained", ALWAYS: "always retrained"}
# Colours that can be told apart without seeing red or green, and line styles for whoever sees none.
_STYLES = {
    NEVER: {"color": "#c2571a", "linestyle": (0, (5, 2)), "marker": "s", "markersize": 4, "linewidth": 1.8},
    ALWAYS: {"color": INK, "linestyle": (0, (1, 1.2)), "marker": "^", "markersize": 4, "linewidth": 1.6},
    POLICY: {"color": BLUE, "linestyle": "-", "marker": "o", "markersize": 7, "linewidth": 3.6},
}
_EVENTS: dict[str, dict[str, Any]] = {
    "promoted": {"marker": "o", "color": BLUE},
    "refused": {"marker": "x", "color": INK},
    "drift": {"marker": "D", "color": "#c2571a"},
    "decay": {"marker": "v", "color": "#a3123a"},
    "failed": {"marker": "X", "color": "#a3123a"},
}
_ABOVE, _BELOW = (LEFT + 0.02, 0.36, 0.88, 0.47), (LEFT + 0.02, 0.155, 0.88, 0.165)
# Letters of all dates that have room below the axis.
_LETTERS = 85


def draw_backfill(found: Mapping[str, Any], caution: str) -> bytes:
    """Draw a PNG of what `describe` gives; equal arguments give equal bytes.

    Args:
        found: dates, figures and summary.
        caution: what must stand beside every result.
    """
    metric = METRICS[found["metric"]]
    page = new_page(_title(found), _subtitle(found, metric), caution)
    axes = add_axes(page, _ABOVE, "", f"realised {metric}")
    for strategy in (POLICY, NEVER, ALWAYS):
        _draw_strategy(axes, found, strategy, _STYLES[strategy])
    count = len(found["dates"])
    axes.set_xlim(-0.3, count + 0.1)
    axes.set_xticks(range(count), [])
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 0.995), ncols=3, frameon=False, prop={"family": FONT, "size": 9.5}
    )
    events = add_axes(page, _BELOW, "", "")
    _draw_events(events, found)
    events.set_xlim(-0.3, count + 0.1)
    dates = [_short(each["date"], found["every"]) for each in found["dates"]]
    every = -(-sum(map(len, dates)) // _LETTERS)
    events.set_xticks(range(0, count, every), dates[::every])
    page.text(
        LEFT,
        0.05,
        "Marks below stand at the dates of a decision; points above between two dates, for the rows that came between.",
        **small_print(9),
    )
    return as_png(page)


def _draw_strategy(axes: Axes, found: Mapping[str, Any], strategy: str, style: Mapping[str, Any]) -> None:
    figures = [each["realised"][strategy] or {} for each in found["dates"]]
    value, low, high = (
        np.array([each.get(end, np.nan) for each in figures], dtype=float) for end in ("value", "low", "high")
    )
    across = np.arange(len(value)) + 0.5
    # The others are drawn over it, thinner, so that lines that coincide are seen to.
    front = 2 if strategy == POLICY else 4
    axes.fill_between(across, low, high, color=style["color"], alpha=0.1, linewidth=0, zorder=front - 1)
    axes.plot(across, value, label=_NAMES[strategy], zorder=front + 1, **style)


def _draw_events(axes: Axes, found: Mapping[str, Any]) -> None:
    happened = {"promoted": [bool(each["promoted"]) for each in found["dates"]]}
    for alarm, also in (("refused", ""), ("drift", ""), ("decay", ""), ("failed", "contract")):
        happened[alarm] = [bool({alarm, also} & set(each["alarms"])) for each in found["dates"]]
    # A row that has no mark is a result; that no job failed needs no row.
    rows = [name for name in _EVENTS if name != "failed" or any(happened[name])]
    for height, name in enumerate(reversed(rows)):
        across = np.flatnonzero(happened[name])
        axes.scatter(across, np.full(len(across), height), s=26, zorder=3, **_EVENTS[name])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks(range(len(rows)), list(reversed(rows)))


def _title(found: Mapping[str, Any]) -> str:
    mean = found["summary"]["mean"]
    name = found["vertical"].capitalize()
    if not mean:
        return f"{name}: too few labels to compare"
    shown = {strategy: f"{mean[strategy]['value']:.3f}" for strategy in mean}
    return f"{name}: by the policy {shown[POLICY]}, never retrained {shown[NEVER]}, always {shown[ALWAYS]}"


def _subtitle(found: Mapping[str, Any], metric: str) -> str:
    rows = sum(each["rows"] for each in found["dates"])
    trained = f"{found['trainings']} trainings on {len(found['dates'])} dates, {found['promoted']} promoted"
    return f"{trained}; mean {metric} of periods, on {rows:,} rows that came afterwards; 95 % intervals"


def _short(date: str, every: str) -> str:
    """A date of a month as its month, where all begin on its first day."""
    return date[:7] if every.endswith("mo") and date.endswith("-01") else date
