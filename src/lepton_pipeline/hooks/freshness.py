"""Remove stale data sets, so that those on disk always belong to one run, also after a crash."""

from __future__ import annotations

from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline.node import Node

from lepton_pipeline.parameters.jobs import Job


def remove_stale(node: Node, catalog: DataCatalog) -> None:
    """Remove a node's outputs and those of all nodes downstream, before new ones are written."""
    # The last first: after a crash, a resumed run must not fill a gap before stale results.
    for stale in reversed(pipelines[Job.of(node).name].from_nodes(node.name).nodes):
        for name in stale.outputs:
            remove = getattr(catalog.get(name), "remove", None)
            if remove is not None:
                remove()
