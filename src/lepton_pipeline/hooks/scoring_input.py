"""Let a parameter name the rows to score, so that no catalog need be written for a file that comes once."""

from __future__ import annotations

from pathlib import Path

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from lepton_pipeline.datasets import RawTableDataset
from lepton_pipeline.parameters.jobs import SCORING, Job


class ScoringInputHook:
    """Puts the file or folder of `scoring.input` in the place of the catalog entry `scoring_input`."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember the declarations."""
        self._context = context

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Replace the entry of every vertical that is to be scored and declares another input."""
        jobs = {Job.of(node) for node in pipeline.nodes}
        for vertical in sorted(job.vertical for job in jobs if job.purpose == SCORING):
            declared = self._context.config_loader["parameters"][vertical]["scoring"]["input"]
            if declared is not None:
                path = declared if "://" in declared else str(self._context.project_path / Path(declared).expanduser())
                catalog[f"{vertical}.scoring_input"] = RawTableDataset(filepath=path)
