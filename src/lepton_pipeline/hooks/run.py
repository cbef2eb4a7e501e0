"""Keep one MLflow run per pipeline of a vertical beside a Kedro run, and say on the terminal how it goes."""

from __future__ import annotations

import atexit
import logging
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any

from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from lepton_pipeline.credentials import without_credentials, without_webhook
from lepton_pipeline.errors import BusyError, ConfigurationError, store_lost, user_error
from lepton_pipeline.jobs import MONITORING, SCORING, TRAINING, Job
from lepton_pipeline.monitoring_summary import monitoring_markdown, print_monitoring
from lepton_pipeline.permissions import require_writable
from lepton_pipeline.registry import lineage
from lepton_pipeline.registry.experiment_page import present_experiment
from lepton_pipeline.registry.flat import flatten
from lepton_pipeline.registry.tracking import PAGES, RunLog, read_tracking
from lepton_pipeline.retraining.lock import FOLDER, JobLock
from lepton_pipeline.scoring_summary import print_scoring, scoring_markdown
from lepton_pipeline.summary import print_summary, summary_markdown

logger = logging.getLogger(__name__)
_NAME_CHARACTERS = 80
_REASON_CHARACTERS = 300
_SUMMARISED = {
    TRAINING: (
        "ingestion_record",
        "contract_result",
        "split",
        "columns",
        "feature_report",
        "metrics",
        "copies",
        "costs",
        "slices",
        "registration",
        "decision",
    ),
    SCORING: ("scoring_contract", "scoring_record"),
    MONITORING: ("monitoring.ingestion_record", "monitoring.contract_result", "monitoring_result"),
}
_SCORED = {"scores": "batch_scores", "quarantine": "scoring_quarantine"}
_PAGES = {
    TRAINING: PAGES,
    SCORING: {"contract": "scoring/contract.json", "record": "scoring/record.json"},
    MONITORING: {"page": "monitoring/monitoring.html", "result": "monitoring/result.json"},
}
_PRINTED = {TRAINING: print_summary, SCORING: print_scoring, MONITORING: print_monitoring}
_WRITTEN = {TRAINING: summary_markdown, SCORING: scoring_markdown, MONITORING: monitoring_markdown}


