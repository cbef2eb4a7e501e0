"""Baselines that are not part of the model, fitted on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.errors import DataError
from lepton_pipeline.model.boosting.fit import boost_by_plan, code_columns
from lepton_pipeline.model.calibration import fit_line
from lepton_pipeline.model.classifier import choose_plan, has_boosting
from lepton_pipeline.model.folds import Fold, Plan, holdout
from lepton_pipeline.parameters import Evaluation, Training
from lepton_pipeline.parameters.evaluation import OWN_BASELINES
from lepton_pipeline.statistics.losses import Floats, log_loss, sigmoid

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

LINEAR, BOOSTING = OWN_BASELINES
# Inverse strengths of the logistic regression's penalty that are tried.
STRENGTHS = (0.01, 0.1, 1.0, 10.0)


def score_baselines(encoded: pd.DataFrame, split: pd.DataFrame, training: Training) -> pd.DataFrame:
    """Fit logistic regression, and boosting if the model has none, on the rows that the model is fitted on.

    A model with boosting is compared with its own (see `score_rows`). Validation rows are scored by fits that
    have not learnt from them. Returns probabilities by validation and test row, in the order of `split`:
    columns `logistic_regression` and, if fitted, `hist_gradient_boosting`.
    """
    plan, labels = choose_plan(split, training), split["label"].to_numpy()
    test = (split["part"] == "test").to_numpy()
    linear = _regress_by_plan(encoded, labels, plan, holdout(split), encoded.loc[test], training.threads)
    parts = {LINEAR: linear}
    if not has_boosting(training):
        trees, held_out = boost_by_plan(encoded, labels, plan, training)
        parts[BOOSTING] = trees.logits(encoded.loc[test]), held_out
    scores = pd.DataFrame(index=split.index)
    for name, (logits, held_out) in parts.items():
        held_out[test] = logits
        scores[name] = sigmoid(held_out)
    return scores[split["part"].isin(["validation", "test"])]


def score_in_use(feature_table: pd.DataFrame, split: pd.DataFrame, evaluation: Evaluation) -> pd.DataFrame:
    """Probabilities of the scores and rules in use, `evaluation.baselines`, for validation and test rows.

    Probabilities are not changed. Rules (true and false) and scores on another scale go through a logistic regression
    on the validation rows: that keeps ranks, and only log loss, Brier score and calibration depend on it.
    Raises DataError if a column is absent, holds no numbers, or has no value in some of these rows.
    """
    rows = split[split["part"].isin(["validation", "test"])]
    declared = {f"evaluation.baselines.{name}": [column] for name, column in evaluation.baselines.items()}
    check_columns([str(each) for each in feature_table.columns], declared, "the table")
    validation, labels = (rows["part"] == "validation").to_numpy(), rows["label"].to_numpy()
    found = pd.DataFrame(index=rows.index)
    for name, column in evaluation.baselines.items():
        scores = _numbers(feature_table.loc[rows.index, column], f"evaluation.baselines.{name}")
        if not ((scores >= 0) & (scores <= 1)).all() or np.isin(scores, (0, 1)).all():
            scores = (scores - scores.mean()) / (scores.std() or 1.0)
            scores = fit_line(scores[validation], labels[validation]).apply(scores)
        found[name] = scores
    return found


def _numbers(column: pd.Series, key: str) -> Floats:
    if not pd.api.types.is_numeric_dtype(column):
        raise DataError(
            f"column {column.name!r} ({key}) holds {column.dropna().iloc[:1].to_list()}, no number; a score in use is "
            "one, or true and false, and higher for the positive class: derive one in features.derive."
        )
    scores = column.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~np.isfinite(scores)
    if wrong.any():
        raise DataError(
            f"column {column.name!r} ({key}) has no score in {int(wrong.sum()):,} of {len(scores):,} validation and "
            f"test rows, first in row {column.index[wrong][0]}; fill them, for instance in features.derive."
        )
    return scores


def _regress_by_plan(
    encoded: pd.DataFrame, labels: npt.NDArray[Any], plan: Plan, fold: Fold, test: pd.DataFrame, threads: int
) -> tuple[Floats, Floats]:
    """Tune the penalty on validation rows, refit by the plan; logits of test and held-out rows."""
    # Imported before the limit is set: it does not hold for libraries that are loaded later.
    from sklearn.linear_model import LogisticRegression  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        validation = encoded.iloc[fold.held_out]
        tried = _regress(encoded.iloc[fold.train], labels[fold.train], STRENGTHS)
        logits = [model.decision_function(validation) for model in tried]
        best = int(np.argmin([log_loss(sigmoid(part), labels[fold.held_out]) for part in logits]))
        kept = tried[best]
        if plan.kind != "holdout":
            everything = plan.everything
            (kept,) = _regress(encoded.iloc[everything], labels[everything], STRENGTHS[best : best + 1])
        held_out = np.full(len(encoded), np.nan)
        held_out[fold.held_out] = logits[best]
        return kept.decision_function(test), held_out


def _regress(rows: pd.DataFrame, labels: npt.NDArray[Any], strengths: tuple[float, ...]) -> list[Pipeline]:
    """Regress on standardised numbers and one-hot codes, once for each strength."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    categorical = code_columns(rows)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), categorical),
        (StandardScaler(), [name for name in rows.columns if name not in categorical]),
    )
    inputs = columns.fit_transform(rows)
    return [
        make_pipeline(columns, LogisticRegression(C=strength, max_iter=5000).fit(inputs, labels))
        for strength in strengths
    ]
