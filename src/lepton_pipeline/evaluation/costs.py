"""What decisions cost: at any threshold, under a limited capacity, and beside deciding without the model."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from math import inf
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.metrics import OWN
from lepton_pipeline.evaluation.outcomes import acting_and_leaving
from lepton_pipeline.evaluation.resampling import Figure, Sample
from lepton_pipeline.evaluation.threshold import capacity_threshold
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.measures import accumulate, weigh

CASES = 1000
# Shares of the cases that the rows of the what-if table act on, as far as equal scores and rounding allow.
_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)
_SHOWN_DIGITS = 3
_CURVE_STEPS = 50


def measure_costs(
    scores: pd.DataFrame,
    metrics: dict[str, Any],
    outcome_costs: pd.DataFrame,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Measure on the test rows what it costs, for 1,000 cases, to decide by the model, by a baseline or by none.

    Intervals are 95 % bootstrap intervals over resamples drawn as in `evaluate`, their base rate with them. Costs are
    compared resample by resample, so that chance which hits both sides cancels.

    Args:
        scores: as `evaluate` takes them.
        metrics: as `evaluate` returns them: every model is judged at its own threshold.
        outcome_costs: as `price_outcomes` returns them; without columns, nothing has a cost.
        evaluation: number of resamples, their seed, the capacity and the unit of the costs.
        units: as `find_units` returns them; None: rows are independent.

    Returns:
        `declared` (whether there are costs), `unit`, `threshold` of the model, and
        `what_if`: rows of `threshold`, `chosen`, `acted` (of 1,000 cases), `precision` (None where none is acted on),
        `recall` and `cost` (None without costs), the highest threshold first;
        `policies`: cost by policy: `model`, `all` (act on every case), `none`, and each baseline;
        `saving`: what the model saves against each other policy;
        `curve`: `threshold` with `cost`, `low` and `high`, as lists (of None where there are too few cases to judge);
        `capacity`: what acting on the likeliest cases only achieves: `per_1000`, as declared, and what `what_if` has,
        with `lift`, for the test rows of the highest scores, equal scores not parted; None where none is declared;
        `note`: what a reader should know who would expect decisions in between, or "".
        A figure is one as `evaluate` has them.
    """
    # In the order of their scores, rows need no sorting again in every resample.
    test = scores[scores["part"] == "test"].sort_values("model", ascending=False, kind="stable")
    before = scores.loc[scores["part"] == "validation", "model"].to_numpy()
    declared = not outcome_costs.columns.empty
    threshold = metrics["threshold"]
    cuts = {
        "what_if": _what_if_thresholds(before, threshold),
        "curve": _curve_thresholds(before, threshold) if declared else [],
        "capacity": _capacity_thresholds(test["model"].to_numpy(), evaluation.capacity),
    }
    outcomes = {name: [_outcome(test, cut) for cut in each] for name, each in cuts.items()}
    policies: dict[str, Figure] = {}
    saving: dict[str, Figure] = {}
    if declared:
        decisions, everywhere = _decisions(test, metrics), list(chain(*cuts.values()))
        priced = _Priced.of(test, decisions, everywhere, outcome_costs, evaluation, units)
        policies, saving = priced.policies(), priced.saving()
        for outcome, cost in zip(chain(*outcomes.values()), priced.cuts(), strict=True):
            outcome["cost"] = cost
    return {
        "declared": declared,
        "unit": evaluation.costs.unit if evaluation.costs else "",
        "threshold": threshold,
        "what_if": [{**each, "chosen": each["threshold"] == threshold} for each in outcomes["what_if"]],
        "policies": policies,
        "saving": saving,
        "curve": _as_lists(outcomes["curve"]) if declared else {},
        "capacity": _capacity(outcomes["capacity"], float(test["label"].mean()), evaluation.capacity),
        "note": _note(before, threshold) if declared else "",
    }


