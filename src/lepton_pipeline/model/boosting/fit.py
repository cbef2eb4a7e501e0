"""Gradient boosting over encoded rows: how it is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.features.column_encoders import UNSEEN
from lepton_pipeline.model.boosting.trees import MOST_CODES, Trees
from lepton_pipeline.model.folds import Plan
from lepton_pipeline.parameters import Training

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

# Learning rates. On 195,000 rows of flights the faster one took a third of the time and ended no worse.
SLOW, FAST, MANY_ROWS = 0.03, 0.06, 100_000
# Trees without a better log loss of the stop rows before it stops: 100 at the slower rate.
PATIENCE = 3
MOST_TREES = 3000

Labels = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


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


def fit_boosting(
    features: pd.DataFrame,
    labels: Labels,
    *,
    stop_features: pd.DataFrame | None = None,
    stop_labels: Labels | None = None,
    trees: int | None = None,
    learning_rate: float | None = None,
    threads: int = 1,
    seed: int = 0,
    class_weight: Literal["none", "balanced"] = "none",
) -> Boosted:
    """Fit HistGradientBoosting, for as many trees as given or until the log loss of the stop rows has long not fallen.

    Args:
        features: encoded training rows, float32 numbers and int32 codes; codes beyond what it takes count as unseen.
        labels: 0 or 1, both of them there, [rows].
        stop_features: the rows that stop it, with the same columns; needed where `trees` is not given.
        stop_labels: theirs.
        trees: how many trees are fitted; the stop rows are then not looked at.
        learning_rate: None takes it by the number of rows.
        threads: of the CPU.
        seed: of the columns that each split may look at.
        class_weight: "balanced" gives both classes the same total weight, in the stop rows by the same factors.

    Raises:
        ValueError: nothing says when to stop.
    """
    # Imported before the limit is set: it does not hold for libraries that are loaded later.
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    given: dict[str, Any] = {}
    if trees is None:
        if stop_features is None or stop_labels is None:
            raise ValueError("fit_boosting has neither stop rows nor a number of trees; give one of them.")
        given = {"X_val": folded(stop_features), "y_val": stop_labels}
    if class_weight == "balanced":
        factors = len(labels) / (2 * np.bincount(labels, minlength=2))
        given["sample_weight"] = factors[labels]
        if trees is None:
            given["sample_weight_val"] = factors[stop_labels]
    rate = learning_rate or (SLOW if len(features) <= MANY_ROWS else FAST)
    model = HistGradientBoostingClassifier(
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
    with threadpool_limits(threads):
        model.fit(folded(features), labels, **given)
    # Entry 0 is the score before the first tree.
    return Boosted(model, trees or max(int(np.argmax(model.validation_score_)), 1), rate)


def _smallest_leaf(rows: int) -> int:
    """Fewest rows of a leaf; 30 is too many of a few hundred rows: fewer lowered the log loss by .002 to .007."""
    return max(5, min(30, rows // 80))


def boost_by_plan(encoded: pd.DataFrame, labels: Labels, plan: Plan, training: Training) -> tuple[Trees, Floats]:
    """Fit one model a fold, and once more on everything where the plan says so.

    Args:
        encoded: float32 numbers and int32 codes of all rows.
        labels: 0 or 1, [rows].
        plan: which rows each model is fitted on and stopped by.
        training: seed, CPU threads and class weights.

    Returns:
        The mean of the models' logits, or the model fitted on everything; and the logits of the held-out rows by models
        that have not learnt from them, float64 [rows], NaN elsewhere.
    """
    # By name: the order in which columns come changes nothing then.
    encoded = encoded[sorted(encoded.columns)]
    options: dict[str, Any] = {"threads": training.threads, "class_weight": training.class_weight}
    held_out = np.full(len(encoded), np.nan)
    fitted = []
    for number, fold in enumerate(plan.folds):
        stop = encoded.iloc[fold.held_out]
        boosted = fit_boosting(
            encoded.iloc[fold.train],
            labels[fold.train],
            stop_features=stop,
            stop_labels=labels[fold.held_out],
            seed=training.seed + number,
            **options,
        )
        held_out[fold.held_out] = Trees.average([(boosted.model, boosted.trees)]).logits(stop)
        fitted.append(boosted)
    if plan.refit:
        last = fitted[-1]
        fitted = [
            fit_boosting(
                encoded.iloc[plan.everything],
                labels[plan.everything],
                trees=last.trees,
                learning_rate=last.learning_rate,
                seed=training.seed,
                **options,
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
