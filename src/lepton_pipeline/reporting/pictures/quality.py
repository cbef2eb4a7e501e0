"""Draw the quality of the model beside its baselines, ready to be shown in a meeting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.curves import bin_rows, rates
from lepton_pipeline.evaluation.interval_words import bracket
from lepton_pipeline.evaluation.metrics import OWN, rank_rows
from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pictures.page import (
    BLUE,
    FONT,
    INK,
    LEFT,
    PALE,
    RULE,
    add_axes,
    as_png,
    new_page,
    small_print,
)
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.statistics.measures import RankedRows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMES = {
    "model": "Model",
    "logistic_regression": "Logistic regression",
    "hist_gradient_boosting": "Gradient boosting",
}
_RULES = {"cost": "least cost", "f1": "best F1"}
_MODEL_STYLE = {"color": BLUE, "linestyle": "-", "linewidth": 2.4, "zorder": 5}
# Greys beside one blue can be told apart without seeing colours; line styles tell the greys apart.
_BASELINE_STYLES = (
    {"color": "#555555", "linestyle": (0, (5, 2)), "linewidth": 1.7, "zorder": 4},
    {"color": "#8a8a8a", "linestyle": (0, (1, 1.2)), "linewidth": 1.9, "zorder": 4},
)
# Left edge, bottom, width and height in fractions of the page; the first is a square on paper.
_MAIN, _SIDE = (LEFT, 0.105, 0.445, 0.689), (0.635, 0.105, 0.335, 0.689)
_SIDE_GAP = 0.145
_HISTOGRAM_BINS = 30


@dataclass(frozen=True)
class _Shown:
    """One model as it is drawn; `recall`, `false_rate` and `precision` are those at its threshold."""

    name: str
    ranked: RankedRows
    threshold: float
    metrics: Mapping[str, Estimate]
    style: dict[str, Any]
    recall: float
    false_rate: float
    precision: float

    def worded(self, metric: str) -> str:
        """Value and 95 % interval of a metric."""
        figure = self.metrics[metric]
        return f"{figure.value:.3f} {bracket(figure, '{:.3f}'.format)}"


def draw_figures(scores: pd.DataFrame, metrics: Metrics, about: About) -> dict[str, bytes]:
    """Draw ROC, precision-recall, calibration and score histograms of the test rows.

    Args:
        scores: as `evaluate` takes them; only rows of the part "test" are drawn.
        metrics: as `evaluate` returns them for these scores.
        about: the caution that stands on every picture.

    Returns:
        PNG files by name: `roc.png`, `precision_recall.png`, `calibration.png`, `score_histogram.png`, all of one size.
        Equal arguments give equal bytes.
    """
    test = scores[scores["part"] == "test"]
    rows, positives = metrics.rows["test"].rows, metrics.rows["test"].positives
    sample = f"{rows:,} test rows, {_percent(positives / rows)} positive"
    subtitle = f"{sample}; 95 % intervals from {metrics.resamples:,} bootstrap resamples"
    rule = _RULES[metrics.threshold_rule]
    # The torch part alone stands in the tables; as one more curve it would hide the others.
    names = ["model", *(name for name in metrics.test if name not in OWN)]
    styles = chain([_MODEL_STYLE], cycle(_BASELINE_STYLES))
    shown = [_show(name, test, metrics, style) for name, style in zip(names, styles, strict=False)]
    return {
        "roc.png": _draw_roc(shown, subtitle, about.caution, rule),
        "precision_recall.png": _draw_precision_recall(shown, subtitle, about.caution, rule),
        "calibration.png": _draw_calibration(shown, sample, about.caution),
        "score_histogram.png": _draw_histograms(shown, subtitle, about.caution),
    }


def _show(name: str, test: pd.DataFrame, metrics: Metrics, style: dict[str, Any]) -> _Shown:
    ranked, threshold = rank_rows(test, name), metrics.thresholds[name]
    called = np.count_nonzero(ranked.scores >= threshold)
    positives, found = ranked.labels.sum(), ranked.labels[:called].sum()
    return _Shown(
        name=_NAMES.get(name, name.replace("_", " ").capitalize()),
        ranked=ranked,
        threshold=threshold,
        metrics=metrics.test[name],
        style=style,
        recall=float(found / positives),
        false_rate=float((called - found) / (len(ranked.labels) - positives)),
        precision=float(found / max(called, 1)),
    )


def _draw_roc(shown: list[_Shown], subtitle: str, caution: str, rule: str) -> bytes:
    model, *baselines = shown
    title = f"{model.name} AUC {model.metrics['auc'].value:.3f}"
    if baselines:
        best = max(baselines, key=lambda baseline: baseline.metrics["auc"].value)
        title += f"; best baseline {best.metrics['auc'].value:.3f} ({best.name.lower()})"
    page = new_page(title, subtitle, caution)
    axes = _add_curve_axes(page, "False positive rate", "True positive rate", rule)
    for each in shown:
        true, false = rates(each.ranked)
        outcome = f"{_percent(each.recall)} found, {_percent(each.false_rate)} false alarms"
        label = f"{each.name}\n{each.worded('auc')}\nfrom {each.threshold:.3f}: {outcome}"
        axes.plot(np.append(0, false), np.append(0, true), label=label, clip_on=False, **each.style)
        _mark(axes, each.false_rate, each.recall, each)
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=1.2, zorder=2, label="No skill\n0.500")
    _add_legend(page, axes, "Area under the curve (AUC)")
    return as_png(page)


def _draw_precision_recall(shown: list[_Shown], subtitle: str, caution: str, rule: str) -> bytes:
    model = shown[0]
    outcome = f"finds {_percent(model.recall)} of positives; {_percent(model.precision)} of its flags are right"
    page = new_page(f"{model.name} {outcome}", subtitle, caution)
    axes = _add_curve_axes(page, "Recall", "Precision", rule)
    base_rate = float(model.ranked.labels.mean())
    for each in shown:
        recall, false_rate = rates(each.ranked)
        precision = recall * base_rate / (recall * base_rate + false_rate * (1 - base_rate))
        label = f"{each.name}\n{each.worded('average_precision')}\nfrom {each.threshold:.3f}: F1 {each.worded('f1')}"
        # The area under these steps is the average precision; straight lines between the points would flatter it.
        steps = {"drawstyle": "steps-pre", "label": label, "clip_on": False, **each.style}
        axes.plot(np.append(0, recall), np.append(precision[0], precision), **steps)
        _mark(axes, each.recall, each.precision, each)
    axes.axhline(base_rate, color=RULE, linewidth=1.2, zorder=2, label=f"No skill\n{base_rate:.3f}")
    _add_legend(page, axes, "Average precision")
    return as_png(page)


def _draw_calibration(shown: list[_Shown], sample: str, caution: str) -> bytes:
    error = 100 * shown[0].metrics["ece"].value
    title = f"{shown[0].name} probabilities are off by {error:.1f} percentage points on average"
    subtitle = f"{sample}; bars and brackets: 95 % intervals; diagonal: perfect calibration"
    page = new_page(title, subtitle, caution)
    bins = [bin_rows(each.ranked) for each in shown]
    limit = _round_up(max(max(predicted.max(), high.max()) for predicted, _, _, high, _ in bins))
    panels = _add_panels(page, shown, "Predicted probability", "Observed rate")
    for each, axes, (predicted, observed, low, high, counts) in zip(shown, panels, bins, strict=True):
        color, large = each.style["color"], each is shown[0]
        axes.plot([0, limit], [0, limit], color=RULE, linewidth=1.2, zorder=2)
        axes.vlines(predicted, low, high, color=color, linewidth=1.6 if large else 1.1, alpha=0.7, zorder=3)
        dots: dict[str, Any] = {"marker": "o", "markersize": 6 if large else 3.5, "clip_on": False}
        axes.plot(predicted, observed, color=color, linewidth=1.4, zorder=4, **dots)
        axes.set(xlim=(0, limit), ylim=(0, limit), aspect="equal", anchor="W")
        fewest, most = int(counts.min()), int(counts.max())
        size = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
        count = "1 bin" if len(counts) == 1 else f"{len(counts)} bins"
        _head(axes, each, f"error {each.worded('ece')}; {count} of {size} rows")
    return as_png(page)


def _draw_histograms(shown: list[_Shown], subtitle: str, caution: str) -> bytes:
    from matplotlib.ticker import MaxNLocator

    model = shown[0]
    outcome = f"flags {_percent(model.recall)} of positives and {_percent(model.false_rate)} of negatives"
    page = new_page(f"{model.name} {outcome}", subtitle, caution)
    limit = _round_up(max(max(each.ranked.scores[0], each.threshold) for each in shown))
    edges = np.linspace(0, limit, _HISTOGRAM_BINS + 1)
    panels = _add_panels(page, shown, "Score", "Share of the class")
    shares = [_share_by_class(each.ranked, edges) for each in shown]
    # The legend stands in the space above the highest bar.
    top = 1.16 * max(share.max() for pair in shares for share in pair)
    for each, axes, (negatives, positives) in zip(shown, panels, shares, strict=True):
        positive_rows = int(each.ranked.labels.sum())
        negative_rows = len(each.ranked.labels) - positive_rows
        axes.stairs(negatives, edges, fill=True, color=PALE, zorder=2, label=f"Negatives ({negative_rows:,})")
        looks = {"color": each.style["color"], "linewidth": 2.0 if each is model else 1.5, "zorder": 3}
        axes.stairs(positives, edges, label=f"Positives ({positive_rows:,})", **looks)
        axes.axvline(each.threshold, color=INK, linestyle=(0, (4, 2)), linewidth=1.2, zorder=4, label="Threshold")
        axes.set(xlim=(0, limit), ylim=(0, top))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
        _head(axes, each, f"threshold {each.threshold:.3f}; F1 {each.worded('f1')}")
    panels[0].legend(
        loc="upper center",
        ncols=3,
        columnspacing=1.4,
        handlelength=1.6,
        framealpha=1,
        edgecolor="none",
        labelcolor=INK,
        prop={"family": FONT, "size": 9},
    )
    return as_png(page)


def _add_curve_axes(page: Figure, across: str, up: str, rule: str) -> Axes:
    axes = add_axes(page, _MAIN, across, up)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    note = f"Dots: at each model's threshold ({rule} on the validation rows)"
    axes.annotate(note, (0, 1), (0, 8), xycoords="axes fraction", textcoords="offset points", **small_print())
    return axes


def _add_panels(page: Figure, shown: list[_Shown], across: str, up: str) -> list[Axes]:
    """Add a large panel for the model and small ones, one below the other, for its baselines."""
    panels = [add_axes(page, _MAIN, across, up)]
    left, bottom, width, height = _SIDE
    baselines = len(shown) - 1
    tall = (height + _SIDE_GAP) / max(baselines, 1) - _SIDE_GAP
    for position in range(baselines):
        floor = bottom + (baselines - 1 - position) * (tall + _SIDE_GAP)
        lowest = position == baselines - 1
        panels.append(add_axes(page, (left, floor, width, tall), across if lowest else "", "", size=9))
    return panels


def _head(axes: Axes, each: _Shown, text: str) -> None:
    color = BLUE if each.style["color"] == BLUE else INK
    name = {"fontsize": 10.5, "fontweight": "bold", "color": color, "family": FONT}
    for line, height, looks in ((each.name, 22, name), (text, 8, small_print())):
        axes.annotate(line, (0, 1), (0, height), xycoords="axes fraction", textcoords="offset points", **looks)


def _add_legend(page: Figure, axes: Axes, title: str) -> None:
    """Put the legend beside the axes, where it covers no curve."""
    legend = page.legend(
        *axes.get_legend_handles_labels(),
        title=title,
        loc="upper left",
        bbox_to_anchor=(_MAIN[0] + _MAIN[2] + 0.025, _MAIN[1] + _MAIN[3]),
        borderaxespad=0,
        borderpad=0,
        frameon=False,
        alignment="left",
        labelspacing=1.3,
        handlelength=2.6,
        labelcolor=INK,
        prop={"family": FONT, "size": 10},
        title_fontproperties={"family": FONT, "size": 11, "weight": "bold"},
    )
    legend.get_title().set_color(INK)
    legend.get_texts()[0].set_color(BLUE)
    for text in legend.get_texts():
        text.set_linespacing(1.35)


def _mark(axes: Axes, across: float, up: float, each: _Shown) -> None:
    looks = {"color": each.style["color"], "markeredgecolor": "white", "zorder": each.style["zorder"] + 2}
    axes.plot(across, up, marker="o", markersize=9, clip_on=False, **looks)


def _share_by_class(ranked: RankedRows, edges: np.ndarray) -> list[np.ndarray]:
    classes = [ranked.scores[ranked.labels == label] for label in (0, 1)]
    return [np.histogram(scores, bins=edges)[0] / len(scores) for scores in classes]


def _round_up(highest: float) -> float:
    """The end of an axis that starts at 0 and holds `highest`, a probability."""
    ends = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    return next((end for end in ends if end >= highest), 1.0)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if 0 < share < 0.1 else f"{100 * share:.0f} %"
