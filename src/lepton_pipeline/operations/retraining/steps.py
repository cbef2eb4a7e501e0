"""The pipelines of a vertical that a retraining job runs, each in a Kedro session in this process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines, settings
from kedro.io import AbstractDataset

from lepton_pipeline.data.rows import held
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.features.derive import add_features
from lepton_pipeline.operations.retraining.facts import Champion, RowCounts, count_rows
from lepton_pipeline.operations.retraining.job import Trained
from lepton_pipeline.parameters import Vertical, utc_text
from lepton_pipeline.parameters.jobs import MONITORING, Job
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.project.resume import kedro_hint


class KedroSteps:
    """The steps of a job; `now` is the moment by which labels are known where `as_of` is None."""

    def __init__(
        self, project: Path, env: str | None, vertical: str, as_of: str | float | None, now: datetime
    ):
        self._project, self._env, self._vertical, self._as_of = project, env, vertical, as_of
        self._present = utc_text(now)

    def declared(self) -> tuple[Vertical, Mapping[str, Any]]:
        """The vertical's declaration, and `mlflow.yml`.

        Raises:
            ConfigurationError: a line for each wrong key.
        """
        context = self._context()
        return read_vertical(self._vertical, context.params[self._vertical]), context.config_loader["mlflow"]

    def count_rows(self, champion: Champion | None) -> RowCounts:
        """Build the table in memory, without writing to disk, and count its rows.

        Raises:
            DataError: the raw data cannot be used, or break a contract.
        """
        context = self._context()
        declared = read_vertical(self._vertical, context.params[self._vertical])
        dataset, features = declared.dataset, declared.features
        made_later = dataset.time in features.names()
        table = self._table(context, "clean_table" if made_later else "table")
        if made_later:
            table = add_features(table, dataset, features)
        return count_rows(table, dataset, champion, declared.retraining.window)

    def monitor(self) -> Mapping[str, Any] | None:
        """Run the vertical's monitoring pipeline, if it has one."""
        name = Job(self._vertical, MONITORING).name
        if name not in pipelines:
            return None
        self._run(name, self._params(self._as_of))
        return self.last_monitoring()

    def last_monitoring(self) -> Mapping[str, Any] | None:
        """The latest monitoring result on disk, if any."""
        dataset = self._context().catalog.get(f"{self._vertical}.monitoring_result")
        result: Mapping[str, Any] | None = (
            dataset.load() if dataset is not None and dataset.exists() else None
        )
        return result

    def train(self, as_of: str | float | None, since: str | float | None) -> Trained:
        """Run the vertical's training, and read its result from disk."""
        self._run(self._vertical, self._params(as_of, since))
        context = self._context()
        registration, decision = (
            self._dataset(context, f"{self._vertical}.{name}").load() for name in ("registration", "decision")
        )
        return Trained.of(registration, decision)

    def _context(self) -> KedroContext:
        pipelines.set_requested([self._vertical])
        session = settings.SESSION_CLASS.create(
            self._project, env=self._env, runtime_params=self._params(self._as_of)
        )
        with session:
            context: KedroContext = session.load_context()
        # As a run does: what another vertical declares is not looked at.
        context._pipelines_to_validate = [self._vertical]
        return context

    def _run(self, name: str, params: dict[str, Any]) -> None:
        made = settings.SESSION_CLASS.create(self._project, env=self._env, runtime_params=params)
        # The hint is for whoever called `kedro run`; the job says itself what helps.
        with made as session, kedro_hint():
            session.run(pipeline_names=[name])

    def _table(self, context: KedroContext, name: str) -> pd.DataFrame:
        wanted = f"{self._vertical}.{name}"
        pipeline = pipelines[self._vertical].to_outputs(wanted)
        made: dict[str, Any] = {}
        # Not by a runner: nothing of this is to be kept, and how to resume it is no question.
        for node in pipeline.nodes:
            given = {
                each: made[each] if each in made else self._dataset(context, each).load()
                for each in node.inputs
            }
            made |= held(node.run(given))
        table: pd.DataFrame = made[wanted]
        return table

    def _dataset(self, context: KedroContext, name: str) -> AbstractDataset[Any, Any]:
        dataset: AbstractDataset[Any, Any] | None = context.catalog.get(name)
        if dataset is None:
            raise ConfigurationError(
                f"the catalog has no entry {name!r}; restore it in conf/base/catalog.yml."
            )
        return dataset

    def _params(self, as_of: str | float | None, since: str | float | None = None) -> dict[str, Any]:
        given = {"present": self._present} if as_of is None else {"as_of": as_of}
        return {self._vertical: {"dataset": given | ({} if since is None else {"since": since})}}
