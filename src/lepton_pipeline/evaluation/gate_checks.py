"""What a model must pass before it becomes champion, check by check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from lepton_pipeline.evaluation.metrics import OWN
from lepton_pipeline.evaluation.paired import paired_differences
from lepton_pipeline.evaluation.resampling import ROW, Sample
from lepton_pipeline.parameters import Evaluation, Gate

BASELINE = "hist_gradient_boosting"
# With fewer rows an interval says next to nothing, and drawn from few groups it is too narrow.
MIN_ROWS, MIN_OF_A_CLASS, MIN_GROUPS = 50, 10, 10
# Beyond such a lead of a linear model over trees, the rows of the test are unlike those that were learnt.
_FAR_AHEAD = 0.05
_REASON_CHARACTERS, _PROBLEM_CHARACTERS = 400, 220

Check = dict[str, Any]
"""`name`, `passed`, `text` (one sentence) and, where they apply, `value`, `low`, `high`, `limit` and `rows`."""


def check_bounds(metrics: Mapping[str, Any], gate: Gate) -> list[Check]:
    """Hold the figures of the test rows to the declared bounds.

    Args:
        metrics: what `evaluate` returns.
        gate: `metric` with `at_least`, and `bounds`.
    """
    bounds: list[tuple[str, float | None, float | None]] = [(gate.metric, gate.at_least, None)]
    bounds += [(metric, bound.at_least, bound.at_most) for metric, bound in gate.bounds.items()]
    checks = []
    for metric, at_least, at_most in bounds:
        figure = metrics["test"]["model"][metric]
        for limit, least in ((at_least, True), (at_most, False)):
            if limit is not None:
                passed = figure["value"] >= limit if least else figure["value"] <= limit
                words = ("is at least" if least else "is at most") if passed else ("is below" if least else "is above")
                declared = f"{limit:g}" if passed else f"the declared {limit:g}"
                text = f"{metric} {figure['value']:.4f} {words} {declared}"
                figures = {key: figure[key] for key in ("value", "low", "high") if key in figure}
                checks.append({"name": f"bound {metric}", "passed": passed, "text": text, **figures, "limit": limit})
    return checks


def check_slices(slices: Mapping[str, Any], gate: Gate) -> list[Check]:
    """Hold every slice that is large enough to `gate.slice_at_least`.

    Args:
        slices: `slices`, each with `column`, `value`, `rows`, `small` and, by metric, `metrics`.
        gate: metric and floor.
    """
    floor, metric = gate.slice_at_least, gate.metric
    if floor is None:
        return []
    measured = slices["slices"]
    if not measured:
        text = "gate.slice_at_least is declared, but no slice was measured; name columns in evaluation.slices"
        return [{"name": "slices", "passed": False, "text": text, "limit": floor}]
    checks = []
    for each in measured:
        name = f"{each['column']}={each['value']}"
        check: Check = {"name": f"slice {name}", "passed": True, "limit": floor, "rows": each["rows"]}
        figure = each["metrics"].get(metric)
        if each["small"] or figure is None:
            check["text"] = f"slice {name} is too small to tell ({each['rows']:,} rows), so it was not checked"
        else:
            check["passed"] = figure["value"] >= floor
            words = "is at least" if check["passed"] else "is below the declared"
            check["text"] = f"{metric} {figure['value']:.4f} of slice {name} ({each['rows']:,} rows) {words} {floor:g}"
            check |= {key: figure[key] for key in ("value", "low", "high") if key in figure}
        checks.append(check)
    return checks


def check_baseline(
    scores: pd.DataFrame,
    metrics: Mapping[str, Any],
    gate: Gate,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> Check:
    """Refuse a model that may be worse than boosting by more than `gate.baseline_margin`.

    Args:
        scores: see `evaluate`.
        metrics: what it returns, for the thresholds and for the other baselines.
        gate: metric and margin.
        evaluation: resamples.
        units: as `find_units` returns them; None: rows are independent.
    """
    test = scores[scores["part"] == "test"]
    difference = paired_differences(test, "model", BASELINE, metrics["thresholds"], evaluation, units)[gate.metric]
    if "low" not in difference:
        problem = f"too few test rows to compare it with baseline {BASELINE}"
        return {"name": "baseline", "passed": False, "text": problem, **difference, "rows": len(test)}
    passed = difference["low"] >= -gate.baseline_margin
    doubt = "" if passed else f", so it may be worse by more than gate.baseline_margin {gate.baseline_margin:g}"
    text = f"{gate.metric} is {above(difference)} baseline {BASELINE} on {len(test):,} rows{doubt}"
    if not passed:
        text += _strongest(metrics, gate)
    limit = 0.0 - gate.baseline_margin
    return {"name": "baseline", "passed": passed, "text": text, **difference, "limit": limit, "rows": len(test)}


def check_champion(
    rows: pd.DataFrame,
    thresholds: dict[str, float],
    version: int,
    gate: Gate,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
    way_past: str = "",
) -> Check:
    """Promote only what is better than the champion, or not worse than it by `gate.margin`, beyond doubt.

    Args:
        rows: those that neither has learnt from: `label`, `challenger` and `champion` (probabilities).
        thresholds: of `challenger` and `champion`.
        version: the champion's.
        gate: metric and margin.
        evaluation: resamples.
        units: as `find_units` returns them; None: rows are independent.
        way_past: what to do where nothing can be said.
    """
    if problem := too_few(rows["label"], units):
        return incomparable(version, problem, way_past) | {"rows": len(rows)}
    difference = paired_differences(rows, "challenger", "champion", thresholds, evaluation, units)[gate.metric]
    limit = 0.0 - gate.margin
    passed = difference["low"] > limit
    doubt = "" if passed else f", so it is not above {limit:g} beyond doubt"
    text = f"{gate.metric} is {above(difference)} champion version {version} on {len(rows):,} rows new to both{doubt}"
    return {"name": "champion", "passed": passed, "text": text, **difference, "limit": limit, "rows": len(rows)}


def incomparable(version: int, problem: str, way_past: str) -> Check:
    """The check against a champion that nothing can be said about; `way_past` is what to do then."""
    short = problem if len(problem) <= _PROBLEM_CHARACTERS else problem[: _PROBLEM_CHARACTERS - 1] + "…"
    text = f"it cannot be compared with champion version {version}: {short}; {way_past}"
    return {"name": "champion", "passed": False, "text": text}


def too_few(labels: pd.Series, units: pd.DataFrame | None) -> str:
    """Why these rows say too little about a difference; empty where they do not."""
    positives = int(labels.sum())
    rarer = min(positives, len(labels) - positives)
    if len(labels) < MIN_ROWS or rarer < MIN_OF_A_CLASS:
        return (
            f"only {len(labels):,} test rows, {positives:,} of them positive, are new to both; "
            f"it takes {MIN_ROWS}, and {MIN_OF_A_CLASS} of each class"
        )
    sample = Sample.of(labels, units)
    if sample.kind != ROW and sample.units < MIN_GROUPS:
        return f"the test rows that are new to both are of only {sample.units} {sample.kind}s; it takes {MIN_GROUPS}"
    return ""


def first_reason(checks: Iterable[Check], metrics: Mapping[str, Any], gate: Gate) -> str:
    """The decision in one short sentence; the checks have the whole."""
    checks = list(checks)
    failed = [check for check in checks if not check["passed"]]
    if failed:
        others = [check["name"] for check in failed[1:]]
        return _short(failed[0]["text"] + (f"; also failed: {', '.join(others)}" if others else ""))
    rival = next((f"; {check['text']}" for check in checks if check["name"] == "champion"), ", the first champion")
    return _short(f"{checks[0]['text']}{rival}{_ahead(metrics, gate)}")


def above(difference: Mapping[str, float]) -> str:
    """A difference with its interval, as "0.0123 [0.0010, 0.0240] above"."""
    sign = -1 if difference["value"] < 0 else 1
    low, high = sorted(sign * difference[end] + 0.0 for end in ("low", "high"))
    word = "below" if sign < 0 else "above"
    return f"{abs(difference['value']):.4f} [{low:.4f}, {high:.4f}] {word}"


def _ahead(metrics: Mapping[str, Any], gate: Gate) -> str:
    """Say where a baseline is ahead: such a model is promoted only where that may be chance, and never silently."""
    figures = {name: each[gate.metric]["value"] for name, each in metrics["test"].items()}
    best = max((name for name in figures if name not in OWN), key=lambda name: figures[name], default=None)
    if best is None or figures[best] <= figures["model"]:
        return ""
    return f"; note that baseline {best} reaches {figures[best]:.4f}"


def _strongest(metrics: Mapping[str, Any], gate: Gate) -> str:
    """Name the strongest baseline of a refused model, where it is another one than boosting."""
    figures = {name: each[gate.metric]["value"] for name, each in metrics["test"].items()}
    best = max((name for name in figures if name not in OWN), key=lambda name: figures[name], default=BASELINE)
    if best == BASELINE or figures[best] <= figures["model"]:
        return ""
    ahead = figures[best] - figures.get(BASELINE, figures["model"])
    cause = (
        "; where trees are so far behind, look for a feature whose later values were never learnt, such as a copy of "
        "dataset.time"
    )
    return f"; the strongest baseline is {best}, {figures[best]:.4f}{cause if ahead >= _FAR_AHEAD else ''}"


def _short(text: str) -> str:
    return text if len(text) <= _REASON_CHARACTERS else text[: _REASON_CHARACTERS - 1] + "…"
