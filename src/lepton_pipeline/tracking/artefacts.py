"""JSON artefacts of a run: its lineage and its figures, for those who compare, reproduce and report it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from lepton_pipeline.errors import DataError
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.system.records import from_json
from lepton_pipeline.tracking.local_store import as_path

T = TypeVar("T")
# Where a run comes from; seconds by stage; losses by network and epoch.
LINEAGE, SECONDS, HISTORY = "lineage.json", "seconds.json", "training/history.json"
TRAINING_STAGE = "train_model"
METRICS, COSTS = "evaluation/metrics.json", "evaluation/costs.json"
EXPLANATION, RESAMPLES = "explanation/explanation.json", "evaluation/resamples.json"
# Facts of a lineage that are tags, too, by which people filter.
FILTERED = ("configuration.sha256", "data.sha256", "git.commit", "rows.sha256", "seed")
# Facts that are tags alone in runs of earlier releases, which have no lineage.json.
_FORMER_TAGS = (
    *("code.sha256", "data.rows", "device", "environment.sha256", "git.diff.bytes", "git.diff.sha256"),
    *("git.dirty", "kedro.run", "processor", "python", "weights.sha256"),
)

Facts = dict[str, str]  # of a lineage: `git.commit`, `data.sha256`, `device` and so on


def read_artifact(client: Any, run: Any, name: str) -> str | None:
    """A text stored by a run of MLflow; None if it is gone."""
    from mlflow import MlflowException

    try:
        # Read where it lies: MLflow would take 60 ms a file to copy it.
        here = as_path(run.info.artifact_uri)
        if here is not None:
            return (here / name).read_text(encoding="utf-8")
        with TemporaryDirectory() as folder:
            return Path(client.download_artifacts(run.info.run_id, name, folder)).read_text(encoding="utf-8")
    except (OSError, MlflowException):
        return None


def read_facts(client: Any, run: Any) -> Facts:
    """The lineage of a run of MLflow: its `lineage.json`, and its tags, which are all of it in earlier releases."""
    tags = run.data.tags
    facts = {name: tags[name] for name in (*FILTERED, *_FORMER_TAGS) if name in tags}
    text = read_artifact(client, run, LINEAGE)
    source = f"{LINEAGE} of run {run.info.run_id}"
    return facts if text is None else facts | from_json(dict[str, str], text, source)


def read_metrics(client: Any, run: Any) -> Metrics | None:
    """The record of a run's figures, see `read_record`."""
    return read_record(client, run, METRICS, Metrics)


def read_record(client: Any, run: Any, name: str, kind: type[T]) -> T | None:
    """A record that a run stored as JSON; None if it is gone, or if an earlier release wrote another one."""
    text = read_artifact(client, run, name)
    try:
        return None if text is None else from_json(kind, text)
    except DataError:
        return None
