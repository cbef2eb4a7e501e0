"""Contents of the sections on costs, slices, explanation and drift, for their templates."""

from __future__ import annotations

from typing import Any

from lepton_pipeline.evaluation.explanation import Effect
from lepton_pipeline.reporting.pictures.curves import draw_cost, effect_chart
from lepton_pipeline.reporting.pictures.explanation import drawn_points, importance_span
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.reporting.report.evidence import Evidence

_SLICE_METRICS = ("auc", "base_rate", "selection_rate", "recall", "false_positive_rate")
_BARS = 15
_MOST_DRIFT, _LEAST_DRIFT = 20, 5
# Value of a full bar.
_FULL_PSI = 0.5


def describe_costs(evidence: Evidence) -> dict[str, Any]:
    """Costs of the decisions, if declared, and effects of other thresholds."""
    costs = evidence.costs
    if costs is None:
        return {"absent": "What other thresholds would do was not computed in this run."}
    return {
        **vars(costs),
        "savings": [
            {"name": name, "cost": cost, "saving": costs.saving.get(name)}
            for name, cost in costs.policies.items()
        ],
        "picture": draw_cost(costs.curve, costs.threshold) if costs.curve.threshold else "",
        "banded": costs.curve.band is not None,
    }


def describe_slices(evidence: Evidence) -> dict[str, Any]:
    """Metrics by slice, and significant gaps."""
    if evidence.slices is None:
        return {"absent": "No groups of cases were measured apart in this run."}
    slices = evidence.slices.slices
    if not slices:
        return {
            "absent": "No groups of cases were measured apart: no slices (evaluation.slices) and no sensitive columns "
            "(dataset.sensitive) are declared."
        }
    columns = list(dict.fromkeys(each.column for each in slices))
    return {
        "metrics": _SLICE_METRICS,
        "gaps": flagged_gaps(evidence),
        "columns": [
            {
                "name": column,
                "sensitive": any(each.sensitive for each in slices if each.column == column),
                "slices": [each for each in slices if each.column == column],
            }
            for column in columns
        ],
    }


def flagged_gaps(evidence: Evidence) -> list[dict[str, Any]]:
    """Significant gaps by metric, the widest first.

    Each has `column`, `value` and `sensitive` of the slice, `metric` (its key), `figure` (the metric of the
    slice, or None) and `gap` (to all other rows).
    """
    found = [
        {
            "column": each.column,
            "value": each.value,
            "sensitive": each.sensitive,
            "metric": metric,
            "figure": each.metrics.get(metric),
            "gap": gap,
        }
        for each in (evidence.slices.slices if evidence.slices else ())
        for metric, gap in each.gaps.items()
        if gap.flagged
    ]
    order = list(formats.METRICS)
    return sorted(found, key=lambda each: (order.index(each["metric"]), -abs(each["gap"].value)))


def describe_explanation(evidence: Evidence) -> dict[str, Any]:
    """Importance and effects of columns, and example cases."""
    explanation = evidence.explanation
    if explanation is None:
        return {"absent": "The model was not explained in this run."}
    importance = explanation.importance
    lowest, longest = importance_span(importance[:_BARS])
    return {
        **vars(explanation),
        "importance": importance[:_BARS],
        "further": importance[_BARS:],
        "lowest": lowest,
        "longest": longest,
        "effects": [_describe_effect(effect) for effect in explanation.effects],
    }


def describe_drift(evidence: Evidence) -> dict[str, Any]:
    """Drift between training and test rows."""
    drift = evidence.drift
    if drift is None:
        return {"absent": "Test and training rows were not compared in this run."}
    ranked = sorted(drift.columns, key=lambda each: (not each.flagged, -each.psi))
    flagged = [each for each in ranked if each.flagged]
    # Some others for comparison.
    shown = ranked[: max(min(len(flagged) + 3, _MOST_DRIFT), _LEAST_DRIFT)]
    return {
        **vars(drift),
        "flagged": flagged,
        "shown": shown,
        "further": ranked[len(shown) :],
        "full": _FULL_PSI,
    }


def _describe_effect(effect: Effect) -> dict[str, Any]:
    points, drawn = effect.points, drawn_points(effect)
    return {
        "column": effect.column,
        "picture": effect_chart(drawn).inline() if drawn else "",
        # Values that the curve does not show.
        "points": [point for point in points if point not in drawn],
        "highest": max((point.high for point in points), default=0) or 1.0,
    }
