"""Checks that a model must pass before promotion to champion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from lepton_pipeline.evaluation.alert_budget import AlertFigures
from lepton_pipeline.evaluation.decision import Check
from lepton_pipeline.evaluation.metrics import OWN, Thresholds, measure_once, paired_differences
from lepton_pipeline.evaluation.resampling import ROW, Sample
from lepton_pipeline.evaluation.robustness import MeasuredRobustness
from lepton_pipeline.evaluation.slices import Slices
from lepton_pipeline.model.baseline import BOOSTING
from lepton_pipeline.parameters import Bound, Evaluation, Gate
from lepton_pipeline.parameters.robustness import PERTURBATIONS
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.statistics.metric_table import (
    METRICS,
    bound_text,
    higher_is_better,
    lead_text,
    metric_text,
)
from lepton_pipeline.system.readable import clipped, four_digits
from lepton_pipeline.tasks.task import Task

# With fewer rows an interval says next to nothing, and drawn from few groups it is too narrow.
MIN_ROWS, MIN_OF_A_CLASS, MIN_GROUPS = 50, 10, 10
NEW = "new to both"
# Rows that are extracted again with one value changed look new where nothing names them.
NEW_BY_VALUES = "new to both by their values (declare dataset.id, or rows that are extracted again look new)"
# Beyond such a lead of another baseline (a linear one) over trees, the rows of the test are unlike those that
# were learnt; of a metric that is better if lower, as a share of it.
_FAR_AHEAD = 0.05
_REASON_CHARACTERS, _PROBLEM_CHARACTERS = 400, 220


def check_cases(metrics: Metrics) -> list[Check]:
    """Refuse a model with too few test rows to judge it by, see `Task.cases`; no check if there are enough."""
    rows, positives, evidence = metrics.rows["test"].rows, metrics.rows["test"].positives, metrics.evidence
    if positives is None:
        cases, case = (rows, "") if evidence is None else (evidence.cases, f" {evidence.case}")
        few, more = f"{cases} test rows{case}", f"rows{case}"
    else:
        cases = min(positives, rows - positives)
        side = "positive" if cases == positives else "negative"
        few, more = f"{cases} of {rows:,} test rows are {side}", f"{side} rows"
    if cases >= MIN_OF_A_CLASS:
        return []
    text = f"the model cannot be judged: only {few}; it takes {MIN_OF_A_CLASS}"
    advice = f"bring more {more}, or enlarge split.test"
    return [Check("cases", False, text, next=advice, rows=rows, limit=MIN_OF_A_CLASS)]


def check_bounds(metrics: Metrics, gate: Gate) -> list[Check]:
    """Hold the test metrics to the declared bounds, by the worse end of their intervals."""
    own = Bound.model_construct(at_least=gate.at_least, at_most=gate.at_most)
    declared = [(gate.metric, "gate", own)]
    declared += [(name, f"gate.bounds.{name}", bound) for name, bound in gate.bounds.items()]
    return [
        _hold(f"bound {metric}", metric, metrics.model[metric], (f"{prefix}.{key}", limit, end))
        for metric, prefix, bound in declared
        for key, limit, end in (("at_least", bound.at_least, "low"), ("at_most", bound.at_most, "high"))
        if limit is not None
    ]


def check_slices(slices: Slices, gate: Gate) -> list[Check]:
    """Hold every slice that is large enough to `gate.slice_at_least`, or `slice_at_most`, by its worse end."""
    higher = higher_is_better(gate.metric)
    key, end = ("gate.slice_at_least", "low") if higher else ("gate.slice_at_most", "high")
    floor, metric = gate.slice_at_least if higher else gate.slice_at_most, gate.metric
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
            figure = figure.corrected(end)
            held = _hold(name, metric, figure, (key, floor, end), f" of {name} ({each.rows:,} rows)")
            checks.append(replace(held, rows=each.rows))
    return checks


def _hold(name: str, metric: str, figure: Estimate, bound: tuple[str, float, str], what: str = "") -> Check:
    """Hold the worse end of a figure to a limit: the low end to the least, the high end to the most."""
    key, limit, end = bound
    known = Check(name, True, "", figure.value, figure.low, figure.high, limit=limit)
    if figure.low is None or figure.high is None:
        text = f"{metric} {_shown(metric, figure.value)}{what} has no interval, so it cannot be judged"
        return replace(known, passed=False, text=text, next="bring more rows, or enlarge split.test")
    sign, least, beyond = (1, "at least", "below") if end == "low" else (-1, "at most", "above")
    value, low, high = (_shown(metric, each) for each in (figure.value, figure.low, figure.high))
    text = f"{metric} {value} [{low}, {high}]{what}"
    if sign * (figure.low if end == "low" else figure.high) >= sign * limit:
        return replace(known, text=f"{text} is {least} {bound_text(metric, limit)}")
    verb = "reaches" if sign * figure.value >= sign * limit else "is"
    advice = f"bring more rows or better columns, or declare in {key} what is good enough"
    declared = bound_text(metric, limit)
    return replace(known, passed=False, text=f"{text} {verb} {beyond} the declared {declared}", next=advice)


@dataclass(frozen=True)
class Judged:
    """A model's scores and metrics, and how its test rows are drawn."""

    task: Task
    scores: pd.DataFrame
    metrics: Metrics
    units: pd.DataFrame | None = None

    def against(self, baseline: str, evaluation: Evaluation) -> dict[str, Estimate]:
        """What the model is ahead of a baseline on the test rows, see `paired_differences`."""
        test = self.scores[self.scores["part"] == "test"]
        sample = Sample.of(test["label"], self.units, self.task, test.get("weight"))
        return paired_differences(test, "model", baseline, self.metrics.thresholds, evaluation, sample)


