"""Other libraries' models, all fitted alike: tuned on the validation rows, then fitted again with them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from quality_metrics import BINARY, MULTICLASS, REGRESSION, Prediction, Scores
from quality_rows import Labelled, Rows, with_categories_of, with_frequent_categories

from lepton_pipeline.model.boosting.fit import code_columns

# Takes the task, rows to fit, rows to tune on, the seed and a setting (None: the library's defaults); gives
# a model and the setting, a number of trees or a strength, that was best for the rows to tune on.
Opponent = Callable[[str, Labelled, Labelled | None, int, float | None], tuple[Any, float]]

# One preset a library for all tables: small steps, some regularisation, rows and columns sampled.
MOST_TREES, PATIENCE = 5000, 100
LIGHTGBM = {
    "learning_rate": 0.03,
    "num_leaves": 24,
    "min_child_samples": 30,
    "subsample": 0.8,
    "subsample_freq": 1,
    "colsample_bytree": 0.6,
    "reg_lambda": 5.0,
}
XGBOOST = {
    "learning_rate": 0.03,
    "max_depth": 5,
    "min_child_weight": 5,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "reg_lambda": 5.0,
}
CATBOOST = {
    "learning_rate": 0.04,
    "depth": 6,
    "l2_leaf_reg": 5.0,
    "bootstrap_type": "Bernoulli",
    "subsample": 0.8,
    "rsm": 0.6,
}
# Those of the product's boosting.
HGB = {"learning_rate": 0.03, "max_leaf_nodes": 15, "l2_regularization": 1.0, "max_features": 0.5}
# Inverse strengths of the penalty of logistic regression, strengths of that of ridge regression.
INVERSE_STRENGTHS, RIDGE_STRENGTHS = (0.01, 0.1, 1.0, 10.0), (0.1, 1.0, 10.0, 100.0, 1000.0)
_LOSSES = {
    "lightgbm": {BINARY: "binary_logloss", MULTICLASS: "multi_logloss", REGRESSION: "l2"},
    "xgboost": {BINARY: "logloss", MULTICLASS: "mlogloss", REGRESSION: "rmse"},
}


def fit_opponent(fit: Opponent, tuned: bool, rows: Rows, seed: int) -> Prediction:
    """Fit on training and validation rows, a tuned preset with the setting that validation rows chose.

    The interval of a regression is that of split conformal prediction: the residuals of validation rows come
    from the same preset and setting, fitted on the training rows alone.
    """
    rows = rows.numbered()
    train, everything = rows.learnt("train"), rows.learnt("train", "validation")
    validation, labels = rows.learnt("validation")
    validation = with_categories_of(validation, train[0])
    first, setting = None, None
    if tuned:
        first, setting = fit(rows.task, train, (validation, labels), seed, MOST_TREES)
    model, _ = fit(rows.task, everything, None, seed, setting)
    values = _outputs(rows.task, model, with_categories_of(rows.labelled("test")[0], everything[0]))
    if rows.task != REGRESSION:
        return Prediction(values)
    if first is None:
        first, _ = fit(rows.task, train, None, seed, setting)
    return rows.with_interval(values, labels - _outputs(rows.task, first, validation))


def fit_hgb(fit: Opponent, tuned: bool, rows: Rows, seed: int) -> Prediction:
    """As `fit_opponent`, for scikit-learn's boosting, which takes at most 255 categories a column."""
    frequent = with_frequent_categories(rows.labelled("train", "validation")[0])
    return fit_opponent(fit, tuned, rows.with_raw(with_categories_of(rows.raw, frequent)), seed)


def fit_linear(rows: Rows, seed: int) -> Prediction:
    """Logistic or ridge regression on the encoded columns, as the product's own linear baseline is."""
    return fit_opponent(linear, True, rows.with_raw(rows.encoded), seed)


def class_probabilities(task: str, probabilities: npt.NDArray[Any]) -> Scores:
    """Probabilities as `Prediction` holds them, from those of all classes [n, classes]."""
    given = np.asarray(probabilities, dtype=np.float64)
    values: Scores = given[:, 1] if task == BINARY else given / given.sum(axis=1, keepdims=True)
    return values


def _outputs(task: str, model: Any, rows: pd.DataFrame) -> Scores:
    if task == REGRESSION:
        return np.asarray(model.predict(rows), dtype=np.float64)
    return class_probabilities(task, model.predict_proba(rows))


def _estimator(package: str, name: str, task: str) -> Any:
    return getattr(import_module(package), f"{name}{'Regressor' if task == REGRESSION else 'Classifier'}")


def lightgbm(
    task: str, rows: Labelled, validation: Labelled | None, seed: int, trees: float | None
) -> tuple[Any, float]:
    """LightGBM, stopped by the task's loss."""
    stopping = import_module("lightgbm").early_stopping
    preset = {} if trees is None else {**LIGHTGBM, "n_estimators": int(trees)}
    stop = (
        {}
        if validation is None
        else {
            "eval_X": (validation[0],),
            "eval_y": (validation[1],),
            "eval_metric": _LOSSES["lightgbm"][task],
            "callbacks": [stopping(PATIENCE, first_metric_only=True, verbose=False)],
        }
    )
    model = _estimator("lightgbm", "LGBM", task)(**preset, n_jobs=1, random_state=seed, verbosity=-1)
    model.fit(with_categories_of(rows[0], rows[0]), rows[1], **stop)
    return model, max(model.best_iteration_ or 0, 1)


