"""A vertical as a notebook sees it: its runs, its columns, its training, and single cases. Nothing is changed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.utils import find_kedro_project

from lepton_pipeline.errors import ConfigurationError, DataError, did_you_mean
from lepton_pipeline.notebook import pictures
from lepton_pipeline.notebook.pictures import Picture
from lepton_pipeline.project.declaration import require_vertical

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from lepton_pipeline.notebook.what_if import WhatIf
    from lepton_pipeline.runs.compare import Comparison

_RUNS, _COLUMNS = 15, 4


def open_vertical(name: str, env: str | None = None) -> OpenVertical:
    """Open a vertical of the project that the current folder lies in; `env` as of `kedro run`.

    Raises ConfigurationError outside of a project, for an unknown vertical, or before the first run.
    """
    project = find_kedro_project(Path.cwd())
    if project is None:
        raise ConfigurationError(
            f"{Path.cwd()} lies in no Kedro project; open the notebook in one of its folders."
        )
    # Progress bars of libraries fall back to text without ipywidgets.
    warnings.filterwarnings("ignore", message="IProgress not found")
    # Kedro reads it as it is imported, and looks for it in the current folder only.
    os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(project / "conf/logging.yml"))
    from kedro.framework.project import pipelines, settings
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(project)
    require_vertical(Path(project, settings.CONF_SOURCE, "base"), name)
    # These import MLflow, which reads what the project's settings have put into the environment.
    from lepton_pipeline.tracking.runs import read_tracking
    from lepton_pipeline.tracking.store import open_store

    pipelines.set_requested([name])
    with settings.SESSION_CLASS.create(project, env=env) as session:
        context = session.load_context()
    client = open_store(read_tracking(context.config_loader["mlflow"]), project)
    return OpenVertical(name, context.catalog, client)


@dataclass(frozen=True)
class OpenVertical:
    """A vertical with the catalog of its latest run and a client of the store of all; see `open_vertical`."""

    name: str
    catalog: Any
    client: Any

    def load(self, name: str) -> Any:
        """What the latest run left: "feature_table", "split", "scores", "artefact" and so on, as in the catalog.

        Raises DataError if no run got so far, ConfigurationError if nothing is called so.
        """
        from kedro.framework.project import pipelines

        # Other names would be those of raw tables.
        known = sorted(each.partition(".")[2] for each in pipelines[self.name].all_outputs())
        if name not in known:
            hint = did_you_mean(name, known)
            raise ConfigurationError(f"{self.name} leaves no {name!r}; {hint}there are {', '.join(known)}.")
        dataset = self.catalog.get(f"{self.name}.{name}")
        if not dataset.exists():
            raise DataError(
                f"no run of {self.name} has left its {name} yet; make one with: kedro run --pipelines {self.name}"
            )
        return dataset.load()

    def runs(self, last: int = _RUNS) -> Styler:
        """The latest runs as a table, the best on the latest test rows first; `.data` is the plain table."""
        return pictures.tabulate_runs(self._compare(last))

    def draw_runs(self, last: int = _RUNS) -> Picture:
        """The metric of the gate on the test rows, by run, with 95 % intervals."""
        return pictures.draw_runs(self._compare(last))

    def draw_columns(self, *columns: str) -> Picture:
        """How columns are distributed, and the target over them; by default the most important ones."""
        seen = self.load("distributions")
        known = {each.column: each for each in seen.columns if each.parts}
        if unknown := [column for column in columns if column not in known]:
            hint = did_you_mean(unknown[0], known)
            raise ConfigurationError(
                f"no distribution of {unknown[0]!r} was kept; {hint}there are, by importance: {', '.join(known)}."
            )
        drawn = [known[column] for column in columns or list(known)[:_COLUMNS]]
        return pictures.draw_columns(self.name, seen, drawn, self.task)

    def draw_training(self) -> Picture:
        """The losses of all networks by epoch."""
        return pictures.draw_training(self._version(), self.load("history"), self.task)

    def what_if(self, case: Any = None, change: Mapping[str, Any] | None = None) -> WhatIf:
        """What the model makes of one row of the feature table, and of the same row with other values.

        `case` is a label of the table's index, by default that of the test row with the highest score; `change`
        holds new values by column, by default the typical value of the column that moves the score most.
        """
        from lepton_pipeline.notebook.what_if import ask_what_if

        table = self.load("feature_table")
        if case is None:
            scores = self.load("scores")
            test = scores[scores["part"] == "test"]
            case = test.index[self.task.level(self.task.scores(test, "model")).argmax()]
        if case not in table.index:
            raise ConfigurationError(
                f"no row {case!r}; those of the feature table are {table.index.min()} to {table.index.max()}."
            )
        return ask_what_if(self.load("artefact"), table, case, change, self._version())

    @cached_property
    def task(self) -> Any:
        """What the vertical predicts."""
        return self.load("target").task

    def _version(self) -> str:
        registration = self.load("registration")
        return f"{registration.name}, version {registration.version}"

    def _compare(self, last: int) -> Comparison:
        from lepton_pipeline.registry.versions import model_versions
        from lepton_pipeline.runs.compare import compare_runs, read_stored
        from lepton_pipeline.tracking.store import latest_runs

        runs = latest_runs(self.client, self.name, last)
        versions = model_versions(self.client, self.name)
        return compare_runs(self.name, runs, versions, read_stored(self.client, runs))
