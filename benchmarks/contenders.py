"""The models that `quality.py` compares: each is fitted on the same rows and columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from opponents import (
    Opponent,
    catboost,
    class_probabilities,
    fit_hgb,
    fit_linear,
    fit_opponent,
    hgb,
    lightgbm,
    xgboost,
)
from quality_metrics import BINARY, MULTICLASS, RANKED, REGRESSION, Prediction
from quality_product import predict, predict_baselines
from quality_rows import Rows, filled

from lepton_pipeline.parameters import Training

Predictions = Mapping[str, Prediction]


@dataclass(frozen=True)
class Fit:
    """One fit, in a process of its own.

    Attributes:
        names: of the contenders that it makes.
        run: fits with a seed; the predictions of the test rows, by name.
        packages: what it imports, before the clock starts.
        tasks: what it can do.
        slow: whether it is spared large tables and many seeds.
    """

    names: tuple[str, ...]
    run: Callable[[Rows, int], Predictions]
    packages: tuple[str, ...]
    tasks: tuple[str, ...] = tuple(RANKED)
    slow: bool = False

    @property
    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [package for package in self.packages if find_spec(package.partition(".")[0]) is None]


def _lepton(rows: Rows, seed: int) -> Predictions:
    predicted = predict(
        rows.encoded, rows.split, rows.target, Training(seed=seed, threads=1, jobs=1, device="cpu")
    )
    return {name: predicted[part] for name, part in zip(LEPTON, ("model", "network"), strict=True)}


def _mlp(rows: Rows, seed: int) -> Predictions:
    training = Training(model="mlp", seed=seed, threads=1, jobs=1, device="cpu")
    return {MLP: predict(rows.encoded, rows.split, rows.target, training)["model"]}


def _baselines(rows: Rows, seed: int) -> Predictions:
    # Without boosting in the model, it is fitted as a baseline.
    training = Training(seed=seed, threads=1, jobs=1, boosting=False)
    predicted = predict_baselines(rows.encoded, rows.split, rows.target, training)
    columns = ("logistic_regression", "hist_gradient_boosting")
    return {name: predicted[column] for name, column in zip(BASELINES, columns, strict=True)}


def _realmlp(rows: Rows, seed: int) -> Predictions:
    """RealMLP-TD (Holzmüller et al., NeurIPS 2024), refitted, without label smoothing as for AUC."""
    return _pytabkit("RealMLP_TD_Classifier", REALMLP, rows, seed, use_ls=False, n_refit=1)


def _tabm(rows: Rows, seed: int) -> Predictions:
    """TabM (Gorishniy et al., ICLR 2025), piecewise-linear embeddings; the package has no refit for it."""
    return _pytabkit("TabM_D_Classifier", TABM, rows, seed, num_emb_type="pwl")


def _pytabkit(kind: str, name: str, rows: Rows, seed: int, **parameters: Any) -> Predictions:
    rows = filled(rows.numbered())
    train, validation, test = (rows.labelled(part) for part in ("train", "validation", "test"))
    model = getattr(import_module("pytabkit"), kind)(
        device="cpu", n_threads=1, random_state=seed, val_metric_name="cross_entropy", **parameters
    )
    model.fit(*train, *validation)
    return {name: Prediction(class_probabilities(rows.task, model.predict_proba(test[0])))}


LEPTON = ("lepton (default)", "lepton (network alone)")
MLP, REALMLP, TABM = "lepton (mlp)", "RealMLP-TD", "TabM"
BASELINES, RIDGE = ("logistic regression", "HGB (tuned)"), "ridge regression"


def _opponent(name: str, fit: Opponent, package: str, tuned: bool = False) -> Fit:
    name = f"{name} ({'tuned' if tuned else 'default'})"
    return Fit((name,), lambda rows, seed: {name: fit_opponent(fit, tuned, rows, seed)}, (package,))


def _hgb(name: str, tuned: bool, tasks: tuple[str, ...]) -> Fit:
    return Fit(
        (name,), lambda rows, seed: {name: fit_hgb(hgb, tuned, rows, seed)}, ("sklearn.ensemble",), tasks
    )


def _linear(name: str, tasks: tuple[str, ...]) -> Fit:
    return Fit((name,), lambda rows, seed: {name: fit_linear(rows, seed)}, ("sklearn.linear_model",), tasks)


# By the name that `--only` takes.
FITS = {
    "lepton": Fit(LEPTON, _lepton, ("torch", "sklearn.ensemble")),
    "mlp": Fit((MLP,), _mlp, ("torch",)),
    "baselines": Fit(BASELINES, _baselines, ("sklearn.ensemble", "sklearn.linear_model"), (BINARY,)),
    "logistic": _linear(BASELINES[0], (MULTICLASS,)),
    "ridge": _linear(RIDGE, (REGRESSION,)),
    "hgb-tuned": _hgb(BASELINES[1], True, (MULTICLASS, REGRESSION)),
    "hgb": _hgb("HGB (default)", False, tuple(RANKED)),
    "lightgbm": _opponent("LightGBM", lightgbm, "lightgbm"),
    "lightgbm-tuned": _opponent("LightGBM", lightgbm, "lightgbm", tuned=True),
    "xgboost": _opponent("XGBoost", xgboost, "xgboost"),
    "xgboost-tuned": _opponent("XGBoost", xgboost, "xgboost", tuned=True),
    "catboost": _opponent("CatBoost", catboost, "catboost"),
    "catboost-tuned": _opponent("CatBoost", catboost, "catboost", tuned=True),
    "realmlp": Fit((REALMLP,), _realmlp, ("pytabkit",), (BINARY,), slow=True),
    "tabm": Fit((TABM,), _tabm, ("pytabkit",), (BINARY,), slow=True),
}
