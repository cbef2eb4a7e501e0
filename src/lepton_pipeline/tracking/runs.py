"""Runs in MLflow, addressed by id instead of a thread's active run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from lepton_pipeline.data.reading import IngestionRecord
from lepton_pipeline.errors import ConfigurationError, StoreError
from lepton_pipeline.parameters import Declaration
from lepton_pipeline.parameters.jobs import Job
from lepton_pipeline.system.credentials import learn, masked
from lepton_pipeline.system.locks import FileLock
from lepton_pipeline.system.permissions import refusal, require_writable, shared_folder, user_name
from lepton_pipeline.system.processes import has_ended, identity
from lepton_pipeline.system.readable import readable_logs
from lepton_pipeline.system.records import to_plain
from lepton_pipeline.system.signals import ignore_sigterm
from lepton_pipeline.tracking import flat
from lepton_pipeline.tracking.artefacts import HISTORY, LINEAGE, Facts
from lepton_pipeline.tracking.database import damaged, first_contact, may_pass, require_database
from lepton_pipeline.tracking.experiment_page import EXPERIMENT, run_link, run_page
from lepton_pipeline.tracking.local_store import SQLITE, local_store

if TYPE_CHECKING:
    import pandas as pd

Access = Literal["write", "load", "view"]
_Texts = Mapping[str, str]
_RUNNING = "attributes.status = 'RUNNING'"
# Artefacts of a training run that its page links to, by title.
PAGES = {
    "Report": "report/report.html",
    "Data Docs": "data_docs/index.html",
    "pictures": "evaluation/roc.svg",
}
# Parameter of a run that names the metric which decides.
HEADLINE = "gate.metric"
VANISHED = "the process ended without closing its run"
_ERROR_CHARACTERS = 2000
_DIGEST_CHARACTERS = 16
_PARAMS_A_CALL = 100  # what MLflow takes
# `parameters.json` has the whole value.
_PARAM_CHARACTERS = 100
_DIFF_BYTES = 1_000_000


class Tracking(Declaration):
    """Addresses of runs and models: `mlflow.yml`."""

    tracking_uri: str = Field(min_length=1, description="MLflow server, or sqlite:/// and a project file")
    artifact_root: str | None = Field(None, description="folder of artefacts in the project; not for servers")

    def sqlite_file(self, project: Path) -> Path | None:
        """The file of a SQLite store; None for a server."""
        address = self.tracking_uri
        return project / address.removeprefix(SQLITE) if address.startswith(SQLITE) else None


class RunLog:
    """The only writer of runs to MLflow.

    `access` is "write" for runs, "load" for what runs have stored, or "view" at the database, which needs no
    write permission and works wherever the project was moved to.
    """

    def __init__(self, tracking: Tracking, project: Path, access: Access = "write"):
        import mlflow
        from sqlalchemy.exc import SQLAlchemyError

        readable_logs()
        uri = tracking.tracking_uri
        learn(tracking.model_dump())
        if (file := tracking.sqlite_file(project)) is not None:
            uri = f"{SQLITE}{file}"
            if found := re.search(r"\?|%[0-9A-Fa-f]{2}", str(file)):
                raise ConfigurationError(
                    f"{file}: no address of SQLite can name a file in a folder with {found[0]!r} in its name; rename "
                    "the folder, or keep runs elsewhere (mlflow.yml: tracking_uri)."
                )
            if access == "write":
                # Its journal lies beside it; SQLite itself would open a read-only file for reading.
                require_writable([file])
                if file.exists() and not os.access(file, os.R_OK | os.W_OK):
                    raise refusal(file)
        local = local_store(tracking.tracking_uri, tracking.artifact_root, project)
        self._artifact_root = (project / tracking.artifact_root).resolve() if tracking.artifact_root else None
        # Functions of MLflow that take no address (logging a model, loading one by alias) read these.
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        # The first use of a database makes its tables; two processes must not do that at the same time.
        lock = Path(f"{file or project / 'mlflow.db'}.lock")
        self._lock = None if uri.startswith("http") else FileLock(lock)
        # A database server, or read access, needs no lock of ours.
        self._lock_needed = access == "write" and file is not None
        self.uri = uri
        self._facts: dict[str, Facts] = {}
        with self._alone(), first_contact():
            try:
                require_database(uri)
                if local is not None and access != "view":
                    local.settle()
                self.client = mlflow.MlflowClient(uri)
                self.client.search_experiments(max_results=1)
            except (mlflow.MlflowException, SQLAlchemyError, sqlite3.Error) as error:
                if (problem := damaged(str(error), file or "MLflow's database")) is not None:
                    raise problem from error
                reason = masked(str(error).splitlines()[0])
                # A scheduler retries unless the exit code is 2.
                kind = StoreError if may_pass(error) else ConfigurationError
                raise kind(
                    f"mlflow.yml: the store {masked(uri)!r} cannot be used: {reason}; "
                    "check the address, the credentials, that the server runs and that no process keeps it locked."
                ) from error

    def open(self, experiment_name: str, name: str, tags: _Texts, pages: _Texts = PAGES) -> str:
        """Start a run in an experiment, with its pages (see `describe`), and return its id.

        Raises ConfigurationError if the experiment was deleted.
        """
        with self._alone():
            experiment = self.client.get_experiment_by_name(experiment_name)
            if experiment is not None and experiment.lifecycle_stage != "active":
                raise ConfigurationError(
                    f"experiment {experiment_name!r} was deleted in MLflow; restore it with "
                    f"`mlflow experiments restore --experiment-id {experiment.experiment_id}`, or remove it with "
                    "`mlflow gc`."
                )
            experiment_id, location = experiment and experiment.experiment_id, None
            job = Job.named(experiment_name)
            told = {"vertical": job.vertical, "purpose": job.purpose}
            if experiment is None:
                if self._artifact_root is not None:
                    # MLflow would restrict it to this user.
                    shared_folder(self._artifact_root / experiment_name / "models")
                    location = f"{self._artifact_root.as_uri()}/{experiment_name}"
                experiment_id = self.client.create_experiment(experiment_name, location, EXPERIMENT | told)
            elif told.items() - experiment.tags.items():
                # Of an earlier release.
                for key, value in told.items():
                    self.client.set_experiment_tag(experiment_id, key, value)
        self.close_orphans(experiment_name)
        process = {**identity(), "mlflow.user": user_name()}
        run = self.client.create_run(experiment_id, run_name=masked(name), tags=masked({**tags, **process}))
        self.describe(run.info.run_id, pages=pages)
        return str(run.info.run_id)

    def describe(self, run_id: str, results: str = "", pages: _Texts = PAGES) -> None:
        """Write the note on the run's page: links to its reports (artefacts by title), then its results."""
        info = self.client.get_run(run_id).info
        links = " · ".join(f"[{title}]({run_page(info, path)})" for title, path in pages.items())
        self.client.set_tag(run_id, "mlflow.note.content", masked(f"{links}\n\n{results}".strip()))

    def close(self, run_id: str, status: str, error: BaseException | str | None = None) -> None:
        """End a run as "FINISHED", "FAILED" or "KILLED", with the error's text as a tag."""
        if error is not None:
            kind = "" if isinstance(error, str) else f"{type(error).__name__}: "
            self.client.set_tag(run_id, "error", masked(f"{kind}{error}")[:_ERROR_CHARACTERS])
        self.client.set_terminated(run_id, status=status)

    @contextmanager
    def closing(self, run_id: str) -> Iterator[None]:
        """Close a run at the end of a block: as FINISHED, as FAILED after an error, or as KILLED."""
        try:
            yield
        except Exception as error:
            self.close(run_id, "FAILED", error)
            raise
        except BaseException:
            ignore_sigterm()
            self.close(run_id, "KILLED", "the process was told to stop")
            raise
        self.close(run_id, "FINISHED")

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags in one call."""
        from mlflow.entities import RunTag

        self.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in masked(dict(tags)).items()])

    def lineage(self, run_id: str, facts: _Texts) -> None:
        """Add facts to the `lineage.json` of a run of this process."""
        known = self._facts.setdefault(run_id, {})
        known |= masked(dict(facts))
        self.client.log_dict(run_id, known, LINEAGE)

    def parameters(self, run_id: str, declared: Mapping[str, Any]) -> None:
        """Log a declaration flat (`training.epochs`), and whole as `parameters.json`."""
        from mlflow.entities import Param

        declared = masked(declared)
        shown = {key: value for key, value in declared.items() if key != "about"}
        params = [Param(key, _short(str(value))) for key, value in flat.flatten(shown).items()]
        for start in range(0, len(params), _PARAMS_A_CALL):
            self.client.log_batch(run_id, params=params[start : start + _PARAMS_A_CALL])
        self.client.log_dict(run_id, dict(declared), "parameters.json")

    def rename(self, run_id: str, name: str) -> None:
        """Give a run the name that lists and charts show."""
        self.client.set_tag(run_id, "mlflow.runName", masked(name))

    def code_diff(self, run_id: str, diff: bytes) -> None:
        """Store the difference of tree and commit as `code.diff`; if it is large, only its size."""
        diff = masked(diff)
        if len(diff) > _DIFF_BYTES:
            self.lineage(run_id, {"git.diff.bytes": str(len(diff))})
            return
        with TemporaryDirectory() as folder:
            Path(folder, "code.diff").write_bytes(diff)
            self.client.log_artifacts(run_id, folder)

    def metrics(self, run_id: str, values: Mapping[str, float], step: int = 0) -> None:
        """Log the metrics of one step."""
        flat.log_metrics(self.client, run_id, values, step)

    def attach(self, run_id: str, path: Path, folder: str) -> None:
        """Store a file, or the files of a folder, below `folder` of the run's artefacts."""
        log = self.client.log_artifacts if path.is_dir() else self.client.log_artifact
        log(run_id, str(path), folder)

    @property
    def store(self) -> str:
        """The store's address, without credentials."""
        return masked(self.uri)

    def link(self, run_id: str) -> str | None:
        """Address of a run's page; None without a server."""
        return run_link(self.uri, self.client.get_run(run_id).info) if self.uri.startswith("http") else None

    def where(self, run_id: str) -> str:
        """How to see a run in the MLflow UI."""
        if link := self.link(run_id):
            return link
        local = self.uri.startswith(SQLITE)
        start = "make ui" if local else f"mlflow ui --backend-store-uri '{masked(self.uri)}'"
        return f"{start}, then http://127.0.0.1:5000/{run_page(self.client.get_run(run_id).info)}"

    def record(self, run_id: str, dataset: Any, data: Any, *, earlier: bool = False) -> None:
        """Record a data set as the `metadata.mlflow` of its catalog entry says.

        `earlier` means that an earlier run made it, so that its epochs are not logged yet.
        """
        marks = (getattr(dataset, "metadata", None) or {}).get("mlflow", {})
        record = data
        # Not a model, which is a dataclass, too.
        if marks and is_dataclass(data):
            data = to_plain(data)
        if "artifact" in marks:
            self.attach(run_id, dataset.path, marks["artifact"])
        if "tags" in marks:
            self.tag(run_id, {tag: str(data[key]) for tag, key in marks["tags"].items()})
        if "lineage" in marks:
            self.lineage(run_id, {fact: str(data[key]) for fact, key in marks["lineage"].items()})
        if marks.get("dataset"):
            self._log_dataset(run_id, record)
        if marks.get("metrics") is True:
            headline = self.client.get_run(run_id).data.params.get(HEADLINE)
            self.metrics(run_id, flat.logged_metrics(record, headline))
        elif "metrics" in marks:
            figures = {metric: getattr(record, key) for metric, key in marks["metrics"].items()}
            self.metrics(run_id, {metric: value for metric, value in figures.items() if value is not None})
        for name, key in marks.get("of_model", {}).items():
            if figures := getattr(record, key):
                self.metrics(run_id, {f"{name}.model": figures["model"].value})
        if "figures" in marks:
            self.metrics(run_id, data[marks["figures"]])
        if "series" in marks:
            for step, figures in enumerate(data[marks["series"]]):
                self.metrics(run_id, figures, step)
        if marks.get("epochs"):
            self.client.log_text(run_id, _as_json(data), HISTORY)
            curves = [name.removeprefix("validation_") for name in data.columns[3:]]
            for network, number, *figures in data.itertuples(index=False) if earlier else ():
                flat.log_epoch(run_id, network, number, figures, curves)

    def _log_dataset(self, run_id: str, record: IngestionRecord) -> None:
        """Log the table of `ingest_table` as the run's data set."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        profile = {"num_rows": record.rows, "num_columns": len(record.columns), "base_rate": record.base_rate}
        dataset = Dataset(
            name=", ".join(record.files) or "table",
            digest=record.sha256[:_DIGEST_CHARACTERS],
            source_type="local" if record.files else "catalog",
            source=json.dumps({"files": record.files}),
            profile=json.dumps(profile),
        )
        self.client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from making tables or experiments."""
        if self._lock is None:
            yield
            return
        try:
            self._lock.acquire()
        except OSError:
            if self._lock_needed:
                raise
        try:
            yield
        finally:
            self._lock.release()

    def close_orphans(self, vertical: str) -> None:
        """End runs that a killed process of this host left open."""
        experiment = self.client.get_experiment_by_name(vertical)
        for run in self.client.search_runs([experiment.experiment_id], _RUNNING) if experiment else []:
            if has_ended(run.data.tags, os.getpid()):
                self.close(run.info.run_id, "KILLED", f"{VANISHED}; found by a later run")


