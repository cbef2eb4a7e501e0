"""The models that `quality.py` compares: each is fitted on the same rows and columns and scores the test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from quality_rows import Labelled, Rows, filled, with_categories_of, with_frequent_categories

from lepton_pipeline.parameters import Training

Scores = npt.NDArray[np.float64]
Boost = Callable[[Labelled, Labelled | None, int, int | None], tuple[Any, int]]

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


@dataclass(frozen=True)
class Fit:
    """One fit, in a process of its own.

    Attributes:
        names: of the contenders that it makes.
        run: fits with a seed; the probability of the positive class for every test row, by name.
        packages: what it imports, before the clock starts.
        slow: whether it is spared large tables and many seeds.
    """

    names: tuple[str, ...]
    run: Callable[[Rows, int], Mapping[str, Scores]]
    packages: tuple[str, ...]
    slow: bool = False

    @property
    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [package for package in self.packages if find_spec(package.partition(".")[0]) is None]


def _lepton(rows: Rows, seed: int) -> Mapping[str, Scores]:
    scores = _classifier_scores(rows, Training(seed=seed, threads=1, device="cpu"))
    return {
        name: scores[column].to_numpy(np.float64)
        for name, column in zip(LEPTON, ("model", "network"), strict=True)
    }


def _mlp(rows: Rows, seed: int) -> Mapping[str, Scores]:
    scores = _classifier_scores(rows, Training(model="mlp", seed=seed, threads=1, device="cpu"))
    return {MLP: scores["model"].to_numpy(np.float64)}


def _classifier_scores(rows: Rows, training: Training) -> pd.DataFrame:
    from lepton_pipeline.model.predictor import train_model

    classifier, *_ = train_model(rows.encoded, rows.split, training)
    scores: pd.DataFrame = classifier.scores(rows.encoded.loc[rows.part("test")])
    return scores


def _baselines(rows: Rows, seed: int) -> Mapping[str, Scores]:
    from lepton_pipeline.model.baseline import score_baselines

    # Without boosting in the model, it is fitted as a baseline.
    training = Training(seed=seed, threads=1, boosting=False)
    scores = score_baselines(rows.encoded, rows.split, training).loc[rows.part("test")]
    columns = ("logistic_regression", "hist_gradient_boosting")
    return {
        name: scores[column].to_numpy(np.float64) for name, column in zip(BASELINES, columns, strict=True)
    }


def _hist_gradient_boosting(rows: Rows, seed: int) -> Mapping[str, Scores]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    train, labels = rows.labelled("train", "validation")
    train = with_frequent_categories(train)
    model = HistGradientBoostingClassifier(random_state=seed).fit(train, labels)
    return {HGB: positive(model.predict_proba(with_categories_of(rows.labelled("test")[0], train)))}


def _boosted(fit: Boost, tuned: bool, rows: Rows, seed: int) -> Scores:
    """Fit on the training and validation rows: a tuned preset with as many trees as are best for the validation rows.

    Args:
        fit: takes rows to fit, rows to stop on, the seed and the number of trees (None: the library's defaults); gives
            a model and its best number of trees.
        tuned: whether to take the preset.
        rows: of a vertical.
        seed: of the model.
    """
    rows = rows.numbered()
    trees = None
    if tuned:
        train, (validation, labels) = rows.labelled("train"), rows.labelled("validation")
        _, trees = fit(train, (with_categories_of(validation, train[0]), labels), seed, MOST_TREES)
    fitted = rows.labelled("train", "validation")
    model, _ = fit(fitted, None, seed, trees)
    return positive(model.predict_proba(with_categories_of(rows.labelled("test")[0], fitted[0])))


def _fit_lightgbm(
    rows: Labelled, validation: Labelled | None, seed: int, trees: int | None
) -> tuple[Any, int]:
    lightgbm = import_module("lightgbm")
    preset = {} if trees is None else {**LIGHTGBM, "n_estimators": trees}
    stop = (
        {}
        if validation is None
        else {
            "eval_X": (validation[0],),
            "eval_y": (validation[1],),
            "eval_metric": "binary_logloss",
            "callbacks": [lightgbm.early_stopping(PATIENCE, first_metric_only=True, verbose=False)],
        }
    )
    model = lightgbm.LGBMClassifier(**preset, n_jobs=1, random_state=seed, verbosity=-1)
    model.fit(with_categories_of(rows[0], rows[0]), rows[1], **stop)
    return model, max(model.best_iteration_ or 0, 1)


def _fit_xgboost(
    rows: Labelled, validation: Labelled | None, seed: int, trees: int | None
) -> tuple[Any, int]:
    preset = {} if trees is None else {**XGBOOST, "n_estimators": trees}
    stop = {} if validation is None else {"early_stopping_rounds": PATIENCE, "eval_metric": "logloss"}
    model = import_module("xgboost").XGBClassifier(
        **preset, **stop, tree_method="hist", enable_categorical=True, n_jobs=1, random_state=seed
    )
    watched = {} if validation is None else {"eval_set": [validation]}
    model.fit(with_categories_of(rows[0], rows[0]), rows[1], **watched, verbose=False)
    return model, 1 if validation is None else model.best_iteration + 1


class _CatBoost:
    """CatBoost takes categories as texts, and unseen ones as they are."""

    def __init__(self, **parameters: Any):
        self.model = import_module("catboost").CatBoostClassifier(
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
        """Probabilities of both classes."""
        return self.model.predict_proba(_texts(rows))


def _fit_catboost(
    rows: Labelled, validation: Labelled | None, seed: int, trees: int | None
) -> tuple[Any, int]:
    preset = {} if trees is None else {**CATBOOST, "iterations": trees}
    model = _CatBoost(**preset, random_seed=seed)
    model.fit(rows, validation)
    return model, max(model.model.tree_count_, 1)


def _texts(rows: pd.DataFrame) -> pd.DataFrame:
    names = list(rows.select_dtypes("category"))
    return rows.assign(**rows[names].astype("object").fillna("missing"))


def _realmlp(rows: Rows, seed: int) -> Mapping[str, Scores]:
    """RealMLP-TD (Holzmüller et al., NeurIPS 2024) without label smoothing, as its authors advise for AUC, refitted."""
    return _pytabkit("RealMLP_TD_Classifier", REALMLP, rows, seed, use_ls=False, n_refit=1)


def _tabm(rows: Rows, seed: int) -> Mapping[str, Scores]:
    """TabM (Gorishniy et al., ICLR 2025) with piecewise-linear embeddings; the package offers no refit for it."""
    return _pytabkit("TabM_D_Classifier", TABM, rows, seed, num_emb_type="pwl")


def _pytabkit(kind: str, name: str, rows: Rows, seed: int, **parameters: Any) -> Mapping[str, Scores]:
    rows = filled(rows.numbered())
    train, validation, test = (rows.labelled(part) for part in ("train", "validation", "test"))
    model = getattr(import_module("pytabkit"), kind)(
        device="cpu", n_threads=1, random_state=seed, val_metric_name="cross_entropy", **parameters
    )
    model.fit(*train, *validation)
    return {name: positive(model.predict_proba(test[0]))}


def positive(probabilities: Any) -> Scores:
    """The probability of the positive class, of those of both."""
    return np.asarray(probabilities, dtype=np.float64)[:, 1]


LEPTON = ("lepton (default)", "lepton (network alone)")
MLP, REALMLP, TABM = "lepton (mlp)", "RealMLP-TD", "TabM"
BASELINES, HGB = ("logistic regression", "HGB (tuned)"), "HGB (default)"


def _boosting(name: str, fit: Boost, package: str, tuned: bool = False) -> Fit:
    name = f"{name} ({'tuned' if tuned else 'default'})"
    return Fit((name,), lambda rows, seed: {name: _boosted(fit, tuned, rows, seed)}, (package,))


# By the name that `--only` takes.
FITS = {
    "lepton": Fit(LEPTON, _lepton, ("torch", "sklearn.ensemble")),
    "mlp": Fit((MLP,), _mlp, ("torch",)),
    "baselines": Fit(BASELINES, _baselines, ("sklearn.ensemble", "sklearn.linear_model")),
    "hgb": Fit((HGB,), _hist_gradient_boosting, ("sklearn.ensemble",)),
    "lightgbm": _boosting("LightGBM", _fit_lightgbm, "lightgbm"),
    "lightgbm-tuned": _boosting("LightGBM", _fit_lightgbm, "lightgbm", tuned=True),
    "xgboost": _boosting("XGBoost", _fit_xgboost, "xgboost"),
    "xgboost-tuned": _boosting("XGBoost", _fit_xgboost, "xgboost", tuned=True),
    "catboost": _boosting("CatBoost", _fit_catboost, "catboost"),
    "catboost-tuned": _boosting("CatBoost", _fit_catboost, "catboost", tuned=True),
    "realmlp": Fit((REALMLP,), _realmlp, ("pytabkit",), slow=True),
    "tabm": Fit((TABM,), _tabm, ("pytabkit",), slow=True),
}
