"""Kill a process at a moment of a node, as the kernel does: no handler runs, nothing is flushed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node

import lepton_pipeline.settings
from lepton_pipeline.datasets import AtomicDataset, FolderDataset, _LocalDataset

# In the order in which a node comes to them. "between" and "removing" need several outputs, or an older result.
MOMENTS = ("starting", "computed", "removing", "writing", "between", "saved")


def kill_at(node: str, moment: str, group: int | None = None) -> None:
    """Let this process, or a group of others, die when `node` comes to `moment`."""
    lepton_pipeline.settings.HOOKS = (*lepton_pipeline.settings.HOOKS, Killer(node, moment, group))


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
            for kind in (AtomicDataset, FolderDataset):
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