@dataclass
class _Run:
    """The run of one job while it is open."""

    run_id: str
    chosen: str
    started: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class RunHook:
    """Opens, fills and closes the MLflow runs of a Kedro run."""

    def __init__(self) -> None:
        self._runs: dict[Job, _Run] = {}
        self._locks: list[JobLock] = []
        self.decisions: dict[str, dict[str, Any]] = {}
        self._working_on: Job | None = None
        self._sigterm: Any = None
        # A signal unwinds the process without Kedro telling any hook; what is open at its end was killed.
        atexit.register(self._close_killed)

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember the configuration; it is read when a run starts, so that light commands do not pay for it."""
        self._context = context

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Lock every job, open a run for each and hand its id to the nodes that train as `<vertical>.run_id`.

        Raises:
            BusyError: another process is at work on one of the pipelines.
        """
        self._close_killed()
        self._catalog = catalog
        self._working_on = None
        jobs = sorted({Job.of(node) for node in pipeline.nodes})
        with self._failing():
            require_writable(self._written(pipeline))
            self._lock(jobs)
            self._log = self._connect()
            self._exit_on_sigterm()
            installed = lineage.environment()
            tags = {
                **lineage.code_tags(self._context.project_path),
                **lineage.machine_tags(),
                "code.sha256": lineage.package_sha256(),
                "environment.sha256": lineage.sha256(installed),
                "kedro.run": run_params["run_id"],
                "mlflow.source.name": without_credentials(" ".join(["kedro", *sys.argv[1:]])),
            }
            only_missing = bool(run_params.get("only_missing_outputs"))
            for job in jobs:
                own = pipeline.only_nodes(*(node.name for node in pipeline.nodes if Job.of(node) == job))
                if only_missing and self._all_exist(own):
                    logger.info("%s: no output is missing, nothing to run", job.name)
                    self._log.close_orphans(job.name)
                    continue
                self._open(job, _chosen(job.vertical, run_params), tags)
                self._log.client.log_text(self._runs[job].run_id, installed, "environment.txt")
                if "git.diff.sha256" in tags:
                    diff = lineage.code_diff(self._context.project_path)
                    self._log.code_diff(self._runs[job].run_id, lineage.masked(diff))
                self._record_earlier_results(job, own, only_missing)

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Start the clock of a stage."""
        self._working_on = Job.of(node)
        self._runs[self._working_on].started.setdefault(node.name, perf_counter())

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Start it here for a stage that loads nothing."""
        self._working_on = Job.of(node)
        self._runs[self._working_on].started.setdefault(node.name, perf_counter())

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Record what the catalog marks for MLflow; with the last output, stop the clock of the stage."""
        run = self._runs[Job.of(node)]
        self._log.record(run.run_id, self._catalog.get(dataset_name), data)
        if dataset_name == node.outputs[-1]:
            stage = node.name.partition(".")[2]
            run.seconds[stage] = perf_counter() - run.started[node.name]
            logger.info("%s  %-27s %6.1f s", Job.of(node).name, stage, run.seconds[stage])

    @hook_impl
    def after_pipeline_run(self) -> None:
        """End the runs as FINISHED and print the summary of each."""
        with self._failing():
            results = {job: self._results(job) for job in self._runs}
            for job, run in self._runs.items():
                with _only_shown(job, run, "the text at the head of its page"):
                    self._log.describe(run.run_id, _WRITTEN[job.purpose](results[job]), _PAGES[job.purpose])
                if decision := results[job].get("decision"):
                    self.decisions[job.vertical] = decision
                    self._log.rename(run.run_id, f"v{decision['version']} {run.chosen}")
                if job.purpose == MONITORING and (found := results[job].get("monitoring_result")):
                    watched = found["champion"]
                    self._log.client.set_model_version_tag(
                        watched["name"], str(watched["version"]), "monitoring.run_id", run.run_id
                    )
                self._log.metrics(run.run_id, {f"seconds.{stage}": each for stage, each in run.seconds.items()})
                self._log.close(run.run_id, "FINISHED")
                if job.purpose == TRAINING:
                    metric = self._context.config_loader["parameters"][job.vertical]["gate"]["metric"]
                    with _only_shown(job, run, "the view of its experiment"):
                        present_experiment(self._log.client, run.run_id, metric)
        finished, self._runs = self._runs, {}
        self._unlock()
        self._restore_sigterm()
        for job, run in finished.items():
            with _only_shown(job, run, "its summary", whatever=True):
                _PRINTED[job.purpose](job.name, results[job], run.seconds, self._log.where(run.run_id))

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """End the run at work as FAILED with the error's text, and those that stop with it."""
        for job, run in self._runs.items():
            other = self._working_on if self._working_on not in (None, job) else None
            self._close(job, run, "FAILED", error if other is None else f"stopped because {other.name} failed")
        self._runs = {}
        self._unlock()
        self._restore_sigterm()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Let an error in this hook end the runs as FAILED: Kedro tells no hook of it."""
        try:
            yield
        except Exception as error:
            self.on_pipeline_error(error)
            raise

    def _written(self, pipeline: Pipeline) -> list[Path]:
        """Files and folders of this machine that the stages will make."""
        paths = [getattr(self._catalog.get(name), "path", None) for name in sorted(pipeline.all_outputs())]
        return [path for path in paths if isinstance(path, Path)]

    def _lock(self, jobs: list[Job]) -> None:
        """Take the locks of the jobs: a retraining job that runs them itself holds that of the training already."""
        for job in jobs:
            lock = JobLock(self._context.project_path / FOLDER, job.name, "kedro run")
            if (holder := lock.acquire()) is not None:
                raise BusyError(
                    f"{job.name}: another process is at work on it ({holder}); wait for its end, or stop it."
                )
            self._locks.append(lock)

    def _unlock(self) -> None:
        while self._locks:
            self._locks.pop().release()

    def _open(self, job: Job, name: str, tags: dict[str, str]) -> None:
        declared = without_webhook(self._context.config_loader["parameters"][job.vertical])
        own = {"configuration.sha256": lineage.sha256(declared)}
        if job.purpose == TRAINING:
            own["seed"] = str(declared["training"]["seed"])
        run_id = self._log.open(job.name, name, {**tags, **own}, _PAGES[job.purpose])
        self._runs[job] = _Run(run_id, name)
        if job.purpose == TRAINING:
            self._catalog[f"{job.vertical}.run_id"] = run_id
        self._log.parameters(run_id, declared)

    def _all_exist(self, pipeline: Pipeline) -> bool:
        datasets = [self._catalog.get(name) for name in pipeline.all_outputs()]
        return all(dataset is not None and dataset.exists() for dataset in datasets)

    def _record_earlier_results(self, job: Job, pipeline: Pipeline, only_missing: bool) -> None:
        """Give a run that resumes what earlier ones made for it, too, so that its page is whole."""
        needed = pipelines[job.name].to_nodes(*(node.name for node in pipeline.nodes)).all_outputs()
        names = sorted(needed if only_missing else needed - pipeline.all_outputs())
        found = [dataset for dataset in map(self._catalog.get, names) if dataset is not None and dataset.exists()]
        for dataset in found:
            self._log.record(self._runs[job].run_id, dataset, dataset.load(), earlier=True)
        if found:
            self._log.tag(self._runs[job].run_id, {"resumed": "true"})

    def _results(self, job: Job) -> dict[str, Any]:
        """What the summary shows, as far as it exists."""
        vertical = job.vertical
        datasets = {name: self._catalog.get(f"{vertical}.{name}") for name in _SUMMARISED[job.purpose]}
        found = self._loaded(job, datasets)
        found["tables"], found["readings"] = self._tables(job, "contract_result"), self._tables(job, "reading")
        if job.purpose == SCORING:
            written = _SCORED.items() if "scoring_record" in found else ()
            found["paths"] = {name: self._shown(f"{vertical}.{dataset}") for name, dataset in written}
        if job.purpose == MONITORING and "monitoring_result" in found:
            found["paths"] = {"page": self._shown(f"{vertical}.monitoring_page")}
        return found | {"about": self._context.config_loader["parameters"][vertical]["about"]}

    def _tables(self, job: Job, result: str) -> dict[str, Any]:
        """A result that there is of each raw table, by the table's name."""
        names = sorted(name for name in pipelines[job.name].all_outputs() if name.endswith(f".{result}"))
        own = (f"{job.vertical}.{result}", f"{job.vertical}.{MONITORING}.{result}")
        datasets = {name.split(".")[-2]: self._catalog.get(name) for name in names if name not in own}
        return self._loaded(job, datasets)

    def _loaded(self, job: Job, datasets: Mapping[str, Any]) -> dict[str, Any]:
        """The data sets that there are, without those that cannot be read."""
        found: dict[str, Any] = {}
        for name, dataset in datasets.items():
            if dataset and dataset.exists():
                with _only_shown(job, self._runs[job], f"reading {name}"):
                    found[name] = dataset.load()
        return found

    def _shown(self, dataset: str) -> str:
        """Where a data set lies, from the project's folder on where it is below it."""
        path, project = Path(getattr(self._catalog.get(dataset), "path", dataset)), self._context.project_path
        return str(path.relative_to(project) if path.is_relative_to(project) else path)

    def _connect(self) -> RunLog:
        try:
            declared = self._context.config_loader["mlflow"]
        except MissingConfigException as error:
            raise ConfigurationError(
                "no mlflow.yml below conf/base; restore it, it says where runs are kept."
            ) from error
        return RunLog(read_tracking(declared), self._context.project_path)

    def _exit_on_sigterm(self) -> None:
        """Let SIGTERM unwind the process as an interrupt does, so that open runs are closed."""
        if threading.current_thread() is threading.main_thread():
            self._sigterm = signal.signal(signal.SIGTERM, _exit)

    def _restore_sigterm(self) -> None:
        if self._sigterm is not None:
            signal.signal(signal.SIGTERM, self._sigterm)
            self._sigterm = None

    def _close_killed(self) -> None:
        for job, run in self._runs.items():
            self._close(job, run, "KILLED", "the process was told to stop")
        self._runs = {}
        self._unlock()

    def _close(self, job: Job, run: _Run, status: str, error: Exception | str) -> None:
        """End a run that did not reach its end, or say that this has to wait for the store."""
        gone = isinstance(error, Exception) and store_lost(error)
        if not gone:
            try:
                self._log.close(run.run_id, status, error)
            except Exception as refused:
                if not store_lost(refused):
                    raise
                gone = True
        if gone:
            logger.warning("%s: the next run that reaches MLflow's store ends run %s there", job.name, run.run_id)


@contextmanager
def _only_shown(job: Job, run: _Run, what: str, *, whatever: bool = False) -> Iterator[None]:
    """Let a run whose work is done end well though its results cannot be shown, and say so.

    Args:
        job: whose run it is.
        run: the run.
        what: is shown.
        whatever: also where a user could mend the error; else that one is the command's to report.
    """
    try:
        yield
    except Exception as error:
        if not whatever and user_error(error) is not None:
            raise
        reason = without_credentials(" ".join(f"{type(error).__name__}: {error}".split()))[:_REASON_CHARACTERS]
        logger.warning(
            "%s: %s failed (%s); run %s is whole: kedro compare %s lists it, make ui shows it",
            job.name,
            what,
            reason,
            run.run_id,
            job.name,
        )


def _chosen(vertical: str, run_params: Mapping[str, Any]) -> str:
    """What a run was asked for beside the declaration: the name by which one tells runs apart."""
    given = flatten(run_params.get("runtime_params") or {})
    own = {key.removeprefix(f"{vertical}."): each for key, each in given.items() if key.startswith(f"{vertical}.")}
    shown = " ".join(f"{key.removeprefix('training.')}={each}" for key, each in own.items())
    return shown[:_NAME_CHARACTERS] or "as declared"


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
