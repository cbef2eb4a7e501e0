from __future__ import annotations

import numpy as np
import pytest
from small_search import QUICK, TASKS, made_rows

from lepton_pipeline.operations.tuning.objective import learnt_rows, make_objective, trial_training
from lepton_pipeline.operations.tuning.rows import divide_rows
from lepton_pipeline.parameters import Training

pytestmark = pytest.mark.usefixtures("few_trees")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("strategy", ["stratified", "time"])
def test_a_trial_measures_the_held_out_loss_of_every_task(task, strategy):
    rows = divide_rows(*made_rows(task, strategy=strategy))
    training, epochs = Training(**QUICK), []
    objective = make_objective(rows, training)
    loss = objective.loss(trial_training(training), epochs.append)
    assert np.isfinite(loss)
    assert [epoch.number for epoch in epochs] == [1, 2]
    # The rows that are judged are not even there.
    assert len(objective.rows.encoded) == len(rows.encoded) - rows.judged.sum()
    assert learnt_rows(rows) == rows.count("train")
    # Trees have a part in it.
    assert objective.boosting is not None
    alone = trial_training(training.model_copy(update={"boosting": False}))
    assert objective.loss(alone, epochs.append) != loss


def test_neither_test_rows_nor_those_that_are_judged_change_a_bit_of_it():
    table, encoded, split, *rest = made_rows()
    training = Training(**QUICK)

    def loss(split, encoded):
        objective = make_objective(divide_rows(table, encoded, split, *rest), training)
        return objective.loss(trial_training(training), lambda epoch: None)

    usual = loss(split, encoded)
    unread = split["part"].isin(["test", "validation"])
    others = split.assign(label=split["label"].where(~unread, 1 - split["label"]).astype("int8"))
    noise = encoded.assign(signal=encoded["signal"].where(~unread, np.float32(9)))
    assert loss(others, noise) == usual
    assert loss(split, encoded.assign(signal=encoded["signal"] * np.float32(0.1))) != usual