def check_baseline(
    judged: Judged, gate: Gate, evaluation: Evaluation, baseline: str = BOOSTING, *, first: bool = False
) -> Check:
    """Refuse a model that may be worse than a baseline by more than `gate.baseline_margin`.

    The baseline is another one than boosting if boosting is all of the model. `first`: without a champion,
    only a model that is worse for certain is refused.
    """
    metrics, rows = judged.metrics, judged.metrics.rows["test"].rows
    difference = judged.against(baseline, evaluation)[gate.metric]
    limit = _margin(gate.metric, gate.baseline_margin, metrics.test[baseline])
    may_be, is_worse = (end < limit for end in difference.ends)
    passed, advice = not (is_worse if first else may_be), None
    text = f"{gate.metric} is {above(difference, gate.metric)} baseline {baseline} on {rows:,} rows"
    if may_be:
        margin = f"{gate.baseline_margin:g}{'' if higher_is_better(gate.metric) else f', {_lead(gate.metric, -limit)}'}"
        text += f", so it {'is' if is_worse else 'may be'} worse by more than gate.baseline_margin {margin}"
    if not passed:
        text += _strongest(metrics, gate, baseline)
        advice = "bring more rows, change training, or declare a wider gate.baseline_margin"
    elif may_be:
        text += "; a first model is refused only if it is"
    return Check("baseline", passed, text, *_figures(difference), limit, rows, advice)


def check_beaten(judged: Judged, gate: Gate, evaluation: Evaluation) -> list[Check]:
    """Refuse a model that is not significantly better than each baseline of `gate.beat`."""
    checks, rows = [], judged.metrics.rows["test"].rows
    for name in gate.beat:
        found = judged.against(name, evaluation)[gate.metric]
        passed, advice = found.ends[0] > 0, None
        text = f"{gate.metric} is {above(found, gate.metric)} baseline {name} on {rows:,} rows"
        if not passed:
            text += ", so it is not significantly better"
            advice = f"bring more rows or better columns, go on with {name}, or take it out of gate.beat"
        checks.append(Check(f"beat {name}", passed, text, *_figures(found), 0.0, rows, advice))
    return checks


def check_alerts(found: AlertFigures, gate: Gate) -> list[Check]:
    """Hold the precision of the budget of alerts to `gate.alerts_at_least`, by its lower end."""
    if gate.alerts_at_least is None or found.precision is None:
        return []
    bound = ("gate.alerts_at_least", gate.alerts_at_least, "low")
    what = f" of {found.alerts:,} alerts every {found.span}, over {found.spans:,} of them"
    held = _hold("alerts", "precision", found.precision, bound, what)
    return [replace(held, rows=found.rows)]


def check_robustness(measured: MeasuredRobustness, gate: Gate) -> list[Check]:
    """Refuse a model that may lose more by a perturbation of all columns than `gate.robustness` allows."""
    checks, metric = [], gate.metric
    for name, margin in gate.robustness.items():
        trial, key, title = measured.of(name), f"gate.robustness.{name}", f"robustness {name}"
        if trial is None or measured.figure is None:
            text = f"{key} is declared, but the model reads no column that can be perturbed so"
            checks.append(Check(title, False, text, next=f"take {key} out", limit=-margin))
            continue
        limit, loss = _margin(metric, margin, {metric: measured.figure}), trial.loss
        what = f"{metric}, perturbed ({PERTURBATIONS[name]}) on {measured.rows:,} rows,"
        if loss.low is None or loss.high is None:
            text = f"{what} has no interval of its loss, so it cannot be judged"
            advice = "bring more rows, or enlarge split.test"
            checks.append(
                Check(title, False, text, -loss.value, limit=limit, rows=measured.rows, next=advice)
            )
            continue
        lead = replace(loss, value=-loss.value, low=-loss.high, high=-loss.low)
        passed, following = lead.ends[0] >= limit, None
        text = f"{what} is {above(lead, metric)} that of the rows as they are"
        if not passed:
            text += f", so it may lose more than {key} {margin:g}"
            following = "see Robustness in the report: fill or leave out fragile columns, or declare more"
        checks.append(Check(title, passed, text, *_figures(lead), limit, measured.rows, following))
    return checks