def read_tracking(declared: Mapping[str, Any]) -> Tracking:
    """Build the typed `mlflow.yml`; raises ConfigurationError if a key is unknown, absent or mistyped."""
    from pydantic import ValidationError

    try:
        return Tracking.model_validate(dict(declared))
    except ValidationError as refused:
        problems = [
            f"mlflow.yml: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in refused.errors()
        ]
        known = ", ".join(Tracking.model_fields)
        raise ConfigurationError("\n".join(problems) + f"; valid keys are {known}.") from refused


def existing_store(tracking: Tracking, project: Path, access: Access = "load") -> Any:
    """A client of the store, None if its SQLite file does not exist yet; for `access` see `RunLog`."""
    file = tracking.sqlite_file(project)
    if file is not None and not file.is_file():
        return None
    return RunLog(tracking, project, access).client


def _as_json(table: pd.DataFrame) -> str:
    """The columns of a table as JSON, floats to the last bit; missing values are null."""
    columns = table.astype("object").where(table.notna(), None)
    return json.dumps(columns.to_dict("list"))


def _short(text: str) -> str:
    """Shorten a text to MLflow's limit, with a hash so that different texts stay different."""
    if len(text) <= _PARAM_CHARACTERS:
        return text
    return f"{text[: _PARAM_CHARACTERS - 20]}… ({hashlib.sha256(text.encode()).hexdigest()[:8]})"
