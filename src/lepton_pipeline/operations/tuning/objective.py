"""What a trial measures: the held-out loss of the model with one network of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lepton_pipeline.model.blend import EQUAL, mix
from lepton_pipeline.model.boosting.fit import Targets, boost_by_plan
from lepton_pipeline.model.folds import Plan, holdout
from lepton_pipeline.model.networks.estimator import TorchNetworks
from lepton_pipeline.model.networks.shape import Epoch
from lepton_pipeline.model.predictor import has_boosting
from lepton_pipeline.operations.tuning.rows import JUDGED, Rows
from lepton_pipeline.parameters import Training
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.tasks.task import Task, mean


@dataclass(frozen=True)
class Objective:
    """Rows to learn from and to choose by, with the outputs of trees, which no key of a search changes.

    `boosting` is [rows] or [rows, outputs], NaN but for held-out rows; None without trees.
    """

    rows: Rows
    task: Task
    boosting: Floats | None

    def loss(self, training: Training, on_epoch: Callable[[Epoch], None]) -> float:
        """Mean loss of the rows that make the choice; one network learns from the training rows, they stop it.

        Its outputs are blended with those of the trees by equal weights, uncalibrated: what else a training fits on
        held-out rows would be fitted on the rows of the choice. What `on_epoch` raises ends the fit.
        """
        labels, plan = self.rows.labels(), _plan(self.rows)
        held_out = plan.folds[0].held_out
        learning = self.rows.learning_weights(self.task)
        network = TorchNetworks(training, self.task)
        combined = network.fit(self.rows.encoded, labels, plan, on_epoch, learning)
        outputs = {"network": self.task.to_outputs(combined)[held_out]}
        if self.boosting is not None and has_boosting(training, self.task):
            outputs["boosting"] = self.boosting[held_out]
        losses = self.task.row_losses(mix(outputs, EQUAL), labels[held_out])
        return float(mean(losses, None if learning is None else learning[held_out]))


def make_objective(rows: Rows, training: Training) -> Objective:
    """Take the rows of a search without those that are judged, and fit the trees of the declared model once."""
    seen = (rows.split["part"] != JUDGED).to_numpy()
    own = Rows(rows.encoded[seen], rows.split[seen], rows.target, rows.units.iloc[:0])
    labels, plan = own.labels(), _plan(own)
    task: Task = own.target.task.fitted(labels[plan.everything])
    boosting = None
    if has_boosting(training, task):
        targets = Targets(task.targets(labels), own.learning_weights(task))
        boosting = boost_by_plan(own.encoded, targets, plan, training, task)[1]
    return Objective(own, task, boosting)


def trial_training(training: Training) -> Training:
    """The training of a trial: one network in one process, the same seed for all."""
    return training.model_copy(update={"networks": 1, "jobs": 1})


def learnt_rows(rows: Rows) -> int:
    """Rows that a trial's network learns from."""
    return len(_plan(rows).folds[0].train)


def _plan(rows: Rows) -> Plan:
    return Plan([holdout(rows.split)], refit=False)
