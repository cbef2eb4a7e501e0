"""The pipelines of every vertical: a vertical is a folder `conf/base/<vertical>/` with a parameters file."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from lepton_pipeline.parameters.jobs import MONITORING, SCORING, Job
from lepton_pipeline.pipelines import monitoring, scoring, training
from lepton_pipeline.pipelines.features import base_folder
from lepton_pipeline.project.declaration import find_verticals


def register_pipelines() -> dict[str, Pipeline]:
    """Build the pipelines by name, see `jobs.Job`; `__default__` trains all verticals."""
    verticals = find_verticals(base_folder())
    trained = {vertical: training.create_pipeline(vertical) for vertical in verticals}
    scored = {Job(vertical, SCORING).name: scoring.create_pipeline(vertical) for vertical in verticals}
    watched = {Job(vertical, MONITORING).name: monitoring.create_pipeline(vertical) for vertical in verticals}
    return {"__default__": sum(trained.values(), Pipeline([])), **trained, **scored, **watched}