def check_champion(
    rows: pd.DataFrame,
    thresholds: Thresholds,
    version: int,
    gate: Gate,
    evaluation: Evaluation,
    sample: Sample,
    new: str = NEW,
) -> Check:
    """Promote only what is better than the champion, or for certain not worse by `gate.margin`.

    `rows`, those of the sample, hold `label` and the scores of `challenger` and `champion`, neither of which
    learnt from them; `new` says how that is known.
    """
    if problem := too_few(sample):
        return replace(incomparable(version, problem), rows=len(rows))
    differences = paired_differences(rows, "challenger", "champion", thresholds, evaluation, sample)
    difference = differences[gate.metric]
    theirs = measure_once(sample.task, rows, "champion", thresholds["champion"])
    limit = _margin(gate.metric, gate.margin, {name: Estimate(value) for name, value in theirs.items()})
    passed = difference.ends[0] > limit
    doubt = "" if passed else f", so it {_short_of(limit, gate)}"
    text = (
        f"{gate.metric} is {above(difference, gate.metric)} champion version {version} on {len(rows):,} rows "
        f"{new}{doubt}"
    )
    return Check("champion", passed, text, *_figures(difference), limit, len(rows))


def _short_of(limit: float, gate: Gate) -> str:
    """What the lead over the champion does not show, as the value of the metric that has to be beaten."""
    if higher_is_better(gate.metric):
        return f"is not significantly above {limit:g}"
    if not limit:
        return "is not significantly below 0"
    return f"may be worse by more than gate.margin {gate.margin:g}, {_lead(gate.metric, -limit)}"


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


def too_few(sample: Sample) -> str:
    """Why the rows are too few for a comparison; empty if they suffice."""
    rows, task = len(sample.labels), sample.task
    if rows < MIN_ROWS or sample.cases < MIN_OF_A_CLASS:
        positives = task.positives(pd.Series(sample.labels))
        held, each = (
            (f"{sample.cases:,} of them {task.case}", "of these")
            if positives is None
            else (f"{positives:,} of them positive", "of each class")
        )
        return f"only {rows:,} test rows, {held}, are new to both; it takes {MIN_ROWS}, and {MIN_OF_A_CLASS} {each}"
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
    ahead = f"; note that baseline {best} reaches {_shown(gate.metric, figures[best])}" if best else ""
    return clipped(f"{checks[0].text}{rival}{ahead}", _REASON_CHARACTERS)


def above(difference: Estimate, metric: str) -> str:
    """A lead with its interval, as "0.0123 [0.0010, 0.0240] above", or below where lower is better."""
    sign = -1 if difference.value < 0 else 1
    low, high = (_lead(metric, end) for end in sorted(sign * end + 0.0 for end in difference.ends))
    word = "above" if (sign > 0) == higher_is_better(metric) else "below"
    return f"{_lead(metric, abs(difference.value))} [{low}, {high}] {word}"


def _shown(metric: str, value: float) -> str:
    return four_digits(value) if METRICS[metric].in_unit else metric_text(metric, value)


def _lead(metric: str, value: float) -> str:
    return four_digits(value) if METRICS[metric].in_unit else lead_text(metric, value)


def _margin(metric: str, margin: float, theirs: Mapping[str, Estimate]) -> float:
    """The lowest lead that passes: minus the margin, or its share of a figure that is better if lower."""
    return 0.0 - (margin if higher_is_better(metric) else margin * abs(theirs[metric].value))


def _strongest(metrics: Metrics, gate: Gate, baseline: str) -> str:
    """Name the strongest baseline of a refused model, unless it is the one that decides."""
    best, figures = _leader(metrics, gate)
    if best in ("", baseline):
        return ""
    lead = figures[best] - figures.get(baseline, figures["model"])
    if not higher_is_better(gate.metric):
        lead = -lead / (abs(figures[best]) or 1.0)
    far_ahead = best.endswith("_regression") and lead >= _FAR_AHEAD
    cause = (
        "; where trees are so far behind, look for a feature whose later values were never learnt, such as a copy of "
        "dataset.time"
    )
    return f"; the strongest baseline is {best}, {_shown(gate.metric, figures[best])}{cause if far_ahead else ''}"


def _leader(metrics: Metrics, gate: Gate) -> tuple[str, dict[str, float]]:
    """The strongest baseline if it is ahead of the model, else "", and the figures of all."""
    figures = {name: each[gate.metric].value for name, each in metrics.test.items()}
    sign = 1 if higher_is_better(gate.metric) else -1
    others = (name for name in figures if name not in OWN)
    best = max(others, key=lambda name: sign * figures[name], default="model")
    return best if sign * figures[best] > sign * figures["model"] else "", figures
