"""Keep the data sets on disk those of one run."""

from __future__ import annotations

from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline.node import Node

from lepton_pipeline.parameters.jobs import Job


class FreshnessHook:
    """Removes what a new result makes stale, so that whatever exists belongs together, also after a crash."""

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Note whether the runner leaves out nodes: what they have made must stay."""
        self._keep = bool(run_params.get("only_missing_outputs"))

    @hook_impl
    def after_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Remove this node's outputs and those of all that follow, run now or not, before new ones are written."""
        if self._keep:
            return
        whole = pipelines[Job.of(node).name]
        # The last first: a crash in between must not leave what is stale beside a gap before it, which a run that
        # goes on would fill.
        for stale in reversed(whole.from_nodes(node.name).nodes):
            for name in stale.outputs:
                remove = getattr(catalog.get(name), "remove", None)
                if remove is not None:
                    remove()
