"""What the report says of perturbed inputs, and the summary of a run."""

from __future__ import annotations

from functools import partial

from lepton_pipeline.evaluation.robustness import MOST_FRAGILE, MeasuredRobustness, Trial
from lepton_pipeline.parameters.robustness import PERTURBATIONS, REACH, STEPS, WORST
from lepton_pipeline.reporting.pictures.curves import span_of
from lepton_pipeline.reporting.pictures.robustness import draw_robustness
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.reporting.report.evidence import Context, Evidence
from lepton_pipeline.statistics.metric_table import higher_is_better, lead_text

_TOLD = ("noise_10", "missing_20", "typos_5", WORST)


def describe_robustness(evidence: Evidence) -> Context:
    """What is lost by each perturbation of all columns, the most fragile columns, and all trials of single ones."""
    measured = evidence.robustness
    worse = "Fall" if higher_is_better(measured.metric) else "Rise"
    kinds = {
        "": "",
        f"{worse} of {formats.metric_inside(measured.metric)}": "n",
        formats.metric_name(measured.metric): "n",
        f"Rows {evidence.task.changes}": "n",
    }
    singles: dict[str, list[Trial]] = {}
    for trial in measured.trials:
        if trial.column:
            singles.setdefault(trial.column, []).append(trial)
    return {
        # No line break before the sign.
        "words": {name: said.replace(" %", "\N{NO-BREAK SPACE}%") for name, said in PERTURBATIONS.items()},
        "steps": (STEPS, REACH),
        "heads": lambda first: {first: "", **kinds},
        "fragile": measured.fragile[:MOST_FRAGILE],
        "span": span_of([trial.loss for trial in measured.whole]),
        "span_alone": span_of([trial.loss for trial in measured.fragile[:MOST_FRAGILE]]),
        "singles": list(singles.items()),
        "picture": draw_robustness(
            measured, formats.metric_name(measured.metric), partial(formats.metric, measured.metric)
        ),
    }


def summarise_robustness(measured: MeasuredRobustness) -> str:
    """The surest of it in one line of the terminal.

    >>> from lepton_pipeline.statistics.estimates import Estimate
    >>> trials = [Trial(name, at, Estimate(0.7), Estimate(0.02), Estimate(0.1)) for name, at in
    ...     (("noise_10", ""), ("missing_50", "age"))]
    >>> summarise_robustness(MeasuredRobustness("auc", 2000, 6000, 90, 4, Estimate(0.72), trials))
    'auc falls by 0.0200 (noise of 10 % of a deviation); most fragile: age by 0.0200 (50 % of the values missing)'
    """

    def lost(trial: Trial) -> str:
        return f"{lead_text(measured.metric, trial.loss.value)} ({PERTURBATIONS[trial.name]})"

    verb = "falls" if higher_is_better(measured.metric) else "rises"
    told = [lost(trial) for trial in map(measured.of, _TOLD) if trial is not None]
    fragile = ", ".join(f"{trial.column} by {lost(trial)}" for trial in measured.fragile[:MOST_FRAGILE])
    parts = [f"{measured.metric} {verb} by {', '.join(told)}"] if told else []
    return "; ".join([*parts, *([f"most fragile: {fragile}"] if fragile else [])])