@dataclass(frozen=True)
class _Priced:
    """Costs of 1,000 cases: of each policy, then of each cut of the model's scores.

    Attributes:
        names: of the policies, `model` first.
        values: shape [policies + cuts].
        resampled: shape [resamples, policies + cuts]; no resample where there are too few cases to judge.
        sample: the rows, as they are drawn.
    """

    names: list[str]
    values: np.ndarray
    resampled: np.ndarray
    sample: Sample

    @classmethod
    def of(
        cls,
        test: pd.DataFrame,
        decisions: dict[str, np.ndarray],
        cuts: list[float],
        outcome_costs: pd.DataFrame,
        evaluation: Evaluation,
        units: pd.DataFrame | None,
    ) -> _Priced:
        """Add up, for rows from the highest score of the model to the lowest."""
        acting, leaving = acting_and_leaving(test["label"], outcome_costs)
        extra = acting - leaving
        kept = np.searchsorted(-test["model"].to_numpy(), -np.array(cuts), side="right")
        of_policies = [leaving + extra * acted for acted in decisions.values()]

        def add(weights: np.ndarray) -> np.ndarray:
            policies = np.stack([weigh(weights, costs) for costs in of_policies], axis=1)
            of_cuts = weigh(weights, leaving)[:, None] + accumulate(weights * extra)[:, kept]
            added: np.ndarray = np.hstack([policies, of_cuts]) * CASES / weights.sum(axis=1)[:, None]
            return added

        sample, values = Sample.of(test["label"], units), add(np.ones((1, len(test))))
        drawn = [add(weights) for weights in sample.weights(evaluation)] if sample.enough else []
        return cls(list(decisions), values[0], np.concatenate([values[:0], *drawn]), sample)

    def policies(self) -> dict[str, Figure]:
        return {name: self._figure(self.values, self.resampled, place) for place, name in enumerate(self.names)}

    def saving(self) -> dict[str, Figure]:
        less, resampled = self.values - self.values[0], self.resampled - self.resampled[:, :1]
        return {name: self._figure(less, resampled, place) for place, name in enumerate(self.names) if place}

    def cuts(self) -> list[Figure]:
        places = range(len(self.names), len(self.values))
        return [self._figure(self.values, self.resampled, place) for place in places]

    def _figure(self, values: np.ndarray, resampled: np.ndarray, place: int) -> Figure:
        return self.sample.figure(float(values[place]), resampled[:, place], least=-inf)


def _decisions(test: pd.DataFrame, metrics: dict[str, Any]) -> dict[str, np.ndarray]:
    """By policy, whether each row is acted on; the model first."""
    baselines = [name for name in metrics["thresholds"] if name not in OWN]
    acted = {name: test[name].to_numpy() >= metrics["thresholds"][name] for name in ("model", *baselines)}
    everywhere = np.ones(len(test), dtype=bool)
    return {"model": acted.pop("model"), "all": everywhere, "none": ~everywhere, **acted}


def _what_if_thresholds(probabilities: np.ndarray, threshold: float) -> list[float]:
    """About ten thresholds that a reader can type, the chosen one among them as it is, the highest first."""
    near = [float(f"{capacity_threshold(probabilities, share):.{_SHOWN_DIGITS}g}") for share in _SHARES]
    return sorted({threshold, *(each for each in near if each <= 1)}, reverse=True)


def _curve_thresholds(probabilities: np.ndarray, threshold: float) -> list[float]:
    """Thresholds in even steps, and more where the scores are."""
    even, dense = np.linspace(0, 1, _CURVE_STEPS + 1), np.quantile(probabilities, np.linspace(0, 1, _CURVE_STEPS + 1))
    return [float(each) for each in np.unique(np.concatenate([even, dense, [threshold]]))]


def _capacity_thresholds(probabilities: np.ndarray, cases: int | None) -> list[float]:
    # To rank the cases at hand takes no label, so the test rows' own scores may be cut.
    return [] if cases is None else [capacity_threshold(probabilities, cases / CASES)]


def _outcome(test: pd.DataFrame, threshold: float) -> dict[str, Any]:
    called = test["model"].to_numpy() >= threshold
    acted, found = int(called.sum()), int(test["label"].to_numpy()[called].sum())
    return {
        "threshold": float(threshold),
        "acted": CASES * acted / len(test),
        "precision": found / acted if acted else None,
        "recall": found / int(test["label"].sum()),
        "cost": None,
    }


def _as_lists(rows: list[dict[str, Any]]) -> dict[str, list[float | None]]:
    ends = {"cost": "value", "low": "low", "high": "high"}
    return {"threshold": [row["threshold"] for row in rows]} | {
        name: [row["cost"].get(end) for row in rows] for name, end in ends.items()
    }


def _capacity(outcomes: list[dict[str, Any]], base_rate: float, cases: int | None) -> dict[str, Any] | None:
    """What a limited capacity achieves; `lift` is its precision over that of cases drawn at random."""
    if not outcomes:
        return None
    precision = outcomes[0]["precision"]
    return {"per_1000": cases, **outcomes[0], "lift": None if precision is None else precision / base_rate}


def _note(probabilities: np.ndarray, threshold: float) -> str:
    acted = np.count_nonzero(probabilities >= threshold)
    if 0 < acted < len(probabilities):
        return ""
    decision = "acting on every case" if acted else "acting on no case"
    return f"{decision} costs least on the validation rows, so the model hardly matters at these costs"
