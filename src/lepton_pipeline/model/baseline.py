"""Baselines that are not part of the model, fitted on the same rows."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.data.labels import learnt_labels, row_scale
from lepton_pipeline.model.boosting.fit import Targets, boost_by_plan, code_columns
from lepton_pipeline.model.folds import Fold, Plan, holdout
from lepton_pipeline.model.predictor import choose_plan, has_boosting
from lepton_pipeline.parameters import Evaluation, Training
from lepton_pipeline.parameters.evaluation import BOOSTING_BASELINE
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.samples import sample_positions
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.task import Task, mean

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

logger = logging.getLogger(__name__)
BOOSTING = BOOSTING_BASELINE
# A linear model of so many rows is hardly better with more; its outputs are made of so many rows at once.
LINEAR_ROWS, SCORED_ROWS = 300_000, 100_000


def score_baselines(
    encoded: pd.DataFrame, split: pd.DataFrame, target: Target, training: Training
) -> pd.DataFrame:
    """Fit a linear model, and boosting if the model has none, on the rows that the model is fitted on.

    A model with boosting is compared with its own (see `score_rows`). Validation rows are scored by fits that
    have not learnt from them. Of more than `LINEAR_ROWS` rows the linear model learns from a sample.

    Returns scores by validation and test row, in the order of `split`: columns of
    `Task.linear` and, if fitted, of `hist_gradient_boosting`.
    """
    plan, labels = choose_plan(split, training), learnt_labels(split).to_numpy()
    task = target.task.fitted(labels[plan.everything])
    weights = split["weight"].to_numpy() if "weight" in split else None
    targets, test = Targets(task.targets(labels), weights), (split["part"] == "test").to_numpy()
    rows = _Rows(encoded, targets, labels, training.threads)
    parts = {task.linear: _regress_by_plan(task, rows, plan, holdout(split), encoded.loc[test])}
    if task.boosters and not has_boosting(training, task):
        trees, held_out = boost_by_plan(encoded, targets, plan, training, task)
        each = [every.outputs(encoded.loc[test]) for every in trees]
        parts[BOOSTING] = each[0] if len(each) == 1 else np.column_stack(each), held_out
    scores: dict[str, Floats] = {}
    scale = row_scale(split)
    used = split["part"].isin(["validation", "test"]).to_numpy()
    for name, (outputs, held_out) in parts.items():
        held_out[test] = outputs
        found = task.from_outputs(held_out[used])
        scores |= task.columns(name, found if scale is None else task.in_units(found, scale[used]))
    return pd.DataFrame(scores, index=split.index[used])


def score_in_use(
    feature_table: pd.DataFrame, split: pd.DataFrame, target: Target, evaluation: Evaluation
) -> pd.DataFrame:
    """Scores of what is in use, `evaluation.baselines`, for validation and test rows; see `Task.in_use`.

    Raises DataError if a column is absent, or has no score in some of these rows.
    """
    rows, task = split[split["part"].isin(["validation", "test"])], target.task
    declared = {f"evaluation.baselines.{name}": [column] for name, column in evaluation.baselines.items()}
    check_columns([str(each) for each in feature_table.columns], declared, "the table")
    validation, labels = (rows["part"] == "validation").to_numpy(), rows["label"].to_numpy()
    found: dict[str, Floats] = {}
    for name, column in evaluation.baselines.items():
        key = f"evaluation.baselines.{name}"
        found |= task.columns(
            name, task.in_use(feature_table.loc[rows.index, column], labels, validation, key)
        )
    return pd.DataFrame(found, index=rows.index)


@dataclass(frozen=True)
class _Rows:
    """Encoded rows with targets and labels, and the threads to fit on."""

    encoded: pd.DataFrame
    targets: Targets
    labels: npt.NDArray[Any]
    threads: int


def _regress_by_plan(
    task: Task, rows: _Rows, plan: Plan, fold: Fold, test: pd.DataFrame
) -> tuple[Floats, Floats]:
    """Tune the penalty on validation rows, refit by the plan; outputs of test and held-out rows."""
    # Imported before the limit is set: it does not hold for libraries that are loaded later.
    from sklearn.linear_model import LogisticRegression  # noqa: F401
    from threadpoolctl import threadpool_limits

    encoded, targets = rows.encoded, rows.targets
    with threadpool_limits(rows.threads), warnings.catch_warnings():
        # A fit of many classes is stopped before it has converged.
        warnings.filterwarnings("ignore", "lbfgs failed to converge")
        validation = encoded.iloc[fold.held_out]
        train = _sampled(fold.train)
        tried = _regress(task, encoded.iloc[train], targets.of(train), task.strengths)
        outputs = [_outputs(model, validation) for model in tried]
        truth, counts = rows.labels[fold.held_out], targets.of(fold.held_out).weights
        best = int(np.argmin([mean(task.row_losses(part, truth), counts) for part in outputs]))
        kept = tried[best]
        if plan.kind != "holdout":
            everything = _sampled(plan.everything)
            strength = task.strengths[best : best + 1]
            (kept,) = _regress(task, encoded.iloc[everything], targets.of(everything), strength)
        held_out = np.full((len(encoded), *outputs[best].shape[1:]), np.nan)
        held_out[fold.held_out] = outputs[best]
        return _outputs(kept, test), held_out


def _sampled(rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """At most `LINEAR_ROWS` of the rows' positions, in their order."""
    if len(rows) > LINEAR_ROWS:
        logger.info(
            "the linear baseline learns from a sample of %s of %s rows", f"{LINEAR_ROWS:,}", f"{len(rows):,}"
        )
    return rows[sample_positions(len(rows), LINEAR_ROWS)]


def _outputs(model: Pipeline, rows: pd.DataFrame) -> Floats:
    """Logits of a classifier, predictions of a regressor."""
    wanted = model.decision_function if hasattr(model, "decision_function") else model.predict
    starts = range(0, max(len(rows), 1), SCORED_ROWS)
    return np.concatenate([wanted(rows.iloc[start : start + SCORED_ROWS]) for start in starts])


def _regress(
    task: Task, rows: pd.DataFrame, targets: Targets, strengths: tuple[float, ...]
) -> list[Pipeline]:
    """Regress on standardised numbers and one-hot codes, once for each strength."""
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    categorical = code_columns(rows)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), categorical),
        (StandardScaler(), [name for name in rows.columns if name not in categorical]),
    )
    inputs = columns.fit_transform(rows)
    return [
        make_pipeline(columns, task.linear_model(strength).fit(inputs, targets.numbers, targets.weights))
        for strength in strengths
    ]
