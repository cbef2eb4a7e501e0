"""Cost of decisions: at any threshold, under limited capacity, and without the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from operator import not_
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from lepton_pipeline.evaluation.metrics import OWN
from lepton_pipeline.evaluation.outcomes import acting_and_leaving
from lepton_pipeline.evaluation.policies import CASES, price_policies
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.model.predictor import Predictor
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.statistics.measures import accumulate, weigh
from lepton_pipeline.statistics.thresholds import capacity_threshold
from lepton_pipeline.tasks.task import mean

# Shares of the cases that the rows of the what-if table act on, as far as equal scores and rounding allow.
_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)
_SHOWN_DIGITS = 3
_CURVE_STEPS = 50
_NONE = Field(exclude_if=not_)


@dataclass(frozen=True)
class Outcome:
    """Result of acting on rows with a probability >= threshold, for 1,000 cases."""

    threshold: float
    acted: float  # cases
    precision: float | None  # None if none is acted on
    recall: float
    cost: Estimate | None  # None without costs


@dataclass(frozen=True)
class Choice(Outcome):
    """A line of the what-if table; `chosen` marks the threshold in use."""

    chosen: bool


@dataclass(frozen=True)
class Capacity:
    """`Outcome` of acting on the likeliest `per_1000` cases only; `lift` is relative to random cases."""

    per_1000: int
    threshold: float
    acted: float
    precision: float | None
    recall: float
    cost: Estimate | None
    lift: float | None


@dataclass(frozen=True)
class Curve:
    """Cost of 1,000 cases by threshold; the interval is None where there are too few cases."""

    threshold: Annotated[Sequence[float], _NONE] = ()
    cost: Annotated[Sequence[float], _NONE] = ()
    low: Annotated[Sequence[float | None], _NONE] = ()
    high: Annotated[Sequence[float | None], _NONE] = ()

    @property
    def band(self) -> tuple[list[float], list[float]] | None:
        """Lower and upper ends; None where there are too few cases."""
        low, high = ([end for end in ends if end is not None] for ends in (self.low, self.high))
        return (low, high) if low and high else None


@dataclass(frozen=True)
class Costs:
    """Cost of decisions for 1,000 cases, in declared units."""

    declared: bool = False  # whether there are costs
    unit: str = ""
    threshold: float | None = None  # None in tasks without one
    what_if: Sequence[Choice] = ()  # the highest threshold first
    # Of `model`, `all` (act on every case), `none`, and each baseline; or those of `Task.policies`.
    policies: Mapping[str, Estimate] = field(default_factory=dict)
    saving: Mapping[str, Estimate] = field(default_factory=dict)  # what the model saves against each of them
    curve: Curve = field(default_factory=Curve)  # empty without costs
    capacity: Capacity | None = None
    note: str = ""  # a hint where the model hardly matters


def measure_costs(
    scores: pd.DataFrame,
    model: Predictor,
    metrics: Metrics,
    outcome_costs: pd.DataFrame,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
    outside: pd.DataFrame | None = None,
) -> Costs:
    """Cost of decisions, for 1,000 test cases, by the model, by baselines and by constant policies.

    Every model is judged at its own threshold. Intervals are 95 % bootstrap intervals over the resamples of
    `evaluate`, with varying base rate; costs are compared resample by resample, so that common chance
    cancels. `outcome_costs` are those of `price_outcomes`, without columns if no costs are declared.
    Where no threshold decides, policies are those of the task, see `price_policies`; test rows `outside` of its
    classes (see `score_outside`) count, too.
    """
    if metrics.threshold is None:
        rows = pd.concat([scores[scores["part"] == "test"], outside], join="inner")
        sample = Sample.of(rows["label"], units, model.task, rows.get("weight"))
        sample = replace(sample, row_weights=model.task.shares(sample.labels, sample.row_weights))
        policies, saving = price_policies(rows, sample, evaluation)
        unit = evaluation.decision_unit
        return Costs(declared=bool(policies), unit=unit, policies=policies, saving=saving)
    # In the order of their scores, rows need no sorting again in every resample.
    test = scores[scores["part"] == "test"].sort_values("model", ascending=False, kind="stable")
    before = scores.loc[scores["part"] == "validation", "model"].to_numpy()
    declared = not outcome_costs.columns.empty
    threshold, per_1000 = metrics.threshold, evaluation.capacity
    cuts = _what_if_thresholds(before, threshold)
    if per_1000 is not None:
        # To rank the cases at hand takes no label, so the test rows' own scores may be cut.
        cuts.append(capacity_threshold(test["model"].to_numpy(), per_1000 / CASES))
    outcomes = [_outcome(test, cut) for cut in cuts]
    policies, saving, curve = dict[str, Estimate](), dict[str, Estimate](), Curve()
    if declared:
        decisions, across = _decisions(test, metrics), _curve_thresholds(before, threshold)
        sample = Sample.of(test["label"], units, weights=test.get("weight"))
        costs, saved = _price(test, decisions, [*cuts, *across], outcome_costs, sample, evaluation)
        policies = dict(zip(decisions, costs, strict=False))
        saving = dict(zip(list(decisions)[1:], saved, strict=True))
        costs = costs[len(decisions) :]
        outcomes = [replace(each, cost=cost) for each, cost in zip(outcomes, costs, strict=False)]
        costs = costs[len(cuts) :]
        ends = [each.low for each in costs], [each.high for each in costs]
        curve = Curve(across, [each.value for each in costs], *ends)
    capacity = None
    if per_1000 is not None:
        limited = outcomes.pop()
        rate = float(mean(test["label"], test.get("weight")))
        lift = None if limited.precision is None else limited.precision / rate
        capacity = Capacity(per_1000, **vars(limited), lift=lift)
    return Costs(
        declared=declared,
        unit=evaluation.decision_unit,
        threshold=threshold,
        what_if=[Choice(**vars(each), chosen=each.threshold == threshold) for each in outcomes],
        policies=policies,
        saving=saving,
        curve=curve,
        capacity=capacity,
        note=_note(before, threshold) if declared else "",
    )


def _price(
    test: pd.DataFrame,
    decisions: Mapping[str, np.ndarray],
    cuts: list[float],
    outcome_costs: pd.DataFrame,
    sample: Sample,
    evaluation: Evaluation,
) -> tuple[list[Estimate], list[Estimate]]:
    """Costs of all decisions, then of all cuts of the model's scores; and savings of the first decision."""
    acting, leaving = acting_and_leaving(test["label"], outcome_costs)
    extra = acting - leaving
    kept = np.searchsorted(-test["model"].to_numpy(), -np.array(cuts), side="right")
    of_policies = [leaving + extra * acted for acted in decisions.values()]

    def add(weights: np.ndarray) -> np.ndarray:
        policies = np.stack([weigh(weights, costs) for costs in of_policies], axis=1)
        of_cuts = weigh(weights, leaving)[:, None] + accumulate(weights * extra)[:, kept]
        added: np.ndarray = np.hstack([policies, of_cuts]) * CASES / weights.sum(axis=1)[:, None]
        return added

    def figures(values: np.ndarray, drawn: np.ndarray) -> list[Estimate]:
        columns = zip(values, drawn.T, strict=True)
        return [sample.figure(float(value), column, least=-inf) for value, column in columns]

    once = add(sample.once)
    values = once[0]
    drawn = np.concatenate([once[:0], *(map(add, sample.weights(evaluation)) if sample.enough else ())])
    others = slice(1, len(decisions))
    saved = figures(values[others] - values[0], drawn[:, others] - drawn[:, :1])
    return figures(values, drawn), saved


