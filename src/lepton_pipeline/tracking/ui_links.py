"""Addresses of pages in the MLflow UI, which shows those for GenAI by default."""

from __future__ import annotations

from typing import Any

from lepton_pipeline.system.credentials import masked

_WORKFLOW = "workflowType=machine_learning"


def runs_page(experiment: str, query: str) -> str:
    """Page of an experiment's runs; `query` says how they are shown."""
    return f"#/experiments/{experiment}/runs?{_WORKFLOW}&{query}"


def run_page(info: Any, artefact: str = "") -> str:
    """Page of a run or of one of its artefacts; `info` is MLflow's."""
    shown = f"/artifacts/{artefact}" if artefact else ""
    return f"#/experiments/{info.experiment_id}/runs/{info.run_id}{shown}?{_WORKFLOW}"


def run_link(uri: str, info: Any) -> str | None:
    """Address of a run's page on the server at `uri`, without credentials; None if the store is no server."""
    return f"{masked(uri).rstrip('/')}/{run_page(info)}" if uri.startswith("http") else None
