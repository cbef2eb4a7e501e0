"""What report and card show of a model that tells several classes apart."""

from __future__ import annotations

from typing import cast

import numpy as np

from lepton_pipeline.data.labels import OUTSIDE
from lepton_pipeline.evaluation.explanation import Example
from lepton_pipeline.reporting.pictures.classes import (
    draw_classes,
    draw_confusion,
    draw_coverage,
    draw_reliability,
    summarise_classes,
    worst_pairs,
)
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.reporting.report.decisions import saved
from lepton_pipeline.reporting.report.evidence import Context, Evidence
from lepton_pipeline.statistics.class_measures import confusion, per_class, rank_classes
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.tasks.multiclass import Multiclass

_SCOPE = {
    "accuracy": ("Accuracy in scope", "rows in scope whose likeliest class is right, handed over or not"),
    "answered": ("Decided on", "rows in scope that are not handed over"),
    "right": ("Right of these", "of them, rows with the right class"),
    "caught": ("Recall out of scope", "rows out of scope that are handed over"),
    "strangers": ("Precision out of scope", "rows handed over that are out of scope"),
    "auc": ("AUC", "how well the probability ranks rows in scope above others"),
}
SLICED = ("accuracy", "log_loss", "macro_f1")
# Of more classes the most frequent ones are listed, or the table is folded.
_MOST_LISTED, _MOST_OPEN = 20, 30


def describe_target(evidence: Evidence) -> Context:
    """Rows of each class in each part, the classes in their order, or the most frequent ones of many."""
    names, parts = evidence.task.score_names, evidence.labels()
    counts = np.stack([np.bincount(part.astype(np.intp), minlength=len(names)) for part in parts.values()])
    totals = counts.sum(axis=0)
    listed = list(range(len(names)))
    if len(names) > _MOST_LISTED:
        listed = np.argsort(-totals, kind="stable")[: _MOST_LISTED - 1].tolist()
    rows = [(names[at], _cells(counts[:, at], counts)) for at in listed]
    if rest := len(names) - len(listed):
        rows.append(
            (f"({rest:,} others)", _cells(counts.sum(axis=1) - counts[:, listed].sum(axis=1), counts))
        )
    rows.append(("All", _cells(counts.sum(axis=1), counts)))
    most, classes = int(totals.argmax()), f"{formats.count(len(names))} classes"
    often = f'"{names[most]}" is the most frequent, with {formats.percent(totals[most] / totals.sum())} of the rows'
    return {
        "target": f"the target has {classes}, of which {often}",
        "briefly": classes,
        "heads": {"Class": "", **dict.fromkeys(parts, "n"), "Share": "n"},
        "rows": rows,
    }


def _cells(counts: np.ndarray, everything: np.ndarray) -> list[str]:
    return [*map(formats.count, counts), formats.percent(counts.sum() / max(everything.sum(), 1))]


def describe_quality(evidence: Evidence) -> Context:
    """Confusions, figures of each class, and reliability."""
    names = evidence.task.score_names
    labels, probabilities = _test_rows(evidence)
    rows = rank_classes(probabilities, labels)
    counts = confusion(labels, rows.decided, len(names))
    each = per_class(rows)
    confidence, right = probabilities.max(axis=1), rows.decided == labels
    figures = zip(names, each.rows, each.precision, each.recall, each.f1, strict=True)
    return {
        "pictures": {
            "confusion": draw_confusion(counts, names).inline(),
            "classes": draw_classes(counts, names).inline(),
            "reliability": draw_reliability(confidence, right).inline(),
        },
        "pairs": worst_pairs(counts, names),
        "classes": list(figures),
        "folded": len(names) > _MOST_OPEN,
        "others": summarise_classes(counts, names),
        "right": 1000 * float(right.mean()),
        "confidence": float(confidence.mean()),
        "most": names[int(counts.sum(axis=1).argmax())],
        "chance": 1000 * float(counts.sum(axis=1).max() / counts.sum()),
    }


def describe_sample(evidence: Evidence) -> str:
    """Test rows and classes."""
    rows = formats.count(evidence.metrics.rows["test"].rows)
    return f"{rows} test rows of {formats.count(len(evidence.task.score_names))} classes"


def summarise(evidence: Evidence) -> str:
    """How often the likeliest class is right."""
    shown = describe_quality(evidence)
    right, chance = formats.count(shown["right"]), formats.count(shown["chance"])
    rival = f'"{shown["most"]}" would be right for {chance}'
    return f"Of 1,000 cases, the likeliest class is right for {right}; always {rival}."


def describe_decisions(evidence: Evidence) -> str:
    """How often cases are handed over, and how often the others are decided rightly."""
    if evidence.scope.outside:
        return (
            "The model decides on the class of least expected cost, and hands cases over whose likeliest class has a "
            f"probability below {formats.decimals(evidence.scope.threshold)}. Rows out of scope are among the cases."
        )
    labels, probabilities = _test_rows(evidence)
    decided = cast(Multiclass, evidence.task).decide(probabilities)
    taken = decided >= 0
    right = formats.percent(float((decided == labels)[taken].mean())) if taken.any() else ""
    by_costs = "The model decides on the class of least expected cost"
    if taken.all():
        return f"{by_costs}, which is the right one in {right} of the test cases."
    handed = f"and hands {formats.percent(float(1 - taken.mean()))} of the test cases over, where that cost is higher"
    return f"{by_costs}, {handed}. " + (f"In {right} of the others it decides rightly." if right else "")


def describe_scope(evidence: Evidence) -> Context:
    """When rows are handed over, and how well that tells rows in scope from others."""
    scope, figures = evidence.scope, evidence.scope.figures
    return {
        "figures": [(name, says, figures[key]) for key, (name, says) in _SCOPE.items() if key in figures],
        "chosen_by": int((evidence.split["part"] == OUTSIDE["validation"]).sum()),
        "among": scope.outside / (scope.inside + scope.outside),
        "picture": draw_coverage(scope.curve, figures["answered"].value).inline(),
    }


def describe_case(case: Example) -> tuple[str, str]:
    """The likeliest class and its probability."""
    share = formats.percent(float(case.prediction["probability"]))
    return str(case.prediction["decision"]), f", {share}: {case.case}"


def tiles(evidence: Evidence) -> list[tuple[str, str, str]]:
    """Label, value and note of the headline figures, with what a model without columns would reach."""
    labels, _ = _test_rows(evidence)
    shares = np.bincount(labels) / len(labels)
    present = shares[shares > 0]
    without = {
        "log_loss": f"; class shares alone {formats.decimals(-float((present * np.log(present)).sum()))}",
        "accuracy": f"; most frequent class {formats.decimals(float(shares.max()))}",
    }
    shown = (
        (metric, evidence.metrics.model[metric]) for metric in ("log_loss", "macro_f1", "accuracy", "ece")
    )
    titled = [
        (
            formats.metric_name(metric),
            formats.metric(metric, figure.value),
            formats.interval(metric, figure) + without.get(metric, ""),
        )
        for metric, figure in shown
    ]
    return [*titled, *saved(evidence)]


def _test_rows(evidence: Evidence) -> tuple[np.ndarray, Floats]:
    """Places of the classes, [rows], and the model's probabilities, [rows, classes]."""
    return evidence.test["label"].to_numpy().astype(np.intp), evidence.task.scores(evidence.test, "model")
