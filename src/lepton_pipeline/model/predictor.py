"""The whole model: networks, optionally blended with boosting, calibrated on held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.labels import OUTSIDE, learnt_labels, row_scale
from lepton_pipeline.errors import DataError
from lepton_pipeline.model.blend import EQUAL, mix, weigh, weigh_by_time
from lepton_pipeline.model.boosting.fit import Targets, boosting_steps
from lepton_pipeline.model.boosting.trees import Trees
from lepton_pipeline.model.folds import Plan, holdout, plan_fits
from lepton_pipeline.model.networks.estimator import TorchNetworks
from lepton_pipeline.model.networks.shape import Epoch
from lepton_pipeline.parameters import Training
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.system.descriptions import hash_arrays, read_description, write_arrays, write_description
from lepton_pipeline.system.records import from_plain, to_plain
from lepton_pipeline.system.workers import Pool, choose_jobs, run_steps
from lepton_pipeline.tasks.calibration import Calibration
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.task import Task

FORMAT = 1
# Rows of all networks below which no further process is started: it takes seconds to import what it needs.
_FEW_ROWS = 50_000
# Memory of a process with torch, and how often it holds its rows: as they come, and as tensors or bins.
_PROCESS_BYTES, _COPIES = 600 << 20, 3
DESCRIPTION, BOOSTING = "classifier.json", "boosting.safetensors"


def train_model(
    encoded: pd.DataFrame,
    split: pd.DataFrame,
    target: Target,
    training: Training,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> tuple[Predictor, pd.DataFrame, pd.DataFrame]:
    """Fit the model on the training and validation rows; `on_epoch` follows every epoch.

    Returns the model, its history (one row per network and epoch), and out-of-fold scores of all held-out
    rows, the columns of `Predictor.scores`.
    Raises LeptonError if training diverges, ConfigurationError if the device or precision is not available.
    """
    plan = choose_plan(split, training)
    labels, scale = learnt_labels(split).to_numpy(), row_scale(split)
    task: Any = target.task.fitted(labels[plan.everything])
    network = TorchNetworks(training, task)
    weights = split["weight"].to_numpy() if "weight" in split else None
    learning = task.learning_weights(scale, weights)
    # The longer ones first.
    steps = [network.steps(encoded, labels, plan, learning)]
    if has_boosting(training, task):
        steps.append(boosting_steps(encoded, Targets(task.targets(labels), learning), plan, training, task))
    with Pool(_jobs(training, encoded, len(plan.everything) * len(network.folds(plan)))) as pool:
        combined, *boosted = run_steps(pool, *steps, report=on_epoch or (lambda epoch: None))
    outputs = {"network": task.to_outputs(combined)}
    boosting: Sequence[Trees] = ()
    if boosted:
        boosting, outputs["boosting"] = boosted[0]
    held_out = np.isfinite(outputs["network"].reshape(len(labels), -1)).all(axis=1)
    parts, truth = {name: part[held_out] for name, part in outputs.items()}, labels[held_out]
    counts = None if weights is None else weights[held_out]
    weight = EQUAL if boosting else 0.0
    if boosting and plan.kind != "holdout":
        choose = weigh_by_time if plan.refit else weigh
        learnt = None if learning is None else learning[held_out]
        weight = choose(task, parts["network"], parts["boosting"], truth, learnt)
    calibration = Calibration()
    # By time, a correction would be taken from one stretch of it, and from fits that are not kept: the later
    # test rows of every vertical that was tried were calibrated worse by it.
    if training.calibrate and not plan.refit:
        calibration = task.calibrate(mix(parts, weight), truth, counts)
    corrected = calibration.correct(mix(parts, weight))
    units = None if scale is None else scale[held_out]
    task = task.with_intervals(corrected, truth, counts, units)
    model = Predictor(task, network, boosting, weight, calibration)
    outside = encoded[(split["part"] == OUTSIDE["validation"]).to_numpy()]
    if len(outside):
        chosen = task.with_hand_over(task.from_outputs(corrected), truth, model.predict(outside), counts)
        model = replace(model, task=chosen)
    return model, network.history, pd.DataFrame(model.blend(parts, units), index=split.index[held_out])


def _jobs(training: Training, encoded: pd.DataFrame, rows: int) -> int:
    """How many processes fit the parts of a model; one where a process would cost more than it saves.

    `rows` are those of all networks together. Ranks are others: with them, the cores are taken.
    """
    if training.jobs is None and (rows < _FEW_ROWS or training.launcher != "local"):
        return 1
    memory = _PROCESS_BYTES + _COPIES * int(encoded.memory_usage(index=False).sum())
    return choose_jobs(training.jobs, training.threads, memory)


def choose_plan(split: pd.DataFrame, training: Training) -> Plan:
    """Plan of the rows that the model and its baselines are fitted on; see `plan_fits`."""
    return plan_fits(split) if training.model == "default" else Plan([holdout(split)], refit=False)


def has_boosting(training: Training, task: Task) -> bool:
    """Whether boosting is part of the declared model, and possible in its task."""
    declared = training.model == "default" if training.boosting is None else training.boosting
    return declared and bool(task.boosters)


@dataclass(frozen=True)
class Predictor:
    """A model over encoded rows: networks and, unless empty, trees of each output, with the blend's calibration.

    `boosting_weight`, in [0, 1], is the weight of the trees' outputs in the mean; the networks have the rest.
    """

    task: Task
    network: TorchNetworks
    boosting: Sequence[Trees]
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
        return hash_arrays(self._arrays(), before=self.network.weights_sha256 + others)

    def predict(self, features: pd.DataFrame, scale: Floats | None = None) -> Floats:
        """Scores of the task, float64 [n] or [n, K], for encoded rows with columns in any order.

        `scale` is what the labels of these rows are divided by. A row gets the same bits alone and among other rows.
        A `DataError` names missing or unknown columns.
        """
        return self.in_units(self.task.from_outputs(self.outputs(features)), scale)

    def in_units(self, scores: Floats, scale: Floats | None) -> Floats:
        """Scores of rows of this scale, if there is one."""
        return scores if scale is None else self.task.in_units(scores, scale)

    def outputs(self, features: pd.DataFrame) -> Floats:
        """Calibrated outputs, such as log-odds, float64 [n] or [n, K]; see `predict`."""
        return self.calibration.correct(mix(self._outputs(features), self.boosting_weight))

    def scores(self, features: pd.DataFrame, scale: Floats | None = None) -> pd.DataFrame:
        """Columns of scores of `model`, `uncalibrated`, `network` and, if present, `boosting`."""
        return pd.DataFrame(self.blend(self._outputs(features), scale), index=features.index)

    def blend(self, outputs: dict[str, Floats], scale: Floats | None = None) -> dict[str, Floats]:
        """Turn the outputs of the parts into the columns of `scores`."""
        mean, task = mix(outputs, self.boosting_weight), self.task
        parts = {"model": self.calibration.correct(mean), "uncalibrated": mean, **outputs}
        # Only the model itself has intervals.
        bare = task.without_intervals()
        return {
            name: column
            for model, each in parts.items()
            for name, column in task.columns(
                model, self.in_units((task if model == "model" else bare).from_outputs(each), scale)
            ).items()
        }

    def _outputs(self, features: pd.DataFrame) -> dict[str, Floats]:
        outputs = {"network": self.task.to_outputs(self.network.predict(features))}
        if self.boosting:
            each = [trees.outputs(features) for trees in self.boosting]
            outputs["boosting"] = each[0] if len(each) == 1 else np.column_stack(each)
        return outputs

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays of all trees; those of a single output have bare names."""
        if len(self.boosting) == 1:
            return self.boosting[0].arrays()
        return {
            f"{place}.{name}": array
            for place, trees in enumerate(self.boosting)
            for name, array in trees.arrays().items()
        }

    def save(self, folder: Path) -> None:
        """Write networks and trees as plain arrays, and `classifier.json` with the rest."""
        self.network.save(folder / "network")
        description = {
            "format": FORMAT,
            "weights_sha256": self.weights_sha256,
            "target": to_plain(Target(self.task)),  # type: ignore[arg-type]  # one of its four
            "calibration": asdict(self.calibration),
            "boosting_weight": self.boosting_weight,
            "boosting": self.boosting[0].columns if self.boosting else None,
            "outputs": len(self.boosting),
        }
        if self.boosting:
            write_arrays(folder / BOOSTING, self._arrays())
        write_description(folder / DESCRIPTION, description)

    @classmethod
    def load(cls, folder: Path) -> Predictor:
        """Read what `save` wrote; `DataError` on another format, or on files that are not of one model."""
        from safetensors.numpy import load_file

        description = read_description(folder / DESCRIPTION, FORMAT)
        # Absent in models of an earlier release, which knew two classes only.
        task = from_plain(Target, description.get("target", {"task": {"task": "binary"}}), DESCRIPTION).task
        network = TorchNetworks.load(folder / "network", task)
        calibration = Calibration(**description["calibration"])
        columns, boosting = description["boosting"], []
        if columns:
            arrays, outputs = load_file(folder / BOOSTING), description.get("outputs", 1)
            for place in range(outputs):
                prefix = f"{place}." * (outputs > 1)
                own = {
                    name.removeprefix(prefix): each
                    for name, each in arrays.items()
                    if name.startswith(prefix)
                }
                boosting.append(Trees.from_arrays(own, columns))
        model = cls(task, network, boosting, description["boosting_weight"], calibration)
        if model.weights_sha256 != description["weights_sha256"]:
            raise DataError(
                f"the files in {folder} have hash {model.weights_sha256}, but {DESCRIPTION} says "
                f"{description['weights_sha256']}; they are not of one model: save or copy all of them again."
            )
        return model
