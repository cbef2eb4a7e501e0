"""Checks that a model must pass before promotion to champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from lepton_pipeline.evaluation.decision import Check
from lepton_pipeline.evaluation.metrics import OWN, paired_differences
from lepton_pipeline.evaluation.resampling import ROW, Sample
from lepton_pipeline.evaluation.slices import Slices
from lepton_pipeline.model.baseline import BOOSTING, LINEAR
from lepton_pipeline.parameters import Evaluation, Gate, Metric
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.system.readable import clipped

# With fewer rows an interval says next to nothing, and drawn from few groups it is too narrow.
MIN_ROWS, MIN_OF_A_CLASS, MIN_GROUPS = 50, 10, 10
NEW = "new to both"
# Rows that are extracted again with one value changed look new where nothing names them.
NEW_BY_VALUES = "new to both by their values (declare dataset.id, or rows that are extracted again look new)"
# Beyond such a lead of a linear model over trees, the rows of the test are unlike those that were learnt.
_FAR_AHEAD = 0.05
_REASON_CHARACTERS, _PROBLEM_CHARACTERS = 400, 220


def check_cases(metrics: Metrics) -> list[Check]:
    """Refuse a model with too few test rows of the rarer class; no check if there are enough."""
    rows, positives = metrics.rows["test"].rows, metrics.rows["test"].positives
    rarer = min(positives, rows - positives)
    if rarer >= MIN_OF_A_CLASS:
        return []
    side = "positive" if rarer == positives else "negative"
    text = f"the model cannot be judged: only {rarer} of {rows:,} test rows are {side}; it takes {MIN_OF_A_CLASS}"
    advice = f"bring more {side} rows, or enlarge split.test"
    return [Check("cases", False, text, next=advice, rows=rows, limit=MIN_OF_A_CLASS)]


def check_bounds(metrics: Metrics, gate: Gate) -> list[Check]:
    """Hold the test metrics to the declared bounds, by the worse end of their intervals."""
    first = ("gate.at_least", gate.at_least, "low")
    bounds: list[tuple[Metric, tuple[str, float, str]]] = [(gate.metric, first)]
    for metric, bound in gate.bounds.items():
        bounds += [
            (metric, (f"gate.bounds.{metric}.{key}", limit, end))
            for key, limit, end in (("at_least", bound.at_least, "low"), ("at_most", bound.at_most, "high"))
            if limit is not None
        ]
    return [_hold(f"bound {name}", name, metrics.model[name], limit) for name, limit in bounds]


def check_slices(slices: Slices, gate: Gate) -> list[Check]:
    """Hold every slice that is large enough to `gate.slice_at_least`, by the lower end of its interval."""
    floor, metric, key = gate.slice_at_least, gate.metric, "gate.slice_at_least"
    if floor is None:
        return []
    if not slices.slices:
        text, advice = f"{key} is declared, but no slice was measured", "name columns in evaluation.slices"
        return [Check("slices", False, text, next=advice, limit=floor)]
    checks = []
    for each in slices.slices:
        name = f"slice {each.column}={each.value}"
        figure = each.metrics.get(metric)
        if each.small or figure is None or figure.low is None:
            text = f"{name} is too small to tell ({each.rows:,} rows), so it was not checked"
            checks.append(Check(name, True, text, rows=each.rows, limit=floor))
        else:
            figure = replace(figure, low=figure.low if figure.floor_low is None else figure.floor_low)
            held = _hold(name, metric, figure, (key, floor, "low"), f" of {name} ({each.rows:,} rows)")
            checks.append(replace(held, rows=each.rows))
    return checks


def _hold(name: str, metric: str, figure: Estimate, bound: tuple[str, float, str], what: str = "") -> Check:
    """Hold the worse end of a figure to a limit: the low end to the least, the high end to the most."""
    key, limit, end = bound
    known = Check(name, True, "", figure.value, figure.low, figure.high, limit=limit)
    if figure.low is None or figure.high is None:
        text = f"{metric} {figure.value:.4f}{what} has no interval, so it cannot be judged"
        return replace(known, passed=False, text=text, next="bring more rows, or enlarge split.test")
    sign, least, beyond = (1, "at least", "below") if end == "low" else (-1, "at most", "above")
    text = f"{metric} {figure.value:.4f} [{figure.low:.4f}, {figure.high:.4f}]{what}"
    if sign * (figure.low if end == "low" else figure.high) >= sign * limit:
        return replace(known, text=f"{text} is {least} {limit:g}")
    verb = "reaches" if sign * figure.value >= sign * limit else "is"
    advice = f"bring more rows or better columns, or declare in {key} what is good enough"
    return replace(known, passed=False, text=f"{text} {verb} {beyond} the declared {limit:g}", next=advice)


def check_baseline(
    scores: pd.DataFrame,
    metrics: Metrics,
    gate: Gate,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
    baseline: str = BOOSTING,
    *,
    first: bool = False,
) -> Check:
    """Refuse a model that may be worse than a baseline by more than `gate.baseline_margin`.

    The baseline is another one than boosting if boosting is all of the model. `first`: without a champion,
    only a model that is worse for certain is refused.
    """
    test = scores[scores["part"] == "test"]
    differences = paired_differences(test, "model", baseline, metrics.thresholds, evaluation, units)
    difference = differences[gate.metric]
    limit = 0.0 - gate.baseline_margin
    may_be, is_worse = (end < limit for end in difference.ends)
    passed, advice = not (is_worse if first else may_be), None
    text = f"{gate.metric} is {above(difference)} baseline {baseline} on {len(test):,} rows"
    if may_be:
        text += f", so it {'is' if is_worse else 'may be'} worse by more than gate.baseline_margin {-limit:g}"
    if not passed:
        text += _strongest(metrics, gate, baseline)
        advice = "bring more rows, change training, or declare a wider gate.baseline_margin"
    elif may_be:
        text += "; a first model is refused only if it is"
    return Check("baseline", passed, text, *_figures(difference), limit, len(test), advice)


def check_beaten(
    scores: pd.DataFrame,
    metrics: Metrics,
    gate: Gate,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> list[Check]:
    """Refuse a model that is not significantly better than each baseline of `gate.beat`."""
    test = scores[scores["part"] == "test"]
    checks = []
    for name in gate.beat:
        found = paired_differences(test, "model", name, metrics.thresholds, evaluation, units)[gate.metric]
        passed, advice = found.ends[0] > 0, None
        text = f"{gate.metric} is {above(found)} baseline {name} on {len(test):,} rows"
        if not passed:
            text += ", so it is not significantly better"
            advice = f"bring more rows or better columns, go on with {name}, or take it out of gate.beat"
        checks.append(Check(f"beat {name}", passed, text, *_figures(found), 0.0, len(test), advice))
    return checks


def check_champion(
    rows: pd.DataFrame,
    thresholds: dict[str, float],
    version: int,
    gate: Gate,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
    new: str = NEW,
) -> Check:
    """Promote only what is better than the champion, or for certain not worse by `gate.margin`.

    `rows` hold `label` and the probabilities of `challenger` and `champion`, neither of which learnt from
    them; `new` says how that is known.
    """
    if problem := too_few(rows["label"], units):
        return replace(incomparable(version, problem), rows=len(rows))
    differences = paired_differences(rows, "challenger", "champion", thresholds, evaluation, units)
    difference = differences[gate.metric]
    limit = 0.0 - gate.margin
    passed = difference.ends[0] > limit
    doubt = "" if passed else f", so it is not significantly above {limit:g}"
    text = (
        f"{gate.metric} is {above(difference)} champion version {version} on {len(rows):,} rows {new}{doubt}"
    )
    return Check("champion", passed, text, *_figures(difference), limit, len(rows))


def _figures(difference: Estimate) -> tuple[float, float | None, float | None, bool | None]:
    return difference.value, difference.low, difference.high, difference.approximate or None


def incomparable(version: int, problem: str) -> Check:
    """The failed check against a champion without a comparison."""
    text = f"it cannot be compared with champion version {version}: {clipped(problem, _PROBLEM_CHARACTERS)}"
    return Check("champion", False, text)


def same_model(version: int) -> Check:
    """The passed check against a champion with identical files."""
    text = f"it is the same model as champion version {version}, so nothing changes"
    return Check("champion", True, text)


def too_few(labels: pd.Series, units: pd.DataFrame | None) -> str:
    """Why the rows are too few for a comparison; empty if they suffice."""
    sample = Sample.of(labels, units)
    if len(labels) < MIN_ROWS or sample.cases < MIN_OF_A_CLASS:
        return (
            f"only {len(labels):,} test rows, {sample.positives:,} of them positive, are new to both; "
            f"it takes {MIN_ROWS}, and {MIN_OF_A_CLASS} of each class"
        )
    if sample.kind != ROW and sample.units < MIN_GROUPS:
        return f"the test rows that are new to both are of only {sample.units} {sample.kind}s; it takes {MIN_GROUPS}"
    return ""


def first_reason(checks: Sequence[Check], metrics: Metrics, gate: Gate) -> str:
    """The decision in one short sentence, with the next step after a refusal."""
    failed = [check for check in checks if not check.passed]
    if failed:
        first, *others = failed
        text = first.text + (f"; also failed: {', '.join(other.name for other in others)}" if others else "")
        following = f"; {first.next}" if first.next else ""
        return clipped(text, _REASON_CHARACTERS - len(following)) + following
    rival = next((f"; {check.text}" for check in checks if check.name == "champion"), ", the first champion")
    best, figures = _leader(metrics, gate)
    # That may be chance.
    ahead = f"; note that baseline {best} reaches {figures[best]:.4f}" if best else ""
    return clipped(f"{checks[0].text}{rival}{ahead}", _REASON_CHARACTERS)


def above(difference: Estimate) -> str:
    """A difference with its interval, as "0.0123 [0.0010, 0.0240] above"."""
    sign = -1 if difference.value < 0 else 1
    low, high = sorted(sign * end + 0.0 for end in difference.ends)
    word = "below" if sign < 0 else "above"
    return f"{abs(difference.value):.4f} [{low:.4f}, {high:.4f}] {word}"


def _strongest(metrics: Metrics, gate: Gate, baseline: str) -> str:
    """Name the strongest baseline of a refused model, unless it is the one that decides."""
    best, figures = _leader(metrics, gate)
    if best in ("", baseline):
        return ""
    far_ahead = best == LINEAR and figures[best] - figures.get(baseline, figures["model"]) >= _FAR_AHEAD
    cause = (
        "; where trees are so far behind, look for a feature whose later values were never learnt, such as a copy of "
        "dataset.time"
    )
    return f"; the strongest baseline is {best}, {figures[best]:.4f}{cause if far_ahead else ''}"


def _leader(metrics: Metrics, gate: Gate) -> tuple[str, dict[str, float]]:
    """The strongest baseline if it is ahead of the model, else "", and the figures of all."""
    figures = {name: each[gate.metric].value for name, each in metrics.test.items()}
    best = max((name for name in figures if name not in OWN), key=lambda name: figures[name], default="model")
    return best if figures[best] > figures["model"] else "", figures
