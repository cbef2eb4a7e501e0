"""Text of intervals and their evidence, light enough for the terminal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lepton_pipeline.statistics.estimates import FEWEST_CASES, Estimate, Metrics
from lepton_pipeline.statistics.metric_table import metric_text

# Cases that it takes for an interval that is not approximate.
MANY_CASES = 50
# Groups or blocks that it takes for an interval, and for such a one: one has no variance, few estimate it badly.
FEWEST_UNITS, MANY_UNITS = 2, 30
# With fewer positive rows the threshold is chosen by a handful of cases.
MANY_HELD_OUT = 100
APPROXIMATE, UNJUDGED = "≈", "cannot be judged"
_WAY = {
    "group": "a longer test brings more",
    "block": "declare dataset.group if different entities have independent labels, or make the test longer",
}


def bracket(figure: Estimate, shown: Callable[[float], str] = "{:.4f}".format) -> str:
    """Text of an interval: [0.7010, 0.7490], ≈[0.6010, 0.8490] or [cannot be judged]."""
    if figure.low is None:
        return f"[{UNJUDGED}]"
    low, high = figure.ends
    return f"{APPROXIMATE * figure.approximate}[{shown(low)}, {shown(high)}]"


def measured_text(metric: str, figure: Estimate) -> str:
    """A metric with its interval: 0.7250 [0.7010, 0.7490], or 12.35 % [11.02 %, 13.10 %]."""
    written = partial(metric_text, metric)
    return f"{written(figure.value)} {bracket(figure, written)}"


def quality_warnings(metrics: Metrics) -> list[str]:
    """Why intervals are missing or approximate and the threshold is unsure, without full stops."""
    said, evidence, positives = [], metrics.evidence, metrics.rows["validation"].positives
    if evidence is not None:
        cases, units, kind = evidence.cases, evidence.units, evidence.unit
        few = [f"{cases} test rows {evidence.case}, below {MANY_CASES}"] if cases < MANY_CASES else []
        if kind != "row" and units < MANY_UNITS:
            few.append(f"{units} {kind}s of test rows, below {MANY_UNITS}")
        if cases < FEWEST_CASES:
            rarer = f"{cases} test rows {evidence.case}"
            said.append(f"no intervals: {rarer}, and it takes {FEWEST_CASES} to judge a model")
        elif kind != "row" and units < FEWEST_UNITS:
            said.append(
                f"no intervals: the test rows are of one {kind}, so {kind}s cannot be compared; {_WAY[kind]}"
            )
        elif few:
            said.append(f"intervals are approximate (≈): {' and '.join(few)}")
    if positives is not None and positives < MANY_HELD_OUT:
        said.append(
            f"the threshold was chosen on {positives} held-out positive rows, below {MANY_HELD_OUT}: "
            "on new rows it may find far fewer cases, or none"
        )
    return said
