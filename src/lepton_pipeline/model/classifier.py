"""The whole model: networks, optionally blended with boosting, calibrated on held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.model.boosting.fit import boost_by_plan
from lepton_pipeline.model.boosting.trees import Trees
from lepton_pipeline.model.calibration import EQUAL, Calibration, fit_calibration, mix, weigh, weigh_by_time
from lepton_pipeline.model.folds import Plan, holdout, plan_fits
from lepton_pipeline.model.networks.estimator import TorchClassifier
from lepton_pipeline.model.networks.shape import Epoch
from lepton_pipeline.parameters import Training
from lepton_pipeline.statistics.losses import Floats, sigmoid, to_logits
from lepton_pipeline.system.descriptions import hash_arrays, read_description, write_arrays, write_description

FORMAT = 1
DESCRIPTION, BOOSTING = "classifier.json", "boosting.safetensors"


def train_model(
    encoded: pd.DataFrame,
    split: pd.DataFrame,
    training: Training,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> tuple[Classifier, pd.DataFrame, pd.DataFrame]:
    """Fit the model on the training and validation rows; `on_epoch` follows every epoch.

    Returns the model, its history (one row per network and epoch), and out-of-fold scores of all held-out
    rows: float64 columns `model`, `uncalibrated`, `network` and, if fitted, `boosting`.
    Raises LeptonError if training diverges, ConfigurationError if the device or precision is not available.
    """
    plan = choose_plan(split, training)
    labels = split["label"].to_numpy()
    network = TorchClassifier(training)
    logits = {"network": to_logits(network.fit(encoded, labels, plan, on_epoch))}
    boosting = None
    if has_boosting(training):
        boosting, logits["boosting"] = boost_by_plan(encoded, labels, plan, training)
    held_out = np.isfinite(logits["network"])
    scores, truth = {name: part[held_out] for name, part in logits.items()}, labels[held_out]
    weight = 0.0 if boosting is None else EQUAL
    if boosting is not None and plan.kind != "holdout":
        choose = weigh_by_time if plan.refit else weigh
        weight = choose(scores["network"], scores["boosting"], truth)
    calibration = Calibration()
    # By time, a correction would be taken from one stretch of it, and from fits that are not kept: the later
    # test rows of every vertical that was tried were calibrated worse by it.
    if training.calibrate and not plan.refit:
        calibration = fit_calibration(mix(scores, weight), truth)
    model = Classifier(network, boosting, weight, calibration)
    return model, network.history, pd.DataFrame(model.blend(scores), index=split.index[held_out])


def choose_plan(split: pd.DataFrame, training: Training) -> Plan:
    """Plan of the rows that the model and its baselines are fitted on; see `plan_fits`."""
    return plan_fits(split) if training.model == "default" else Plan([holdout(split)], refit=False)


def has_boosting(training: Training) -> bool:
    """Whether boosting is part of the declared model."""
    return training.model == "default" if training.boosting is None else training.boosting


@dataclass(frozen=True)
class Classifier:
    """A binary classifier over encoded rows: networks and, unless None, trees, with the blend's calibration.

    `boosting_weight`, in [0, 1], is the weight of the trees' logit in the mean; the networks have the rest.
    """

    network: TorchClassifier
    boosting: Trees | None
    boosting_weight: float
    calibration: Calibration

    @property
    def trained(self) -> dict[str, Any]:
        """Training record of the networks: device, precision, best epochs and so on."""
        return self.network.trained

    @property
    def weights_sha256(self) -> str:
        """Hash of everything that was learnt."""
        others = repr((self.boosting_weight, *astuple(self.calibration)))
        trees = {} if self.boosting is None else self.boosting.arrays()
        return hash_arrays(trees, before=self.network.weights_sha256 + others)

    def predict_proba(self, features: pd.DataFrame) -> Floats:
        """Probability of both classes, float64 [n, 2], for encoded rows with columns in any order.

        A row gets the same bits alone and among other rows. A `DataError` names missing or unknown columns.
        """
        positive = self.scores(features)["model"].to_numpy()
        return np.column_stack([1 - positive, positive])

    def scores(self, features: pd.DataFrame) -> pd.DataFrame:
        """Positive probability by `model`, `uncalibrated`, `network` and, if present, `boosting`."""
        return pd.DataFrame(self.blend(self._logits(features)), index=features.index)

    def log_odds(self, features: pd.DataFrame) -> Floats:
        """Log-odds of the positive class, float64 [n]; see `predict_proba`."""
        return self.calibration.correct(mix(self._logits(features), self.boosting_weight))

    def blend(self, logits: dict[str, Floats]) -> dict[str, Floats]:
        """Turn the logits of the parts, [n] each, into the columns of `scores`."""
        mean = mix(logits, self.boosting_weight)
        model = {"model": self.calibration.apply(mean), "uncalibrated": sigmoid(mean)}
        return model | {name: sigmoid(part) for name, part in logits.items()}

    def _logits(self, features: pd.DataFrame) -> dict[str, Floats]:
        logits = {"network": to_logits(self.network.predict_proba(features)[:, 1])}
        if self.boosting is not None:
            logits["boosting"] = self.boosting.logits(features)
        return logits

    def save(self, folder: Path) -> None:
        """Write networks and trees as plain arrays, and `classifier.json` with the rest."""
        self.network.save(folder / "network")
        description = {
            "format": FORMAT,
            "weights_sha256": self.weights_sha256,
            "calibration": asdict(self.calibration),
            "boosting_weight": self.boosting_weight,
            "boosting": self.boosting and self.boosting.columns,
        }
        if self.boosting is not None:
            write_arrays(folder / BOOSTING, self.boosting.arrays())
        write_description(folder / DESCRIPTION, description)

    @classmethod
    def load(cls, folder: Path) -> Classifier:
        """Read what `save` wrote; `DataError` on another format, or on files that are not of one model."""
        from safetensors.numpy import load_file

        description = read_description(folder / DESCRIPTION, FORMAT)
        network = TorchClassifier.load(folder / "network")
        calibration = Calibration(**description["calibration"])
        columns = description["boosting"]
        boosting = columns and Trees.from_arrays(load_file(folder / BOOSTING), columns)
        model = cls(network, boosting, description["boosting_weight"], calibration)
        if model.weights_sha256 != description["weights_sha256"]:
            raise DataError(
                f"the files in {folder} have hash {model.weights_sha256}, but {DESCRIPTION} says "
                f"{description['weights_sha256']}; they are not of one model: save or copy all of them again."
            )
        return model
