"""What report and card show of a model that predicts a number."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.explanation import Example
from lepton_pipeline.evaluation.metrics import OWN
from lepton_pipeline.reporting.pictures.errors import (
    describe_points,
    draw_coverage,
    draw_predictions,
    draw_residuals,
    worst_rows,
)
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.reporting.report.decisions import saved
from lepton_pipeline.reporting.report.evidence import Context, Evidence
from lepton_pipeline.statistics.error_measures import compare, rows_without_percentage
from lepton_pipeline.tasks.regression import Regression

SLICED = ("mae", "bias", "rmse", "coverage")
_MIDDLE = (0.05, 0.95)
_HELD_OUT = {
    "folds": "The error of each row is that of the fit that did not learn from it.",
    "refit": "Held out were the validation rows, the later ones; their errors are those of the fit on the training "
    "rows, before the model that is kept learnt from both.",
    "holdout": "Held out were the validation rows, which the model did not learn from.",
}


def describe_target(evidence: Evidence) -> Context:
    """Middle and range of the target in each part."""
    labels = evidence.labels()
    everything = pd.concat(labels.values())
    median = formats.rounded(float(everything.median()))
    low, high = (formats.rounded(float(everything.quantile(level))) for level in _MIDDLE)
    return {
        "target": f"the median of the target is {median}, and nine in ten rows have {low} to {high}",
        "briefly": f"median of the target {median}",
        "heads": {"Part": "", "Rows": "n", "Median": "n", "Middle 90 %": "n", "Range": "n"},
        "rows": [
            (title, [formats.count(len(part)), formats.rounded(float(part.median())), *_spans(part)])
            for title, part in labels.items()
        ],
    }


def _spans(labels: pd.Series) -> list[str]:
    ends = [labels.quantile(_MIDDLE[0]), labels.quantile(_MIDDLE[1]), labels.min(), labels.max()]
    low, high, least, most = (formats.rounded(float(end)) for end in ends)
    return [f"{low} to {high}", f"{least} to {most}"]


def describe_quality(evidence: Evidence) -> Context:
    """Predictions against truth, errors by prediction, coverage, and the largest errors."""
    task = _task(evidence)
    truth, predicted, low, high = _test_rows(evidence)
    level = task.coverage
    worst = worst_rows(truth, predicted, evidence.test.index.to_list())
    ends = dict(zip(map(str, evidence.test.index), zip(low, high, strict=True), strict=True))
    names = [name for name in evidence.metrics.test if name not in OWN or name == "model"]
    logs = {
        name: task.on_log_scale(truth, task.scores(evidence.test, name)) for name in evidence.metrics.test
    }
    return {
        "pictures": {
            "predictions": draw_predictions(truth, predicted, low, high).inline(),
            "residuals": draw_residuals(truth, predicted).inline(),
            "coverage": draw_coverage(truth, low, high, predicted, level).inline(),
        },
        "points": describe_points(len(truth)),
        "worst": [(row, ends[row.label]) for row in worst],
        "median": float(np.median(truth)),
        "off": float(np.median(np.abs(predicted - truth))),
        "strongest": _strongest(evidence, names[1:]),
        "level": level,
        "how": _how(evidence, task),
        "without_percentage": rows_without_percentage(compare(truth, predicted)),
        "logs": {name: figures for name, figures in logs.items() if figures},
    }


def _strongest(evidence: Evidence, baselines: list[str]) -> tuple[str, float] | None:
    """The baseline with the least mean absolute error."""
    test = evidence.metrics.test
    return min(
        ((name, test[name]["mae"].value) for name in baselines), key=lambda each: each[1], default=None
    )


def _how(evidence: Evidence, task: Regression) -> str:
    """How the intervals were made, in a sentence."""
    held_out = int((evidence.scores["part"] == "validation").sum())
    if evidence.registration.plan == "folds":
        held_out = int(evidence.split["part"].isin(["train", "validation"]).sum())
    beyond = formats.percent(task.levels[0], 1).replace(".0", "")
    ends = "a predicted quantile, moved so that" if task.quantiles else "so far from the prediction that"
    how = f"Each end is {ends} {beyond} of {formats.count(held_out)} held-out rows lie beyond it (conformal prediction)"
    return " ".join(filter(None, [f"{how}.", _HELD_OUT.get(evidence.registration.plan)]))


def describe_sample(evidence: Evidence) -> str:
    """Test rows."""
    return f"{formats.count(evidence.metrics.rows['test'].rows)} test rows"


def summarise(evidence: Evidence) -> str:
    """How far off the model is, and how often its intervals hold."""
    truth, predicted, low, high = _test_rows(evidence)
    off = formats.quantity(float(np.median(np.abs(predicted - truth))))
    inside = formats.percent(float(((low <= truth) & (truth <= high)).mean()), 0)
    return f"Half of the predictions are off by at most {off}; {inside} of the true values lie in their interval."


def describe_decisions(evidence: Evidence) -> str:
    """The quantile that is decided on."""
    costs = _task(evidence).costs
    if costs is None:
        return ""
    return (
        f"The model decides on the quantile of least expected cost: {formats.percent(costs.quantile, 0)} of the true "
        "values shall lie below it."
    )


def describe_case(case: Example) -> tuple[str, str]:
    """The prediction and its interval."""
    ends = (formats.quantity(float(case.prediction[name])) for name in ("prediction", "low", "high"))
    value, low, high = ends
    return value, f", interval {low} to {high}: {case.case}"


def tiles(evidence: Evidence) -> list[tuple[str, str, str]]:
    """Label, value and note of the headline figures, with what they are compared with."""
    model, spread = evidence.metrics.model, float(np.std(_test_rows(evidence)[0]))
    notes = {
        "rmse": f"; standard deviation of the target {formats.rounded(spread)}",
        "mae": "",
        "r2": "; 0 for the mean of the target",
        "coverage": f"; declared {formats.percent(_task(evidence).coverage, 0)}",
    }
    titled = [
        (
            formats.metric_name(metric),
            formats.metric(metric, model[metric].value, of=model[metric]),
            formats.interval(metric, model[metric]) + note,
        )
        for metric, note in notes.items()
    ]
    return [*titled, *saved(evidence)]


def _task(evidence: Evidence) -> Regression:
    return cast(Regression, evidence.task)


def _test_rows(evidence: Evidence) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Truth, prediction and the ends of its interval, [rows] each."""
    test = evidence.test
    predicted, low, high = evidence.task.scores(test, "model").T
    return test["label"].to_numpy(np.float64), predicted, low, high