def _decisions(test: pd.DataFrame, metrics: Metrics) -> dict[str, np.ndarray]:
    """By policy, whether each row is acted on; the model first."""
    baselines = [name for name in metrics.thresholds if name not in OWN]
    acted = {name: test[name].to_numpy() >= metrics.thresholds[name] for name in ("model", *baselines)}
    everywhere = np.ones(len(test), dtype=bool)
    return {"model": acted.pop("model"), "all": everywhere, "none": ~everywhere, **acted}


def _what_if_thresholds(probabilities: np.ndarray, threshold: float) -> list[float]:
    """About ten rounded thresholds, with the chosen one as it is, the highest first."""
    near = [float(f"{capacity_threshold(probabilities, share):.{_SHOWN_DIGITS}g}") for share in _SHARES]
    return sorted({threshold, *(each for each in near if each <= 1)}, reverse=True)


def _curve_thresholds(probabilities: np.ndarray, threshold: float) -> list[float]:
    """Thresholds in even steps, and at quantiles of the scores."""
    even = np.linspace(0, 1, _CURVE_STEPS + 1)
    dense = np.quantile(probabilities, even)
    return [float(each) for each in np.unique(np.concatenate([even, dense, [threshold]]))]


def _outcome(test: pd.DataFrame, threshold: float) -> Outcome:
    called, positive = test["model"].to_numpy() >= threshold, test["label"].to_numpy() != 0
    counts = test["weight"].to_numpy(np.float64) if "weight" in test else np.ones(len(test))
    acted, found = float(counts[called].sum()), float(counts[called & positive].sum())
    return Outcome(
        threshold=threshold,
        acted=CASES * acted / float(counts.sum()),
        precision=found / acted if acted else None,
        recall=found / float(counts[positive].sum()),
        cost=None,
    )


def _note(probabilities: np.ndarray, threshold: float) -> str:
    acted = np.count_nonzero(probabilities >= threshold)
    if 0 < acted < len(probabilities):
        return ""
    decision = "acting on every case" if acted else "acting on no case"
    return f"{decision} costs least on the validation rows, so the model hardly matters at these costs"
