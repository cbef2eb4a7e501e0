"""Curves of the model and its baselines on the test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, cycle

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.interval_text import bracket
from lepton_pipeline.evaluation.metrics import OWN
from lepton_pipeline.evaluation.resampling import LEVEL
from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pictures.page import EDGE, legend, picture
from lepton_pipeline.reporting.pictures.svg import SERIES, Axis, Chart
from lepton_pipeline.reporting.report.formats import model_name
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.statistics.intervals import normal_deviate, wilson
from lepton_pipeline.statistics.measures import RankedRows, rank

_RULES = {"cost": "least cost", "f1": "best F1"}
_BINS, _CURVE_POINTS = 30, 500
_CHART, _LEGEND = 500, 590


@dataclass(frozen=True)
class _Shown:
    """One model as drawn, with its rates at its threshold."""

    name: str
    look: str
    ranked: RankedRows
    threshold: float
    metrics: Mapping[str, Estimate]
    recall: float
    false_rate: float
    precision: float

    def worded(self, metric: str) -> str:
        """Value and 95 % interval of a metric."""
        figure = self.metrics[metric]
        return f"{figure.value:.3f} {bracket(figure, '{:.3f}'.format)}"


def draw_decision_figures(scores: pd.DataFrame, metrics: Metrics, about: About) -> dict[str, bytes]:
    """Draw the curves of the test rows with headline and legend; equal arguments give equal bytes.

    Returns `roc.svg`, `precision_recall.svg`, `gain.svg`, `calibration.svg` and `score_histogram.svg`.
    """
    shown = _shown(scores, metrics)
    model, baselines, rule = shown[0], shown[1:], _RULES[metrics.threshold_rule]
    rows, positives = metrics.rows["test"].rows, metrics.rows["test"].positives or 0
    sample = f"{rows:,} test rows, {_percent(positives / rows)} positive; 95 % intervals in brackets"
    dots = f"{sample}; dots: threshold of each model ({rule} on the validation rows)"
    title = f"{model.name}: AUC {model.metrics['auc'].value:.3f}"
    if baselines:
        best = max(baselines, key=lambda each: each.metrics["auc"].value)
        title += f"; best baseline {best.metrics['auc'].value:.3f} ({best.name.lower()})"
    rates_found = f"recall {_percent(model.recall)}, precision {_percent(model.precision)}"
    titles = {
        "roc": (title, dots),
        "precision_recall": (f"{model.name}: {rates_found}", dots),
        "gain": (
            f"{model.name}: lift {lift(model.ranked):.1f} in the tenth with the highest probabilities",
            dots,
        ),
        "calibration": (
            f"{model.name}: calibration error {model.metrics['ece'].value:.3f}",
            f"{sample}; bars: 95 % intervals of the rate; diagonal: perfect calibration",
        ),
        "score_histogram": (
            f"{model.name}: recall {_percent(model.recall)}, false positive rate {_percent(model.false_rate)}",
            f"{sample}; dashed: threshold {model.threshold:.3f} ({rule} on the validation rows)",
        ),
    }
    files = {}
    for name, chart in _charts(shown).items():
        parts = [chart.placed(EDGE, 0, _CHART), *legend(_legend(name, shown), _LEGEND, 50)]
        height = chart.height * _CHART / chart.width
        files[f"{name}.svg"] = picture(*titles[name], about.caution, height, parts)
    return files


def draw_quality(scores: pd.DataFrame, metrics: Metrics) -> dict[str, str]:
    """The charts of `draw_decision_figures` as elements of a page, by name without suffix."""
    return {name: chart.inline() for name, chart in _charts(_shown(scores, metrics)).items()}


def drawn_models(metrics: Metrics) -> list[tuple[str, str]]:
    """Drawn models with the class of their lines, without the network alone, which would hide the others."""
    names = ["model", *(name for name in metrics.test if name not in OWN)]
    return list(zip(names, chain(SERIES[:1], cycle(SERIES[1:])), strict=False))


def calibration_chart(
    lines: Sequence[tuple[str, RankedRows]],
    across: str = "Predicted probability",
    up: str = "Observed rate",
) -> Chart:
    """Rates by predicted probability in bins of equal mass, a line for each class of `chart.css`.

    The first line, in front, has the 95 % intervals of its rates.
    """
    bins = [_bins(ranked) for _, ranked in lines]
    highest = max(max(predicted.max(), observed.max()) for predicted, observed, _ in bins)
    limit = min(1.0, 1.04 * highest) or 0.01
    chart = _square(across, up, limit)
    chart.line((0, limit), (0, limit), "chance")
    for place, (look, _) in reversed(list(enumerate(lines))):
        predicted, observed, counts = bins[place]
        if place == 0:
            ends = [wilson(*of, normal_deviate(LEVEL)) for of in zip(observed, counts, strict=True)]
            chart.intervals(predicted, [end.low for end in ends], [end.high for end in ends])
        chart.line(predicted, observed, look)
        chart.dots(predicted, observed, look, 4 if place == 0 else 2.4)
    return chart


def as_percent(share: float) -> str:
    """A share as a tick label."""
    return f"{100 * share:.4g} %"


def _shown(scores: pd.DataFrame, metrics: Metrics) -> list[_Shown]:
    test = scores[scores["part"] == "test"]
    shown = []
    for name, look in drawn_models(metrics):
        ranked, threshold = (
            rank(test[name].to_numpy(float), test["label"].to_numpy(float)),
            metrics.thresholds[name] or 0.0,
        )
        called = np.count_nonzero(ranked.scores >= threshold)
        positives, found = ranked.labels.sum(), ranked.labels[:called].sum()
        false_rate = (called - found) / (len(ranked.labels) - positives)
        rates_found = found / positives, false_rate, found / max(called, 1)
        shown.append(_Shown(model_name(name), look, ranked, threshold, metrics.test[name], *rates_found))
    return shown


def _charts(shown: list[_Shown]) -> dict[str, Chart]:
    return {
        "roc": _roc(shown),
        "precision_recall": _precision_recall(shown),
        "gain": _gain(shown),
        "calibration": calibration_chart([(each.look, each.ranked) for each in shown]),
        "score_histogram": _histogram(shown[0]),
    }


def _roc(shown: list[_Shown]) -> Chart:
    chart = _square("False positive rate", "True positive rate (recall)")
    chart.line((0, 1), (0, 1), "chance")
    for each in reversed(shown):
        true, false = _rates(each.ranked)
        chart.line(np.append(0, false), np.append(0, true), each.look)
    for each in reversed(shown):
        chart.dots([each.false_rate], [each.recall], f"{each.look} mark", 5)
    return chart


def _precision_recall(shown: list[_Shown]) -> Chart:
    base_rate = float(shown[0].ranked.labels.mean())
    chart = _square("Recall", "Precision")
    chart.level(base_rate, "chance")
    for each in reversed(shown):
        recall, false_rate = _rates(each.ranked)
        precision = recall * base_rate / (recall * base_rate + false_rate * (1 - base_rate))
        # The area under steps is the average precision; that under straight lines would be larger.
        chart.line(np.append(0, recall), np.append(precision[0], precision), each.look, steps=True)
    for each in reversed(shown):
        chart.dots([each.recall], [each.precision], f"{each.look} mark", 5)
    return chart


def _gain(shown: list[_Shown]) -> Chart:
    chart = _square("Share of cases acted on", "Recall: share of positive cases found")
    chart.line((0, 1), (0, 1), "chance")
    for each in reversed(shown):
        chart.line(*_gains(each.ranked), each.look)
    base_rate = float(shown[0].ranked.labels.mean())
    for each in reversed(shown):
        acted = each.recall * base_rate + each.false_rate * (1 - base_rate)
        chart.dots([acted], [each.recall], f"{each.look} mark", 5)
    return chart


def lift(ranked: RankedRows, share: float = 0.1) -> float:
    """How many times as many positive cases a share of the likeliest ones holds as a share drawn at random."""
    return float(np.interp(share, *_gains(ranked))) / share


def _gains(ranked: RankedRows) -> tuple[np.ndarray, np.ndarray]:
    """Shares of all cases, the likeliest first, and of the positive ones among them, both from 0."""
    true, false = _rates(ranked)
    base_rate = float(ranked.labels.mean())
    return np.append(0, true * base_rate + false * (1 - base_rate)), np.append(0, true)


def _rates(ranked: RankedRows) -> tuple[np.ndarray, np.ndarray]:
    """True and false positive rate at the end of each tie, thinned."""
    ends = np.flatnonzero(np.append(ranked.scores[1:] != ranked.scores[:-1], True))
    if len(ends) > _CURVE_POINTS:
        ends = ends[np.linspace(0, len(ends) - 1, _CURVE_POINTS).round().astype(int)]
    found = np.cumsum(ranked.labels)
    true = found[ends]
    return true / found[-1], (ends + 1 - true) / (len(ranked.labels) - found[-1])


def _bins(ranked: RankedRows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean score, observed rate and rows of each calibration bin."""
    counts = np.diff(np.append(ranked.bin_starts, len(ranked.labels)))
    predicted = np.add.reduceat(ranked.scores, ranked.bin_starts) / counts
    return predicted, np.add.reduceat(ranked.labels, ranked.bin_starts) / counts, counts


