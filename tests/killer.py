"""Kill a process at a moment of a node, or of a retraining job, as the kernel does: nothing is flushed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node

import lepton_pipeline.settings
from lepton_pipeline.datasets import _LocalDataset

# In the order in which a node comes to them. "between" and "removing" need several outputs, or an older result.
MOMENTS = ("starting", "computed", "removing", "writing", "between", "saved")


# Steps of a retraining job beside its nodes, in their order: the function before, or after, which it is stopped.
STEPS = {
    "before the lock": ("lepton_pipeline.system.locks:JobLock.acquire", "before"),
    "locked": ("lepton_pipeline.system.locks:JobLock.acquire", "after"),
    "its run is open": ("lepton_pipeline.tracking.runs:RunLog.open", "after"),
    "counting rows": ("lepton_pipeline.operations.retraining.steps:KedroSteps.count_rows", "before"),
    "decision recorded": ("lepton_pipeline.operations.retraining.steps:KedroSteps.train", "before"),
    "alias to be moved": ("lepton_pipeline.registry.gate:move_champion", "before"),
    "alias moved": ("lepton_pipeline.registry.gate:move_champion", "after"),
    "closing": ("lepton_pipeline.operations.retraining.job:_Work.finished", "before"),
    "closed": ("lepton_pipeline.operations.retraining.job:_Work.finished", "after"),
}


def kill_at(node: str, moment: str, group: int | None = None) -> None:
    """Let this process, or a group of others, die when `node` comes to `moment`.

    Args:
        node: its name; or "job", then the moment is one of `STEPS`, or that node's name.
        moment: see `MOMENTS`; in a job, the process is told to stop by SIGTERM if it ends in " (SIGTERM)".
        group: of processes.
    """
    if node == "job":
        step = moment.removesuffix(" (SIGTERM)")
        _stop_job(step, signal.SIGKILL if step == moment else signal.SIGTERM)
        return
    lepton_pipeline.settings.HOOKS = (*lepton_pipeline.settings.HOOKS, Killer(node, moment, group))


def _stop_job(step: str, number: signal.Signals) -> None:
    """Send this process a signal at a step of its retraining job."""

    def stop() -> None:
        os.kill(os.getpid(), number)

    if step not in STEPS:
        lepton_pipeline.settings.HOOKS = (*lepton_pipeline.settings.HOOKS, Stopper(step, stop))
        return
    path, when = STEPS[step]
    module, _, name = path.partition(":")
    owner: Any = import_module(module)
    *parents, last = name.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    original = getattr(owner, last)

    def stopped(*arguments: Any, **options: Any) -> Any:
        if when == "before":
            stop()
        made = original(*arguments, **options)
        if when == "after":
            stop()
        return made

    setattr(owner, last, stopped)


class Stopper:
    """A Kedro hook that calls a function when a node starts."""

    def __init__(self, node: str, stop: Callable[[], None]) -> None:
        self._node, self._stop = node, stop

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        if node.name == self._node:
            self._stop()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Killer:
    """A Kedro hook that sends SIGKILL."""

    def __init__(self, node: str, moment: str, group: int | None) -> None:
        self._node, self._moment, self._group = node, moment, group

    def _is(self, node: Node, moment: str) -> bool:
        return (node.name, moment) == (self._node, self._moment)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        if self._is(node, "starting"):
            if self._group is None:
                die()
            else:
                os.killpg(self._group, signal.SIGKILL)

    # Before the hook that removes stale results: it is registered earlier, so called later.
    @hook_impl(tryfirst=True)
    def after_node_run(self, node: Node) -> None:
        if self._is(node, "computed"):
            die()
        if self._is(node, "removing"):
            remove = _LocalDataset.remove

            def remove_one(dataset: Any) -> None:
                there = dataset.path.exists()
                remove(dataset)
                if there:
                    die()

            _LocalDataset.remove = remove_one  # type: ignore[method-assign]
        if self._is(node, "writing"):
            for kind in _LocalDataset.__subclasses__():
                kind._write = _half(kind._write)  # type: ignore[method-assign]

    @hook_impl(trylast=True)
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        if self._is(node, "between") and dataset_name == node.outputs[0] != node.outputs[-1]:
            die()
        if self._is(node, "saved") and dataset_name == node.outputs[-1]:
            die()


def _half(write: Any) -> Any:
    """A way to write that ends in the middle of the last file."""

    def write_half(dataset: Any, data: Any, path: Path) -> None:
        write(dataset, data, path)
        last = max(file for file in [path, *path.rglob("*")] if file.is_file())
        os.truncate(last, last.stat().st_size // 2)
        die()

    return write_half
