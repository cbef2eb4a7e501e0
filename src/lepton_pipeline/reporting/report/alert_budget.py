"""What the summary of a run says of its budget of alerts."""

from __future__ import annotations

from lepton_pipeline.evaluation.alert_budget import AlertFigures
from lepton_pipeline.evaluation.interval_text import bracket
from lepton_pipeline.statistics.estimates import Estimate


def summarise_alerts(found: AlertFigures) -> list[tuple[str, str]]:
    """What alerts find, and a warning where the rate of positive cases moved, each with its label.

    >>> figures = AlertFigures(50, "1d", 30, 9000, 60, 1500, 45, Estimate(0.03), Estimate(0.75))
    >>> summarise_alerts(figures)[0][1]
    '50 every day find 75.0% [cannot be judged] of the positive cases; 3.0% [cannot be judged] of them are positive'
    """

    def told(figure: Estimate | None, shown: str = "{:.1%}") -> str:
        return "none" if figure is None else f"{shown.format(figure.value)} {bracket(figure, shown.format)}"

    facts = [
        (
            "alerts",
            f"{found.alerts:,} every {found.span} find {told(found.recall)} of the positive cases; "
            f"{told(found.precision)} of them are positive",
        )
    ]
    if found.drifted:
        moved = told(found.drift, "{:+.2%}")
        facts.append(("warning", f"the rate of positive cases moved by {moved} since the training rows"))
    return facts
