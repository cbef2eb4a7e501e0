"""The curves of a report, as SVG that stands inside its page and takes the page's font.

No text that users choose is drawn: names of columns, categories and units stand in the page around the pictures.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.costs import Curve
from lepton_pipeline.evaluation.curves import bin_rows, rates
from lepton_pipeline.evaluation.metrics import OWN, rank_rows
from lepton_pipeline.reporting.pictures.page import plain_text
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.statistics.measures import RankedRows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, GREY, RULE, BLUE = "#222222", "#6b6b6b", "#b8b8b8", "#0067a5"
# Line styles tell greys apart, also on paper and without seeing colours.
STYLES: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "linestyle": "-", "linewidth": 2.2, "zorder": 5},
    {"color": "#555555", "linestyle": (0, (5, 2)), "linewidth": 1.5, "zorder": 4},
    {"color": "#8a8a8a", "linestyle": (0, (1, 1.3)), "linewidth": 1.7, "zorder": 4},
)
_SQUARE, _WIDE, _SMALL = (3.1, 2.95), (4.3, 2.6), (3.1, 2.0)
_FONT_SIZE = 9
_CURVE_POINTS = 300
_BAND = 0.14


def draw_quality(scores: pd.DataFrame, metrics: Metrics) -> dict[str, str]:
    """Draw ROC, precision-recall and calibration of the test rows.

    Args:
        scores: as `evaluate` takes them.
        metrics: as `evaluate` returns them for these scores.

    Returns:
        SVG elements `roc`, `precision_recall` and `calibration`; the models in the order of `drawn_models`.
    """
    test = scores[scores["part"] == "test"]
    names = drawn_models(metrics)
    ranked = [rank_rows(test, name) for name in names]
    points = [rates(each, _CURVE_POINTS) for each in ranked]
    marks = [_at_threshold(each, metrics.thresholds[name]) for each, name in zip(ranked, names, strict=True)]
    return {
        "roc": _draw_roc(points, marks),
        "precision_recall": _draw_precision_recall(points, marks, float(test["label"].mean())),
        "calibration": _draw_calibration(ranked),
    }


def drawn_models(metrics: Metrics) -> list[str]:
    """Name the model and as many baselines as there are line styles."""
    return ["model", *(name for name in metrics.test if name not in OWN)][: len(STYLES)]


def draw_cost(curve: Curve, threshold: float) -> str:
    """Draw the cost per 1,000 cases by threshold, with its 95 % interval, if any, and a mark at that in use."""
    with _Page("cost", _WIDE) as page:
        axes = page.axes("Threshold (smallest probability that is acted on)", "Cost per 1,000 cases")
        if curve.banded:
            low, high = (np.array(ends, dtype=float) for ends in (curve.low, curve.high))
            axes.fill_between(curve.threshold, low, high, color=BLUE, alpha=_BAND, linewidth=0)
        axes.plot(curve.threshold, curve.cost, **STYLES[0])
        axes.axvline(threshold, color=INK, linestyle=(0, (4, 2)), linewidth=1.1)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
        axes.margins(x=0)
        return page.svg()


def draw_losses(history: pd.DataFrame) -> str:
    """Draw the log loss of training and of held-out rows by epoch; a thin line for each network."""
    from matplotlib.ticker import MaxNLocator

    with _Page("losses", _WIDE) as page:
        axes = page.axes("Epoch", "Log loss")
        for _, network in history.groupby("network", sort=True):
            axes.plot(network["epoch"], network["train_loss"], color="#8a8a8a", linewidth=1.1)
            axes.plot(network["epoch"], network["validation_log_loss"], color=BLUE, linewidth=1.4)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return page.svg()


def draw_effect(name: str, points: Sequence[Mapping[str, float]]) -> str:
    """Draw the probability by the value of one column of numbers, with its 95 % interval.

    Args:
        name: keeps the ids inside apart from those of other pictures; letters, digits and hyphens.
        points: `value`, `probability`, `low` and `high` of each, at least two.
    """
    across, up, low, high = (
        np.array([point[key] for point in points], dtype=float) for key in ("value", "probability", "low", "high")
    )
    from matplotlib.ticker import MaxNLocator

    with _Page(name, _SMALL) as page:
        axes = page.axes("", "Probability")
        axes.fill_between(across, low, high, color=BLUE, alpha=_BAND, linewidth=0)
        axes.plot(across, up, marker="o", markersize=3.2, **STYLES[0])
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
        axes.yaxis.set_major_formatter(_as_percent)
        axes.set_ylim(bottom=0)
        return page.svg()


class _Page:
    """A matplotlib figure whose SVG has no address, date or id that another picture of the page has, too."""

    def __init__(self, name: str, size: tuple[float, float]) -> None:
        self._name, self._size = name, size

    def __enter__(self) -> _Page:
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        # Ids inside hang on the salt; text stays text, so that the page's font is taken.
        self._settings = mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": self._name, "font.size": _FONT_SIZE})
        self._settings.__enter__()
        self._figure = Figure(figsize=self._size, layout="constrained")
        FigureCanvasSVG(self._figure)
        return self

    def __exit__(self, *error: object) -> None:
        self._settings.__exit__(None, None, None)

    def axes(self, across: str, up: str) -> Axes:
        axes = self._figure.add_subplot()
        axes.set_xlabel(across, color=INK, labelpad=5)
        axes.set_ylabel(up, color=INK, labelpad=5)
        axes.tick_params(length=0, pad=4, labelcolor=GREY)
        axes.grid(color="#ececec", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(RULE)
        return axes

    def svg(self) -> str:
        written = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        with plain_text(self._figure):
            self._figure.savefig(written, format="svg", transparent=True, metadata=nothing)
        return _inline(written.getvalue(), self._name)


def _inline(svg: str, name: str) -> str:
    """Cut what an element inside a page does not need, and make its ids its own."""
    svg = svg[svg.index("<svg") :]
    # A style sheet inside would hold for the whole page.
    svg = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    # Inside HTML an SVG needs no addresses of namespaces; with a view box alone it takes the width it is given.
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"| version="1\.1"', "", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]*)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", svg)
    svg = re.sub(r'(xlink:)?href="#', f'href="#{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-")
    svg = re.sub(r"font-family: [^;\"]*; ?", "", svg)
    return re.sub(r"\n\s*", "\n", svg).strip()


def _draw_roc(points: list[tuple[np.ndarray, np.ndarray]], marks: list[tuple[float, float, float]]) -> str:
    with _Page("roc", _SQUARE) as page:
        axes = page.axes("False alarms (of negative cases)", "Found (of positive cases)")
        axes.plot([0, 1], [0, 1], color=RULE, linewidth=1.1)
        for (true, false), (found, alarms, _), style in zip(points, marks, STYLES, strict=False):
            axes.plot(np.append(0, false), np.append(0, true), clip_on=False, **style)
            _mark(axes, alarms, found, style)
        _as_unit_square(axes)
        return page.svg()


def _draw_precision_recall(
    points: list[tuple[np.ndarray, np.ndarray]], marks: list[tuple[float, float, float]], base_rate: float
) -> str:
    with _Page("precision-recall", _SQUARE) as page:
        axes = page.axes("Found (of positive cases)", "Right (of all alarms)")
        axes.axhline(base_rate, color=RULE, linewidth=1.1)
        for (true, false), (found, _, right), style in zip(points, marks, STYLES, strict=False):
            precision = true * base_rate / (true * base_rate + false * (1 - base_rate))
            steps = {"drawstyle": "steps-pre", "clip_on": False, **style}
            axes.plot(np.append(0, true), np.append(precision[0], precision), **steps)
            _mark(axes, found, right, style)
        _as_unit_square(axes)
        return page.svg()


def _draw_calibration(ranked: list[RankedRows]) -> str:
    from matplotlib.ticker import MaxNLocator

    with _Page("calibration", _SQUARE) as page:
        axes = page.axes("Predicted probability", "Observed rate")
        bins = [bin_rows(each) for each in ranked]
        limit = min(1.0, 1.04 * max(max(predicted.max(), observed.max()) for predicted, observed, *_ in bins))
        axes.plot([0, limit], [0, limit], color=RULE, linewidth=1.1)
        for (predicted, observed, low, high, _), style in zip(bins, STYLES, strict=False):
            if style is STYLES[0]:
                axes.vlines(predicted, low, high, color=BLUE, linewidth=1.4, alpha=0.6, clip_on=True)
            axes.plot(predicted, observed, marker="o", markersize=4 if style is STYLES[0] else 2.5, **style)
        axes.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5))
            axis.set_major_formatter(_as_percent)
        return page.svg()


def _at_threshold(ranked: RankedRows, threshold: float) -> tuple[float, float, float]:
    """Recall, false positive rate and precision at a threshold."""
    called = int(np.count_nonzero(ranked.scores >= threshold))
    positives, found = ranked.labels.sum(), ranked.labels[:called].sum()
    return (
        float(found / positives),
        float((called - found) / (len(ranked.labels) - positives)),
        float(found / max(called, 1)),
    )


def _mark(axes: Axes, across: float, up: float, style: Mapping[str, Any]) -> None:
    looks = {"color": style["color"], "markeredgecolor": "white", "zorder": style["zorder"] + 2}
    axes.plot(across, up, marker="o", markersize=7.5, clip_on=False, **looks)


def _as_unit_square(axes: Axes) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_as_percent)


def _as_percent(share: float, _: float) -> str:
    return f"{100 * share:.4g} %"