def _histogram(model: _Shown) -> Chart:
    limit = max(model.ranked.scores[0], model.threshold, 0.01)
    edges = np.linspace(0, limit, _BINS + 1)
    negatives, positives = (
        np.histogram(scores := model.ranked.scores[model.ranked.labels == label], edges)[0] / len(scores)
        for label in (0, 1)
    )
    highest = 1.05 * max(negatives.max(), positives.max())
    up = Axis(0, highest, "Share of the class", written=as_percent)
    chart = Chart(Axis(0, limit, "Predicted probability", written=as_percent), up)
    chart.steps(edges.tolist(), negatives.tolist(), "fill")
    chart.steps(edges.tolist(), positives.tolist(), SERIES[0])
    chart.upright(model.threshold, "limit")
    return chart


def _square(across: str, up: str, limit: float = 1) -> Chart:
    return Chart(Axis(0, limit, across, written=as_percent), Axis(0, limit, up, written=as_percent))


def _legend(name: str, shown: list[_Shown]) -> list[tuple[str, list[str]]]:
    if name == "score_histogram":
        labels = shown[0].ranked.labels
        positives = int(labels.sum())
        return [
            ("fill", [f"Negatives ({len(labels) - positives:,})"]),
            (SERIES[0], [f"Positives ({positives:,})"]),
            ("limit", ["Threshold", f"F1 {shown[0].worded('f1')}"]),
        ]
    entries = []
    for each in shown:
        rates_found = f"recall {_percent(each.recall)}, FPR {_percent(each.false_rate)}"
        cut, precision = f"from {each.threshold:.3f}", f"average precision {each.worded('average_precision')}"
        said = {
            "roc": [f"AUC {each.worded('auc')}", f"{cut}: {rates_found}"],
            "precision_recall": [precision, f"{cut}: F1 {each.worded('f1')}"],
            "gain": [
                f"lift {lift(each.ranked):.1f} in the top tenth",
                f"{cut}: recall {_percent(each.recall)}",
            ],
            "calibration": [f"calibration error {each.worded('ece')}"],
        }
        entries.append((each.look, [each.name, *said[name]]))
    chance = {
        "roc": ["No skill", "AUC 0.500"],
        "precision_recall": ["No skill", f"base rate {shown[0].ranked.labels.mean():.3f}"],
        "gain": ["No skill", "lift 1"],
        "calibration": ["Perfect calibration"],
    }
    return [*entries, ("chance", chance[name])]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if 0 < share < 0.1 else f"{100 * share:.0f} %"
