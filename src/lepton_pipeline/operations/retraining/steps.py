"""The pipelines of a vertical that a retraining job runs, each in a Kedro session in this process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines, settings
from kedro.io import AbstractDataset
from kedro.pipeline.node import Node

from lepton_pipeline.data.rows import as_frames
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.features.derive import add_features
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.retraining.job import Trained
from lepton_pipeline.operations.retraining.state import Champion, RowCounts, count_rows
from lepton_pipeline.parameters import Vertical, utc_text
from lepton_pipeline.parameters.jobs import MONITORING, Job
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.project.user_errors import kedro_hint


def dataset_of(catalog: Any, name: str) -> AbstractDataset[Any, Any]:
    """An entry of the catalog; ConfigurationError where it is missing."""
    dataset: AbstractDataset[Any, Any] | None = catalog.get(name)
    if dataset is None:
        raise ConfigurationError(f"the catalog has no entry {name!r}; restore it in conf/base/catalog.yml.")
    return dataset


def run_node(node: Node, made: Mapping[str, Any], catalog: Any) -> dict[str, Any]:
    """Run a node without a runner, whose outputs and resume hints are not wanted; load what is not `made`."""
    inputs = {name: made[name] if name in made else dataset_of(catalog, name).load() for name in node.inputs}
    return as_frames(node.run(inputs))


def open_context(project: Path, env: str | None, vertical: str, params: Mapping[str, Any]) -> KedroContext:
    """The context of a session in which only one vertical is read and validated, with runtime `params`."""
    pipelines.set_requested([vertical])
    with settings.SESSION_CLASS.create(project, env=env, runtime_params=dict(params)) as session:
        context: KedroContext = session.load_context()
    # Other verticals are not validated.
    context._pipelines_to_validate = [vertical]
    return context


class KedroSteps:
    """The steps of a job; `now` is the moment by which labels are known where `as_of` is None."""

    def __init__(
        self, project: Path, env: str | None, vertical: str, as_of: str | float | None, now: datetime
    ):
        self._project, self._env, self._vertical, self._as_of = project, env, vertical, as_of
        self._present = utc_text(now)

    def declared(self) -> tuple[Vertical, Mapping[str, Any]]:
        """The vertical's declaration, and `mlflow.yml`; ConfigurationError with a line for each wrong key."""
        context = self._context()
        return read_vertical(self._vertical, context.params[self._vertical]), context.config_loader["mlflow"]

    def count_rows(self, champion: Champion | None) -> RowCounts:
        """Count the rows of a table in memory; DataError if raw data cannot be used, or break a contract."""
        context = self._context()
        declared = read_vertical(self._vertical, context.params[self._vertical])
        dataset, features = declared.dataset, declared.features
        made_later = dataset.time in features.names()
        wanted = f"{self._vertical}.{'clean_table' if made_later else 'table'}"
        made: dict[str, Any] = {}
        for node in pipelines[self._vertical].to_outputs(wanted).nodes:
            made |= run_node(node, made, context.catalog)
        table = made[wanted]
        if made_later:
            table = add_features(table, dataset, features)
        return count_rows(table, dataset, champion, declared.retraining.window)

    def monitor(self) -> MonitoringResult | None:
        """Run the vertical's monitoring pipeline, if it has one."""
        name = Job(self._vertical, MONITORING).name
        if name not in pipelines:
            return None
        self._run(name, self._params(self._as_of))
        return self.last_monitoring()

    def last_monitoring(self) -> MonitoringResult | None:
        """The latest monitoring result on disk, if any."""
        dataset = self._context().catalog.get(f"{self._vertical}.monitoring_result")
        found: MonitoringResult | None = dataset.load() if dataset and dataset.exists() else None
        return found

    def train(self, as_of: str | float | None, since: str | float | None) -> Trained:
        """Run the vertical's training, and read its result from disk."""
        self._run(self._vertical, self._params(as_of, since))
        context = self._context()
        registration, decision = (
            dataset_of(context.catalog, f"{self._vertical}.{name}").load()
            for name in ("registration", "decision")
        )
        return Trained.of(registration, decision)

    def _context(self) -> KedroContext:
        return open_context(self._project, self._env, self._vertical, self._params(self._as_of))

    def _run(self, name: str, params: dict[str, Any]) -> None:
        made = settings.SESSION_CLASS.create(self._project, env=self._env, runtime_params=params)
        # The job replaces Kedro's hint by its own.
        with made as session, kedro_hint():
            session.run(pipeline_names=[name])

    def _params(self, as_of: str | float | None, since: str | float | None = None) -> dict[str, Any]:
        given = {"present": self._present} if as_of is None else {"as_of": as_of}
        return {self._vertical: {"dataset": given | ({} if since is None else {"since": since})}}
