"""The pipelines of a vertical in a backfill: as of a date, in memory, without figures and reports."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.framework.project import pipelines, settings
from kedro.pipeline import Pipeline

from lepton_pipeline.data.as_of import labelled_rows, recent_rows
from lepton_pipeline.data.fingerprint import fingerprint
from lepton_pipeline.evaluation.alert_budget import AlertFigures
from lepton_pipeline.evaluation.robustness import MeasuredRobustness
from lepton_pipeline.evaluation.slices import Slices
from lepton_pipeline.features.derive import derive_all
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.operations.backfill.walk import Checkpoints
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.retraining.job import Trained
from lepton_pipeline.operations.retraining.state import Champion, RowCounts, count_rows
from lepton_pipeline.operations.retraining.steps import run_node
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.parameters.jobs import BACKFILL, KIND, MONITORING, Job
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tracking import lineage
from lepton_pipeline.tracking.runs import RunLog

# What the gate and the registry need of a training.
_TABLES = ("split", "scores")
_RECORDS: dict[str, type[Any]] = {
    **{"target": Target, "metrics": Metrics, "slices": Slices},
    **{"reference": dict, "copies": dict, "alert_figures": AlertFigures},
}
_DECIDING = ("register_model", "gate_model")
_MONITORING = ("fetch_champion", "score_new_rows", "compare_new_rows")
# Key of the rows of a date with their features, with or without a label.
_ALL = "all rows"
# What no model depends on.
OF_THE_POLICY = {"about", "gate", "scoring", "retraining", "monitoring", "alerts"}


class BackfillSteps:
    """The steps of a job at one date after the other; nothing is written into the project.

    Nodes that do not depend on the date, such as the checks of raw tables, run once. `params` are those of
    the command line, `mlflow` is `mlflow.yml`.
    """

    def __init__(
        self, project: Path, env: str | None, vertical: str, params: dict[str, Any], checkpoints: Checkpoints
    ):
        self._vertical, self._checkpoints = vertical, checkpoints
        pipelines.set_requested([vertical])
        with settings.SESSION_CLASS.create(project, env=env, runtime_params=params) as session:
            context = session.load_context()
        monitoring = Job(vertical, MONITORING).name
        context._pipelines_to_validate = [vertical, monitoring]
        self._catalog = context.catalog
        self.declared: Vertical = read_vertical(vertical, context.params[vertical])
        self.mlflow = context.config_loader["mlflow"]
        self._dataset = self.declared.dataset.model_copy(update={"as_of": None, "since": None})
        self._features = self.declared.features
        training = pipelines[vertical]
        self._to_rows = training.to_outputs(self._name("clean_table"))
        derive = training.only_nodes(self._name("derive_features"))
        # It needs an explanation of the model, which takes long.
        robust = self.declared.evaluation.robustness is not None
        self._records = _RECORDS | ({"robustness": MeasuredRobustness} if robust else {})
        self._undeclared = {} if robust else {self._name("robustness"): MeasuredRobustness()}
        wanted = map(self._name, ("artefact", *_TABLES, *self._records))
        self._to_model = training.to_outputs(*wanted) - self._to_rows - derive
        self._decide = training.only_nodes(*map(self._name, _DECIDING))
        self._monitor = pipelines[monitoring].only_nodes(*map(self._name, _MONITORING))
        # Nodes that do not depend on the declaration of the data set, and so on the date.
        undated = self._to_rows - self._to_rows.from_inputs(f"params:{self._name('dataset')}")
        self._undated = {node.name for node in undated.nodes}
        self._once: dict[str, Any] = {}
        self._made: dict[str, Any] = {}
        self._since: str | float | None = None
        self._key: dict[str, str] = {}
        self._monitored: MonitoringResult | None = None

    def whole_table(self) -> pd.DataFrame:
        """All rows, with their features; DataError if the raw data cannot be used, or break a contract."""
        made = self._make(self._to_rows, {}, self._dataset)
        return derive_all(made[self._name("clean_table")], self._dataset, self._features)

    def key(self, table: pd.DataFrame) -> dict[str, str]:
        """The key of the checkpoints: rows of `whole_table`, declarations and code."""
        declared = self.declared.model_dump(mode="json")
        rest = {key: each for key, each in declared.items() if key not in OF_THE_POLICY}
        self._key = {
            "data": fingerprint(table).sha256,
            "code": lineage.package_sha256(),
            "declaration": lineage.sha256(rest),
        }
        policy = {key: declared[key] for key in OF_THE_POLICY - {"about"}}
        return self._key | {"policy": lineage.sha256(policy)}

    def go_to(self, name: str, date: str | float, log: RunLog) -> None:
        """Set the date and the store to train in; rows known then are read on demand."""
        self._at, self._date, self._log, self._made = name, date, log, {}
        self._dated = self._dataset.model_copy(update={"as_of": date})
        self._since, self._monitored = None, None

    def count_rows(self, champion: Champion | None) -> RowCounts:
        """Count the rows of the date; DataError if the raw data cannot be used, or break a contract."""
        rows = count_rows(self._rows(), self._dated, champion, self.declared.retraining.window)
        self._since = rows.window_start
        return rows

    def monitor(self) -> MonitoringResult | None:
        """Compare the rows of the date with the champion's."""
        rows = {self._name("monitoring_table"): self._rows()}
        made = self._make(self._monitor, rows, self._dated)
        # Where more is told of it, such as served rows, the comparison has another name; a replay follows rows only.
        results = map(self._name, ("monitoring_result", "monitoring_compared"))
        self._monitored = next(made[name] for name in results if name in made)
        return self._monitored

    def last_monitoring(self) -> MonitoringResult | None:
        """The monitoring result of this date, if any."""
        return self._monitored

    def train(self, as_of: str | float | None, since: str | float | None) -> Trained:
        """Register the model of the date and let the gate decide."""
        with self._run() as run_id:
            made = self._undeclared | self._model(run_id) | {self._name("run_id"): run_id}
            made = self._make(self._decide, made, self._dataset)
        registration, decision = made[self._name("registration")], made[self._name("decision")]
        return Trained.of(registration, decision)

    def train_anyway(self) -> None:
        """Train the model of the date, unless there is a checkpoint; DataError if it cannot be trained."""
        if not self._checkpoints.has_model(self._at, self._model_key()):
            with self._run() as run_id:
                self._model(run_id)

    def load(self, name: str) -> Artefact:
        """The model of a date."""
        return Artefact.load(self._checkpoints.model(name) / "artefact")

    def _rows(self) -> pd.DataFrame:
        if not self._made:
            made = self._make(self._to_rows, {}, self._dated)
            rows = derive_all(made[self._name("clean_table")], self._dated, self._features)
            self._made = made | {_ALL: rows}
        table: pd.DataFrame = self._made[_ALL]
        return table

    def _model(self, run_id: str) -> dict[str, Any]:
        """The model of the date with its inputs and measurements, from a checkpoint if there is one."""
        dataset = self._dated.model_copy(update={"since": self._since})
        used = labelled_rows(recent_rows(self._rows(), dataset), dataset)
        made = self._made | {self._name("feature_table"): used}
        key = self._model_key()
        if self._checkpoints.has_model(self._at, key):
            return made | self._load_model(self._checkpoints.model(self._at))
        made = self._make(self._to_model, made | {self._name("run_id"): run_id}, dataset)
        self._checkpoints.keep_model(self._at, key, lambda folder: self._save(made, folder))
        return made

    def _model_key(self) -> dict[str, str]:
        return self._key | {"as_of": str(self._date), "since": str(self._since)}

    def _save(self, made: Mapping[str, Any], folder: Path) -> None:
        made[self._name("artefact")].save(folder / "artefact")
        for name in _TABLES:
            made[self._name(name)].to_parquet(folder / f"{name}.parquet")
        for name in self._records:
            (folder / f"{name}.json").write_text(to_json(made[self._name(name)]), encoding="utf-8")

    def _load_model(self, folder: Path) -> dict[str, Any]:
        found: dict[str, Any] = {"artefact": Artefact.load(folder / "artefact")}
        found |= {name: pd.read_parquet(folder / f"{name}.parquet") for name in _TABLES}
        for name, kind in self._records.items():
            found[name] = from_json(kind, (folder / f"{name}.json").read_bytes())
        return {self._name(name): each for name, each in found.items()}

    @contextmanager
    def _run(self) -> Iterator[str]:
        """A run of the scratch store, whose parameters hold the as-of date."""
        log, declared = self._log, self.declared.model_dump(mode="json")
        tags = {KIND: BACKFILL, "data.rows": str(len(self._rows()))}
        run_id = log.open(self._vertical, f"as of {self._at}", tags)
        log.parameters(run_id, declared | {"dataset": declared["dataset"] | {"as_of": self._date}})
        with log.closing(run_id):
            yield run_id

    def _make(self, pipeline: Pipeline, made: Mapping[str, Any], dataset: Any) -> dict[str, Any]:
        found = {**made, f"params:{self._name('dataset')}": dataset}
        for node in pipeline.nodes:
            once = node.name in self._undated
            if not once or not self._once.keys() >= set(node.outputs):
                made = run_node(node, ChainMap(found, self._once), self._catalog)
                (self._once if once else found).update(made)
        return found

    def _name(self, name: str) -> str:
        return f"{self._vertical}.{name}"
