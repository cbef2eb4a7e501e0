"""What report, card and terminal show of each kind of task, by `Task.page`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lepton_pipeline.evaluation.explanation import Example
from lepton_pipeline.reporting.report import classes, decisions, errors
from lepton_pipeline.reporting.report.evidence import Context, Evidence
from lepton_pipeline.tasks.task import Task


@dataclass(frozen=True)
class Words:
    """How the section on the explanation names what is explained."""

    output: str
    cases: str  # what is told of single cases
    support: str  # what the card says of outputs
    doubt: str  # how far a label contradicts the model
    uncertain: str  # which rows are least certain, so many


@dataclass(frozen=True)
class View:
    """Parts of pages that differ between tasks; the template is `report/quality_<page>.html`."""

    tiles: Callable[[Evidence], list[tuple[str, str, str]]]
    describe_target: Callable[[Evidence], Context]
    describe_quality: Callable[[Evidence], Context]
    describe_sample: Callable[[Evidence], str]
    summarise: Callable[[Evidence], str]
    describe_decisions: Callable[[Evidence], str]  # by costs, where no threshold says it; else empty
    describe_case: Callable[[Example], tuple[str, str]]  # in bold, and what follows
    sliced: Sequence[str]  # metrics of slices
    words: Words


_DOUBT = (
    "Doubt is 1 less the probability of a row's own label, in units of its mean over all rows with that label: at 1 "
    "the model leaves the label no chance."
)
VIEWS = {
    "decisions": View(
        decisions.tiles,
        decisions.describe_target,
        decisions.describe_quality,
        decisions.describe_sample,
        decisions.summarise,
        lambda evidence: "",
        decisions.describe_case,
        decisions.SLICED,
        Words(
            "probability",
            "Some test cases with what moved their probability most, compared with the reference case. A positive "
            "effect raises the probability; effects are in log-odds, in which they add up.",
            "Probabilities and decisions support people; they are no facts about a case.",
            _DOUBT,
            "The probabilities of the {} least certain rows are nearest to the threshold.",
        ),
    ),
    "classes": View(
        classes.tiles,
        classes.describe_target,
        classes.describe_quality,
        classes.describe_sample,
        classes.summarise,
        classes.describe_decisions,
        classes.describe_case,
        classes.SLICED,
        Words(
            "probability",
            "Some test cases with what moved the probability of their likeliest class most, compared with the "
            "reference case. A positive effect raises it; effects are in log-odds of that class against all others, "
            "in which they add up.",
            "Probabilities and decisions support people; they are no facts about a case.",
            _DOUBT,
            "In the {} least certain rows, the two likeliest classes differ least in probability.",
        ),
    ),
    "errors": View(
        errors.tiles,
        errors.describe_target,
        errors.describe_quality,
        errors.describe_sample,
        errors.summarise,
        errors.describe_decisions,
        errors.describe_case,
        errors.SLICED,
        Words(
            "prediction",
            "Some test cases with what moved their prediction most, compared with the reference case. A positive "
            "effect raises the prediction; effects are in the target's unit, in which they add up.",
            "Predictions and intervals support people; they are no facts about a case.",
            "Doubt is the error in units of the median error of held-out rows with a like prediction; rows below 3 are "
            "not listed.",
            "The {} least certain rows have the widest intervals.",
        ),
    ),
}


def view_of(task: Task) -> View:
    """How a task is shown."""
    return VIEWS[task.page]