def xgboost(
    task: str, rows: Labelled, validation: Labelled | None, seed: int, trees: float | None
) -> tuple[Any, float]:
    """XGBoost, stopped by the task's loss."""
    preset = {} if trees is None else {**XGBOOST, "n_estimators": int(trees)}
    stop = (
        {}
        if validation is None
        else {"early_stopping_rounds": PATIENCE, "eval_metric": _LOSSES["xgboost"][task]}
    )
    model = _estimator("xgboost", "XGB", task)(
        **preset, **stop, tree_method="hist", enable_categorical=True, n_jobs=1, random_state=seed
    )
    watched = {} if validation is None else {"eval_set": [validation]}
    model.fit(with_categories_of(rows[0], rows[0]), rows[1], **watched, verbose=False)
    return model, 1 if validation is None else model.best_iteration + 1


class _CatBoost:
    """Hand CatBoost its categories as texts; it accepts unseen ones."""

    def __init__(self, task: str, **parameters: Any):
        self.model = _estimator("catboost", "CatBoost", task)(
            **parameters, thread_count=1, allow_writing_files=False, verbose=False
        )

    def fit(self, rows: Labelled, validation: Labelled | None) -> None:
        """Fit, and keep the best trees for the validation rows where there are any."""
        watched = (
            {}
            if validation is None
            else {
                "eval_set": (_texts(validation[0]), validation[1]),
                "early_stopping_rounds": PATIENCE,
                "use_best_model": True,
            }
        )
        self.model.fit(
            _texts(rows[0]), rows[1], cat_features=list(rows[0].select_dtypes("category")), **watched
        )

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        """Probabilities of all classes."""
        return self.model.predict_proba(_texts(rows))

    def predict(self, rows: pd.DataFrame) -> Any:
        """Values of a regression."""
        return self.model.predict(_texts(rows))


def catboost(
    task: str, rows: Labelled, validation: Labelled | None, seed: int, trees: float | None
) -> tuple[Any, float]:
    """CatBoost, stopped by the task's loss, which is its default."""
    preset = {} if trees is None else {**CATBOOST, "iterations": int(trees)}
    model = _CatBoost(task, **preset, random_seed=seed)
    model.fit(rows, validation)
    return model, max(model.model.tree_count_, 1)


def _texts(rows: pd.DataFrame) -> pd.DataFrame:
    names = list(rows.select_dtypes("category"))
    return rows.assign(**rows[names].astype("object").fillna("missing"))


def hgb(
    task: str, rows: Labelled, validation: Labelled | None, seed: int, trees: float | None
) -> tuple[Any, float]:
    """scikit-learn's boosting, stopped by the task's loss."""
    preset: dict[str, Any] = {}
    if trees is not None:
        leaf = max(5, min(30, len(rows[0]) // 80))
        preset = {**HGB, "max_iter": int(trees), "min_samples_leaf": leaf, "early_stopping": False}
    stop: dict[str, Any] = {}
    if validation is not None:
        preset |= {"early_stopping": True, "n_iter_no_change": PATIENCE}
        stop = {"X_val": validation[0], "y_val": validation[1]}
    model = _estimator("sklearn.ensemble", "HistGradientBoosting", task)(**preset, random_state=seed)
    model.fit(*rows, **stop)
    # Entry 0 is the score before the first tree.
    return model, 1 if validation is None else max(int(np.argmax(model.validation_score_)), 1)


def linear(
    task: str, rows: Labelled, validation: Labelled | None, seed: int, strength: float | None
) -> tuple[Any, float]:
    """Regression on standardised numbers and one-hot codes; validation rows choose its penalty."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    codes = code_columns(rows[0])
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), codes),
        (StandardScaler(), [name for name in rows[0].columns if name not in codes]),
    )

    def fit(strength: float | None) -> Any:
        last = Ridge(alpha=strength) if task == REGRESSION else LogisticRegression(C=strength, max_iter=5000)
        return make_pipeline(columns, last).fit(*rows)

    if validation is None:
        return fit(strength), strength or 1.0
    strengths = RIDGE_STRENGTHS if task == REGRESSION else INVERSE_STRENGTHS
    tried = {each: fit(each) for each in strengths}
    losses = {
        each: _loss(task, _outputs(task, model, validation[0]), validation[1])
        for each, model in tried.items()
    }
    best = min(losses, key=lambda each: losses[each])
    return tried[best], best


def _loss(task: str, values: Scores, labels: npt.NDArray[Any]) -> float:
    from sklearn.metrics import log_loss, mean_squared_error

    if task == REGRESSION:
        return float(mean_squared_error(labels, values))
    return float(log_loss(labels, values, labels=np.arange(values.shape[1])))
