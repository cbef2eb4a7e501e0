"""Gradient boosting over encoded rows: how it is fitted."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

# Learning rates. On 195,000 rows of flights the faster one took a third of the time and ended no worse.
SLOW, FAST, MANY_ROWS = 0.03, 0.06, 100_000
# Trees without a better log loss of the stop rows before it stops: 100 at the slower rate.
PATIENCE = 3
MOST_TREES = 3000

Labels = npt.NDArray[Any]


@dataclass(frozen=True)
class Boosted:
    """A fitted model.

    Attributes:
        model: scikit-learn's; it may hold more trees than count.
        trees: how many of its trees count, from the first.
        learning_rate: what it was fitted with; as many trees are as good on other rows only at the same rate.
    """

    model: HistGradientBoostingClassifier
    trees: int
    learning_rate: float


def boost(
    features: pd.DataFrame,
    labels: Labels,
    training: Training,
    *,
    stop: tuple[pd.DataFrame, Labels] | None = None,
    trees: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
) -> Boosted:
    """Fit HistGradientBoosting, for as many trees as given or until the log loss of the stop rows has long not fallen.

    Args:
        features: encoded training rows, float32 numbers and int32 codes; codes beyond what it takes count as
            unseen.
        labels: 0 or 1, both of them there, [rows].
        training: CPU threads and class weights; "balanced" gives both classes the same total weight, in the
            stop rows by the same factors.
        stop: features and labels of the rows that stop it; needed where `trees` is not given.
        trees: how many trees are fitted; the stop rows are then not looked at.
        learning_rate: None takes it by the number of rows.
        seed: of the columns that each split may look at.

    Raises:
        ValueError: nothing says when to stop.
    """
    given: dict[str, Labels | pd.DataFrame] = {}
    balanced = training.class_weight == "balanced"
    factors = len(labels) / (2 * np.bincount(labels, minlength=2)) if balanced else np.ones(2)
    if balanced:
        given["sample_weight"] = factors[labels]
    if trees is None:
        if stop is None:
            raise ValueError("boost has neither stop rows nor a number of trees; give one of them.")
        given |= {"X_val": folded(stop[0]), "y_val": stop[1]}
        if balanced:
            given["sample_weight_val"] = factors[stop[1]]
    rate = learning_rate or (SLOW if len(features) <= MANY_ROWS else FAST)
    model = fit_boosting(
        folded(features),
        labels,
        given,
        training.threads,
        learning_rate=rate,
        max_iter=trees or MOST_TREES,
        max_leaf_nodes=15,
        min_samples_leaf=_smallest_leaf(len(features)),
        l2_regularization=1.0,
        max_features=0.5,
        categorical_features=code_columns(features),
        early_stopping=trees is None,
        n_iter_no_change=round(PATIENCE / rate),
        random_state=seed,
    )
    # Entry 0 is the score before the first tree.
    return Boosted(model, trees or max(int(np.argmax(model.validation_score_)), 1), rate)


def _smallest_leaf(rows: int) -> int:
    """Fewest rows of a leaf; 30 is too many of a few hundred rows: fewer lowered the log loss by .002 to .007."""
    return max(5, min(30, rows // 80))


def boost_by_plan(
    encoded: pd.DataFrame, labels: Labels, plan: Plan, training: Training
) -> tuple[Trees, Floats]:
    """Fit one model a fold, and once more on everything where the plan says so.

    Args:
        encoded: float32 numbers and int32 codes of all rows.
        labels: 0 or 1, [rows].
        plan: which rows each model is fitted on and stopped by.
        training: seed, CPU threads and class weights.

    Returns:
        The mean of the models' logits, or the model fitted on everything; and the logits of the held-out rows
        by models that have not learnt from them, float64 [rows], NaN elsewhere.
    """
    # By name: the order in which columns come changes nothing then.
    encoded = encoded[sorted(encoded.columns)]
    held_out = np.full(len(encoded), np.nan)
    fitted = []
    for number, fold in enumerate(plan.folds):
        stop = encoded.iloc[fold.held_out]
        boosted = boost(
            encoded.iloc[fold.train],
            labels[fold.train],
            training,
            stop=(stop, labels[fold.held_out]),
            seed=training.seed + number,
        )
        held_out[fold.held_out] = Trees.average([(boosted.model, boosted.trees)]).logits(stop)
        fitted.append(boosted)
    if plan.refit:
        last = fitted[-1]
        fitted = [
            boost(
                encoded.iloc[plan.everything],
                labels[plan.everything],
                training,
                trees=last.trees,
                learning_rate=last.learning_rate,
                seed=training.seed,
            )
        ]
    return Trees.average([(boosted.model, boosted.trees) for boosted in fitted]), held_out


def code_columns(rows: pd.DataFrame) -> list[str]:
    """Names of the columns that hold codes: all but those of floats."""
    return [str(name) for name, dtype in rows.dtypes.items() if dtype.kind != "f"]


def folded(rows: pd.DataFrame) -> pd.DataFrame:
    """Let codes beyond what boosting takes count as unseen; they are the rarest ones."""
    codes = rows[code_columns(rows)]
    return rows.assign(**codes.where(codes < MOST_CODES, UNSEEN))
