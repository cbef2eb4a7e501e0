"""JSON artefacts of a run: its lineage and its figures, for those who compare, reproduce and report it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from lepton_pipeline.errors import DataError
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.system.records import from_json

T = TypeVar("T")
# Where a run comes from; seconds by stage; losses by network and epoch.
LINEAGE, SECONDS, HISTORY = "lineage.json", "seconds.json", "training/history.json"
METRICS, COSTS = "evaluation/metrics.json", "evaluation/costs.json"
# Facts of a lineage that are tags, too, by which people filter.
FILTERED = ("configuration.sha256", "data.sha256", "git.commit", "rows.sha256", "seed")
# Facts that are tags alone in runs of earlier releases, which have no lineage.json.
_FORMER_TAGS = (
    *("code.sha256", "data.rows", "device", "environment.sha256", "git.diff.bytes", "git.diff.sha256"),
    *("git.dirty", "kedro.run", "processor", "python", "weights.sha256"),
)

Facts = dict[str, str]  # of a lineage: `git.commit`, `data.sha256`, `device` and so on


def read_artifact(client: Any, run_id: str, name: str) -> str | None:
    """A text stored by a run; None if it is gone."""
    from mlflow import MlflowException

    with TemporaryDirectory() as folder:
        try:
            return Path(client.download_artifacts(run_id, name, folder)).read_text(encoding="utf-8")
        except (OSError, MlflowException):
            return None


def read_facts(client: Any, run: Any) -> Facts:
    """The lineage of a run of MLflow: its `lineage.json`, and its tags, which are all of it in earlier releases."""
    tags = run.data.tags
    facts = {name: tags[name] for name in (*FILTERED, *_FORMER_TAGS) if name in tags}
    text = read_artifact(client, run.info.run_id, LINEAGE)
    source = f"{LINEAGE} of run {run.info.run_id}"
    return facts if text is None else facts | from_json(dict[str, str], text, source)


def read_metrics(client: Any, run_id: str) -> Metrics | None:
    """The record of a run's figures, see `read_record`."""
    return read_record(client, run_id, METRICS, Metrics)


def read_record(client: Any, run_id: str, name: str, kind: type[T]) -> T | None:
    """A record that a run stored as JSON; None if it is gone, or if an earlier release wrote another one."""
    text = read_artifact(client, run_id, name)
    try:
        return None if text is None else from_json(kind, text)
    except DataError:
        return None
