"""Take the rows to score from a parameter instead of the catalog."""

from __future__ import annotations

from pathlib import Path

from kedro.framework.context import KedroContext
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from lepton_pipeline.datasets import RawTableDataset
from lepton_pipeline.parameters.jobs import SCORING, Job


def replace_scoring_input(context: KedroContext, pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Replace the entry `scoring_input` of every scored vertical that declares `scoring.input`."""
    jobs = {Job.of(node) for node in pipeline.nodes}
    for vertical in sorted(job.vertical for job in jobs if job.purpose == SCORING):
        declared = context.config_loader["parameters"][vertical]["scoring"]["input"]
        if declared is not None:
            path = declared if "://" in declared else str(context.project_path / Path(declared).expanduser())
            catalog[f"{vertical}.scoring_input"] = RawTableDataset(filepath=path)
