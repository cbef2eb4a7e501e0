"""Fit gradient boosting on encoded rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.features.column_encoders import UNSEEN
from lepton_pipeline.model.boosting.trees import MOST_CODES, Trees
from lepton_pipeline.model.folds import Plan
from lepton_pipeline.parameters import Training
from lepton_pipeline.statistics.boosting import fit_boosting
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.system.workers import Call, Pool, Report, Steps, run_steps
from lepton_pipeline.tasks.task import Booster, Task

if TYPE_CHECKING:
    from lepton_pipeline.statistics.boosting import Boosting

# Learning rates. On 195,000 rows of flights the faster one took a third of the time and ended no worse.
SLOW, FAST, MANY_ROWS = 0.03, 0.06, 100_000
# Trees without a better loss of the stop rows before it stops: 100 at the slower rate.
PATIENCE = 3
MOST_TREES = 3000

Array = npt.NDArray[Any]
CLASSES = Booster()


@dataclass(frozen=True)
class Targets:
    """What rows shall give, see `Task.targets`, and how much each counts, [n] each; None for equal ones."""

    numbers: Array
    weights: Array | None = None

    def of(self, rows: Array) -> Targets:
        """Those of some positions."""
        return Targets(self.numbers[rows], None if self.weights is None else self.weights[rows])

    def sample_weights(self, factors: Array | None) -> Array | None:
        """Weights by row and, with a factor for each, by class; None for equal ones."""
        if factors is None:
            return self.weights
        of_classes: Array = factors[self.numbers.astype(np.intp)]
        return of_classes if self.weights is None else of_classes * self.weights


def boost(
    features: pd.DataFrame,
    targets: Targets,
    training: Training,
    *,
    stop: tuple[pd.DataFrame, Targets] | None = None,
    trees: int | None = None,
    learning_rate: float | None = None,
    booster: Booster = CLASSES,
) -> tuple[Boosting, int]:
    """Fit a given number of iterations, or until the loss of the `stop` rows stops falling.

    Codes beyond its limit count as unseen. Class weight "balanced" gives all classes the same total weight,
    in stop rows by the same factors. `learning_rate` None follows the number of rows.
    Returns the fitted model, and how many of its iterations count.
    """
    given: dict[str, Array | pd.DataFrame | None] = {}
    factors = None
    if training.class_weight == "balanced":
        counts = np.bincount(targets.numbers.astype(np.intp), targets.weights, minlength=2)
        factors = counts.sum() / (len(counts) * counts)
    given["sample_weight"] = targets.sample_weights(factors)
    if stop is not None:
        given |= {"X_val": folded(stop[0]), "y_val": stop[1].numbers}
        given["sample_weight_val"] = stop[1].sample_weights(factors)
    rate = learning_rate or (SLOW if len(features) <= MANY_ROWS else FAST)
    model = fit_boosting(
        folded(features),
        targets.numbers,
        given,
        training.threads,
        **{} if booster == CLASSES else vars(booster),
        learning_rate=rate,
        max_iter=trees or MOST_TREES,
        max_leaf_nodes=15,
        # In small tables fewer than 30, which lowered the log loss by .002 to .007.
        min_samples_leaf=max(5, min(30, len(features) // 80)),
        l2_regularization=1.0,
        max_features=0.5,
        categorical_features=code_columns(features),
        early_stopping=stop is not None,
        n_iter_no_change=round(PATIENCE / rate),
        random_state=training.seed,
    )
    # Entry 0 is the score before the first tree.
    return model, trees or max(int(np.argmax(model.validation_score_)), 1)


def boost_by_plan(
    rows: pd.DataFrame, targets: Targets, plan: Plan, training: Training, task: Task
) -> tuple[list[Trees], Floats]:
    """Fit as `boosting_steps` does, one fit after the other."""
    steps = boosting_steps(rows, targets, plan, training, task)
    found: tuple[list[Trees], Floats] = run_steps(Pool(1), steps, report=print)[0]
    return found


def boosting_steps(rows: pd.DataFrame, targets: Targets, plan: Plan, training: Training, task: Task) -> Steps:
    """Fit one model a fold, then once on everything if the plan says so.

    Returns the averaged or refitted trees of each output, and the out-of-fold outputs, float64 [rows] or
    [rows, outputs], NaN elsewhere.
    """
    # By name: the order in which columns come changes nothing then.
    names, boosters, folds = sorted(rows.columns), task.boosters, plan.folds
    fitted = yield [
        Call(
            _boost,
            (
                rows.iloc[fold.train][names],
                targets.of(fold.train),
                training.model_copy(update={"seed": training.seed + number}),
                booster,
                (rows.iloc[fold.held_out][names], targets.of(fold.held_out)),
                None,
            ),
        )
        for booster in boosters
        for number, fold in enumerate(folds)
    ]
    of_each = [fitted[start : start + len(folds)] for start in range(0, len(fitted), len(folds))]
    held_out = [each for models in of_each for each in _held_out(rows, plan, models)]
    if plan.refit:
        everything = rows.iloc[plan.everything][names], targets.of(plan.everything)
        # The number of trees holds at this learning rate.
        longer = [(trees, model.learning_rate) for [*_, (model, trees)] in of_each]
        fitted = yield [
            Call(_boost, (*everything, training, booster, None, each))
            for booster, each in zip(boosters, longer, strict=True)
        ]
        of_each = [[model] for model in fitted]
    every = [
        Trees.average(models, output)
        for models in of_each
        for output in range(models[0][0].n_trees_per_iteration_)
    ]
    return every, held_out[0] if len(held_out) == 1 else np.column_stack(held_out)


def _boost(
    features: pd.DataFrame,
    targets: Targets,
    training: Training,
    booster: Booster,
    stop: tuple[pd.DataFrame, Targets] | None,
    again: tuple[int, float] | None,
    report: Report,
) -> tuple[Boosting, int]:
    """Boost until `stop`, or `again` so many trees at a learning rate; nothing is reported on the way."""
    trees, rate = again or (None, None)
    return boost(features, targets, training, stop=stop, trees=trees, learning_rate=rate, booster=booster)


def _held_out(encoded: pd.DataFrame, plan: Plan, models: Sequence[tuple[Boosting, int]]) -> list[Floats]:
    """Out-of-fold values of each output of one model."""
    found: list[Floats] = [np.full(len(encoded), np.nan) for _ in range(models[0][0].n_trees_per_iteration_)]
    for fold, model in zip(plan.folds, models, strict=True):
        for output, scored in enumerate(found):
            scored[fold.held_out] = Trees.average([model], output).outputs(encoded.iloc[fold.held_out])
    return found


def code_columns(rows: pd.DataFrame) -> list[str]:
    """Names of the columns that hold codes: all except floats."""
    return [str(name) for name, dtype in rows.dtypes.items() if dtype.kind != "f"]


def folded(rows: pd.DataFrame) -> pd.DataFrame:
    """Replace codes beyond the limit of boosting, which are the rarest, by unseen."""
    codes = rows[code_columns(rows)]
    return rows.assign(**codes.where(codes < MOST_CODES, UNSEEN))
