"""Keep the data sets on disk those of one run."""

from __future__ import annotations

from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node


class FreshnessHook:
    """Removes what a new result makes stale, so that whatever exists belongs together, also after a crash."""

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Note what is going to run."""
        # Then the runner leaves out nodes; what it leaves out must stay.
        self._keep = bool(run_params.get("only_missing_outputs"))
        self._pipeline = pipeline

    @hook_impl
    def after_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Remove the outputs of this node and of all that follow, just before the new ones are written."""
        if self._keep:
            return
        for name in self._pipeline.from_nodes(node.name).all_outputs():
            remove = getattr(catalog.get(name), "remove", None)
            if remove is not None:
                remove()
