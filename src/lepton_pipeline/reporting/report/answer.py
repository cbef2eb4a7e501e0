"""The answer of a report in two sentences: how good the model is beside what there was, and what to do next."""

from __future__ import annotations

from lepton_pipeline.evaluation.decision import Check
from lepton_pipeline.parameters.jobs import MONITORING, SCORING, Job
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.reporting.report.evidence import Evidence


def describe_quality_briefly(evidence: Evidence) -> str:
    """The metric of the gate with its interval, and how the model compares with baseline and champion by theirs."""
    metrics, decision = evidence.metrics, evidence.decision
    declared = evidence.lineage.parameters.get("gate", {}).get("metric")
    metric = declared if declared in metrics.model else evidence.task.shown[0]
    figure = metrics.model[metric]
    said = f"{formats.metric_name(metric)} on {formats.counted(metrics.rows['test'].rows, 'test row')}: "
    said += f"{formats.metric(metric, figure.value, of=figure)} [{formats.interval(metric, figure)}]"
    beside = []
    for check in decision.checks:
        # A check of a baseline names it.
        name = next((each for each in metrics.test if f" baseline {each} on " in check.text), None)
        if check.name == "baseline" and name is not None:
            theirs = metrics.test[name][metric]
            value = formats.metric(metric, theirs.value, of=theirs)
            beside.append(f"{_compare(check)} {formats.lower_first(formats.model_name(name))} ({value})")
        elif check.name == "champion" and check.low is not None:
            beside.append(f"{_compare(check)} champion version {decision.champion_version}")
    return f"{said}, {' and '.join(beside)}." if beside else f"{said}."


def _compare(check: Check) -> str:
    """A lead in words: its interval says whether it is one."""
    if check.low is None or check.high is None:
        return "not comparable with"
    return "better than" if check.low > 0 else "worse than" if check.high < 0 else "level with"


def next_steps(evidence: Evidence) -> list[tuple[str, str]]:
    """What to do after the decision: words, and the command that does it."""
    name, decision = evidence.registration.name, evidence.decision
    if decision.promoted is False:
        promote = f"kedro champion promote {name} {decision.version} --force --reason WHY"
        return [
            ("See what differs from other runs", f"kedro compare {name}"),
            ("Use it all the same", promote),
        ]
    score, watch = (f"kedro run --pipelines {Job(name, purpose).name}" for purpose in (SCORING, MONITORING))
    scored = ("Score the rows in data/01_raw/" + Job(name, SCORING).name, score)
    return [scored, ("Monitor it as new rows come", watch)]
