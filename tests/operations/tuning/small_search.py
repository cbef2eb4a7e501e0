"""A search over few rows, and one whose losses are made up: no test of the search itself needs a network."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from time import sleep

import numpy as np
import pandas as pd

from lepton_pipeline.errors import ConfigurationError, DivergedError
from lepton_pipeline.model.networks.shape import Epoch
from lepton_pipeline.operations.tuning.search import Budget, Search
from lepton_pipeline.operations.tuning.space import make_space
from lepton_pipeline.operations.tuning.study import Place
from lepton_pipeline.parameters import Dataset, Split, Training
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.forecast import Forecast
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.tasks.split import split_rows

TASKS = {
    "binary": Binary(),
    "multiclass": Multiclass(("a", "b", "c")),
    "regression": Regression(),
    "forecast": Forecast(),
}
QUICK = {"epochs": 2, "width": 8, "batch_size": 64, "device": "cpu", "learning_rate": 0.01}


def made_rows(task="binary", n=300, **split):
    """A table of features, encoded rows, their split, target, data set and declared split."""
    rng = np.random.default_rng(0)
    signal_, noise = rng.normal(size=(2, n)).astype(np.float32)
    table = pd.DataFrame(
        {
            "day": pd.date_range("2025-01-01", periods=n, freq="h"),
            "shop": np.arange(n) // 6 + rng.integers(0, 3, n),
            "signal": signal_,
            "noise": noise,
        },
        index=rng.permutation(10 * n)[:n],
    )
    level = signal_ + 0.5 * rng.normal(size=n)
    table["y"] = {
        "binary": (level > 0).astype(int),
        "multiclass": np.array(["a", "b", "c"])[np.digitize(level, [-0.5, 0.5])],
    }.get(task, level)
    declared = {"target": "y", "time": "day"}
    if task == "binary":
        declared |= {"positive": 1}
    if task == "multiclass":
        declared["classes"] = "all"
    if task in ("regression", "forecast"):
        declared["task"] = "regression"
    if split.get("strategy") in ("group", "time_group"):
        declared["group"] = "shop"
    delay = split.pop("label_delay", None)
    if delay:
        declared["label_delay"] = delay
    dataset = Dataset(**declared)
    how = Split(**{"strategy": "stratified"} | split)
    target = Target(TASKS[task])
    parts = split_rows(table, target, dataset, how)
    encoded = table[["signal", "noise"]].assign(code=np.arange(n, dtype=np.int32) % 3)
    return table, encoded, parts, target, dataset, how


@dataclass(frozen=True)
class MadeUp:
    """Losses that are lowest for a learning rate of 0.005; the error, if any, is raised by the trial of that number."""

    error: str = ""
    at: int = 1
    parent: int = 0
    once: Path | None = None

    def loss(self, training, on_epoch):
        loss = abs(np.log(training.learning_rate / 0.005)) + training.dropout
        for number in range(1, 25):
            on_epoch(Epoch(1, number, loss, float(loss), 0.0, number == 1))
        self._fail(training)
        return float(loss)

    def _fail(self, training):
        # The first trial is as declared.
        if not self.error or training.learning_rate == 2e-3:
            return
        if self.error == "killed":
            self._be_killed()
            return
        raise {
            "interrupted": KeyboardInterrupt(),
            "diverged": DivergedError("training diverged"),
            "wrong": ConfigurationError("no such device"),
        }[self.error]

    def _be_killed(self):
        """Once, and not in the process that the test runs in, which waits for it."""
        if os.getpid() == self.parent:
            wait_for(self.once)
        elif not self.once.exists():
            self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def wait_for(file):
    """Another process needs seconds to import what it needs."""
    for _ in range(6000):
        if file.exists():
            return
        sleep(0.01)
    raise AssertionError("in vain for a minute")


def made_search(folder, trials=6, keys=("learning_rate", "dropout"), url=None, seed=7):
    """A search in a folder."""
    training = Training(seed=seed, learning_rate=2e-3)
    space = make_space(training, keys, columns=3, rows=100)
    return Search(Place(folder / "journal.log", url), "shop-1", space, training, Budget(trials))
