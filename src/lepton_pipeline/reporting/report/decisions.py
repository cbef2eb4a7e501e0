"""What report and card show of a model that decides whether to act."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.explanation import Example
from lepton_pipeline.reporting.pictures.quality import draw_quality, drawn_models, lift
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.reporting.report.evidence import Context, Evidence
from lepton_pipeline.statistics.measures import rank

# Of a slider, beside that of the model.
_THRESHOLDS = 101
SLICED = ("auc", "base_rate", "selection_rate", "recall", "false_positive_rate")


def describe_target(evidence: Evidence) -> Context:
    """Positive rows of the table and of each part."""
    share = formats.percent(evidence.ingestion_record.base_rate)
    return {
        "target": f"{share} of the rows are positive",
        "briefly": f"{share} positive",
        "heads": {"Part": "", "Rows": "n", "Positive": "n", "Base rate": "n"},
        "rows": [
            (title, [formats.count(len(labels)), formats.count(labels.sum()), formats.percent(labels.mean())])
            for title, labels in evidence.labels().items()
        ],
    }


def describe_quality(evidence: Evidence) -> Context:
    """Curves of model and baselines, its lift, and the outcomes of its decisions."""
    ranked = rank(*(evidence.test[name].to_numpy(float) for name in ("model", "label")))
    return {
        "pictures": draw_quality(evidence.scores, evidence.metrics),
        "drawn": drawn_models(evidence.metrics),
        "lift": formats.decimals(lift(ranked), 1),
        **outcomes_by_threshold(evidence.scores, evidence.metrics.cut),
        "outcomes": count_outcomes(evidence.scores, evidence.metrics.cut),
    }


def describe_sample(evidence: Evidence) -> str:
    """Test rows, and positive ones."""
    test = evidence.metrics.rows["test"]
    return f"{formats.count(test.rows)} test rows, {formats.count(test.positives or 0)} positive"


def summarise(evidence: Evidence) -> str:
    """What the model does in 1,000 cases."""
    outcomes = count_outcomes(evidence.scores, evidence.metrics.cut)
    found, missed, alarms = (outcomes[name] for name in ("found", "missed", "false_alarms"))
    acted, hits, positive = map(formats.count, (found + alarms, found, found + missed))
    return f"Of 1,000 cases, the model acts on {acted}: it finds {hits} of {positive} positive ones."


def describe_case(case: Example) -> tuple[str, str]:
    """Probability and decision."""
    prediction = case.prediction
    acted = "acted on" if prediction["decision"] else "not acted on"
    return formats.percent(float(prediction["probability"])), f", {acted}"


def count_outcomes(scores: pd.DataFrame, threshold: float) -> dict[str, float]:
    """The confusion matrix of the test rows, by their weights, per 1,000 cases; recall and precision as shares.

    Keys: `found`, `missed`, `false_alarms`, `left_alone`, `recall`, `precision`.
    """
    test = scores[scores["part"] == "test"]
    positive, acted = test["label"].to_numpy() == 1, test["model"].to_numpy() >= threshold
    weights = test["weight"].to_numpy(np.float64) if "weight" in test else np.ones(len(test))
    cases = (positive & acted, positive & ~acted, ~positive & acted)
    found, missed, alarms = (float(weights[case].sum()) for case in cases)
    each = 1000 / float(weights.sum())
    return {
        "found": found * each,
        "missed": missed * each,
        "false_alarms": alarms * each,
        "left_alone": (float(weights.sum()) - found - missed - alarms) * each,
        "recall": found / (found + missed),
        "precision": found / (found + alarms or 1.0),
    }


def outcomes_by_threshold(scores: pd.DataFrame, own: float) -> Context:
    """The confusion matrix at some hundred thresholds, quantiles of the test rows' probabilities, and at the `own`.

    Returns `thresholds`, a list of threshold, found, missed, false alarms and left alone per 1,000 cases, and the
    place of the `own` one in it.
    """
    test = scores.loc[scores["part"] == "test", "model"].to_numpy(np.float64)
    quantiles = np.quantile(test, np.linspace(0, 1, _THRESHOLDS), method="nearest")
    thresholds = sorted({*quantiles.tolist(), own})
    cells = ("found", "missed", "false_alarms", "left_alone")
    rows = []
    for threshold in thresholds:
        outcomes = count_outcomes(scores, threshold)
        rows.append([round(threshold, 4), *(round(outcomes[name], 1) for name in cells)])
    return {"thresholds": rows, "own": thresholds.index(own)}


def tiles(evidence: Evidence) -> list[tuple[str, str, str]]:
    """Label, value and note of the headline figures."""
    auc = evidence.metrics.model["auc"]
    outcomes = count_outcomes(evidence.scores, evidence.metrics.cut)
    recall, precision = (formats.percent(outcomes[name], 0) for name in ("recall", "precision"))
    found, missed, false_alarms = (outcomes[name] for name in ("found", "missed", "false_alarms"))
    hits, positive, alarms = map(formats.count, (found, found + missed, found + false_alarms))
    shown = [
        ("AUC", formats.metric("auc", auc.value), f"{formats.interval('auc', auc)}; chance 0.5"),
        ("Recall", recall, f"{hits} of {positive} positive cases in 1,000"),
        ("Precision", precision, f"{hits} of {alarms} alarms in 1,000 cases"),
    ]
    return [*shown, *saved(evidence)]


def saved(evidence: Evidence) -> list[tuple[str, str, str]]:
    """The tile of what the model saves, where costs are declared."""
    if not evidence.costs or not (saving := evidence.costs.saving):
        return []
    # The alternative is to decide without a model.
    simple = {name: saving[name] for name in ("all", "none") if name in saving} or saving
    name, figure = min(simple.items(), key=lambda item: item[1].value)
    unit = evidence.costs.unit
    note = f"{formats.amounts(figure, unit)}; against: {formats.policy_name(name).lower()}"
    return [("Saved per 1,000 cases", formats.amount(figure.value, unit), note)]
