"""Keep one MLflow run per pipeline of a vertical during a Kedro run, and print its progress."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from lepton_pipeline.errors import BusyError, ConfigurationError
from lepton_pipeline.evaluation.decision import GateDecision
from lepton_pipeline.hooks.results import PAGES, PRINTED, WRITTEN, Results, kind_of, log_failure
from lepton_pipeline.parameters.jobs import KIND, MONITORING, PARTIAL, TRAINING, Job
from lepton_pipeline.project.slice import slice_words
from lepton_pipeline.project.user_errors import store_lost
from lepton_pipeline.registry.champion import champion_of, keep_champion_pages
from lepton_pipeline.reporting.pages.data_docs import DataDocsDataset
from lepton_pipeline.system.credentials import masked
from lepton_pipeline.system.locks import JOB_LOCKS, JobLock
from lepton_pipeline.system.permissions import require_writable
from lepton_pipeline.system.signals import unwinding
from lepton_pipeline.tracking import lineage
from lepton_pipeline.tracking.artefacts import FILTERED, SECONDS, TRAINING_STAGE, Facts
from lepton_pipeline.tracking.experiment_page import present_experiment
from lepton_pipeline.tracking.flat import flatten
from lepton_pipeline.tracking.runs import RunLog, read_tracking

logger = logging.getLogger(__name__)
_NAME_CHARACTERS = 80


@dataclass
class _Run:
    run_id: str
    chosen: str
    kind: str
    made: list[str] = field(default_factory=list)
    started: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class RunHook:
    """Opens, fills and closes the MLflow runs of a Kedro run."""

    def __init__(self) -> None:
        self._runs: dict[Job, _Run] = {}
        self.decisions: dict[str, GateDecision] = {}
        self._working_on: Job | None = None
        self._held = ExitStack()
        # A signal unwinds the process without Kedro telling any hook; what is open at its end was killed.
        atexit.register(self._close_killed)

    def after_context_created(self, context: KedroContext) -> None:
        """Remember the context; its configuration is read only when a run starts."""
        self._context = context

    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Lock every job, open a run for each and hand its id to training nodes as `<vertical>.run_id`.

        Raises BusyError if another process works on one of the pipelines.
        """
        self._close_killed()
        self._catalog = catalog
        self._working_on = None
        jobs = sorted({Job.of(node) for node in pipeline.nodes})
        with self._failing():
            paths = [getattr(catalog.get(name), "path", None) for name in pipeline.all_outputs()]
            require_writable(path for path in paths if isinstance(path, Path))
            self._lock(jobs)
            self._log = self._connect()
            self._held.enter_context(unwinding())
            installed = lineage.environment()
            facts = {
                **lineage.code_facts(self._context.project_path),
                **lineage.machine_facts(),
                "code.sha256": lineage.package_sha256(),
                "environment.sha256": lineage.sha256(installed),
                "kedro.run": run_params["run_id"],
            }
            only_missing = bool(run_params.get("only_missing_outputs"))
            for job in jobs:
                own = pipeline.only_nodes(*(node.name for node in pipeline.nodes if Job.of(node) == job))
                if only_missing and self._all_exist(own):
                    logger.info("%s: no output is missing, nothing to run", job.name)
                    self._log.close_orphans(job.name)
                    continue
                self._open(job, _chosen(job.vertical, run_params), kind_of(job, own, self._all_exist), facts)
                self._log.client.log_text(self._runs[job].run_id, installed, "environment.txt")
                if "git.diff.sha256" in facts:
                    diff = lineage.code_diff(self._context.project_path)
                    self._log.code_diff(self._runs[job].run_id, diff)
                if self._runs[job].kind != PARTIAL:
                    self._record_earlier_results(job, own, only_missing)

    def before_node_run(self, node: Node) -> None:
        """Start the clock of a stage, and tag its Data Docs with the run."""
        self._working_on = Job.of(node)
        run = self._runs[self._working_on]
        run.started.setdefault(node.name, perf_counter())
        for dataset in map(self._catalog.get, node.outputs):
            if isinstance(dataset, DataDocsDataset):
                dataset.run_id = run.run_id

    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Record what the catalog marks for MLflow; after the last output, stop the clock of the stage."""
        run = self._runs[Job.of(node)]
        self._log.record(run.run_id, self._catalog.get(dataset_name), data)
        run.made.append(dataset_name)
        if dataset_name == node.outputs[-1]:
            stage = node.name.partition(".")[2]
            run.seconds[stage] = perf_counter() - run.started[node.name]
            logger.info("%s  %-27s %6.1f s", Job.of(node).name, stage, run.seconds[stage])
            if stage == TRAINING_STAGE:
                # The report, which is written before the run ends, reads it.
                self._log.client.log_dict(run.run_id, run.seconds, SECONDS)

    def after_pipeline_run(self) -> None:
        """End the runs as FINISHED and print the summary of each."""
        with self._failing():
            parameters = self._context.config_loader["parameters"]
            kept = Results(self._catalog, parameters, self._context.project_path)
            results = {
                job: kept.of_part(job, run.run_id, run.made)
                if run.kind == PARTIAL
                else kept.of(job, run.run_id)
                for job, run in self._runs.items()
            }
            for job, run in self._runs.items():
                with log_failure(job, run.run_id, "the text at the head of its page"):
                    self._log.describe(run.run_id, WRITTEN[run.kind](results[job]), PAGES[run.kind])
                if decision := results[job].get("decision"):
                    self.decisions[job.vertical] = decision
                    self._log.rename(run.run_id, f"v{decision.version} {run.chosen}")
                    self._keep_pages(job, run, decision)
                if job.purpose == MONITORING and (found := results[job].get("monitoring_result")):
                    watched = found.champion
                    self._log.client.set_model_version_tag(
                        watched.name, str(watched.version), "monitoring.run_id", run.run_id
                    )
                self._log.client.log_dict(run.run_id, run.seconds, SECONDS)
                self._log.close(run.run_id, "FINISHED")
                if run.kind == TRAINING:
                    metric = parameters[job.vertical]["gate"]["metric"]
                    with log_failure(job, run.run_id, "the view of its experiment"):
                        present_experiment(self._log.client, run.run_id, metric)
        finished = self._end()
        for job, run in finished.items():
            with log_failure(job, run.run_id, "its summary", always=True):
                PRINTED[run.kind](job.name, results[job], run.seconds, self._log.where(run.run_id))

    def on_pipeline_error(self, error: Exception) -> None:
        """End the current run as FAILED with the error's text, and those that stop with it."""
        for job, run in self._runs.items():
            other = self._working_on if self._working_on not in (None, job) else None
            why = error if other is None else f"stopped because {other.name} failed"
            self._close(job, run, "FAILED", why)
        self._end()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """End the runs as FAILED on an error in this hook, which Kedro does not report to hooks."""
        try:
            yield
        except Exception as error:
            self.on_pipeline_error(error)
            raise

    def _lock(self, jobs: list[Job]) -> None:
        """Lock the jobs; a retraining job that runs them already holds the lock of the training."""
        for job in jobs:
            lock = JobLock(self._context.project_path / JOB_LOCKS, job.name, "kedro run")
            if (holder := self._held.enter_context(lock)) is not None:
                raise BusyError(
                    f"{job.name}: another process is at work on it ({holder}); wait for its end, or stop it."
                )

    def _end(self) -> dict[Job, _Run]:
        """Release locks and signals, and return the runs that were open."""
        ended, self._runs = self._runs, {}
        self._held.close()
        return ended

    def _keep_pages(self, job: Job, run: _Run, decision: GateDecision) -> None:
        """Keep the report of a version that became champion and still is."""
        client, version = self._log.client, decision.version
        with log_failure(job, run.run_id, "keeping the champion's report", always=True):
            if decision.promoted and champion_of(client, job.vertical) == version:
                keep_champion_pages(client, job.vertical, version, self._context.project_path, run.run_id)

    def _open(self, job: Job, name: str, kind: str, facts: Facts) -> None:
        declared = masked(self._context.config_loader["parameters"][job.vertical])
        # The present differs in every run.
        dataset = {key: each for key, each in declared["dataset"].items() if key != "present"}
        facts = {**facts, "configuration.sha256": lineage.sha256({**declared, "dataset": dataset})}
        if job.purpose == TRAINING:
            facts["seed"] = str(declared["training"]["seed"])
        tags = {KIND: kind, "mlflow.source.name": " ".join(["kedro", *sys.argv[1:]])}
        if facts["git.commit"] != "none":
            tags["mlflow.source.git.commit"] = facts["git.commit"]
        if words := slice_words(os.environ):
            tags["slice"] = words
        tags |= {name: facts[name] for name in FILTERED if name in facts}
        run_id = self._log.open(job.name, name, tags, PAGES[kind])
        self._log.lineage(run_id, facts)
        self._runs[job] = _Run(run_id, name, kind)
        if job.purpose == TRAINING:
            self._catalog[f"{job.vertical}.run_id"] = run_id
        self._log.parameters(run_id, declared)

    def _all_exist(self, pipeline: Pipeline) -> bool:
        datasets = [self._catalog.get(name) for name in pipeline.all_outputs()]
        return all(dataset is not None and dataset.exists() for dataset in datasets)

    def _record_earlier_results(self, job: Job, pipeline: Pipeline, only_missing: bool) -> None:
        """Record earlier results in a run that resumes, so that its page is complete."""
        needed = pipelines[job.name].to_nodes(*(node.name for node in pipeline.nodes)).all_outputs()
        names = sorted(needed if only_missing else needed - pipeline.all_outputs())
        run_id, datasets = self._runs[job].run_id, map(self._catalog.get, names)
        found = [dataset for dataset in datasets if dataset is not None and dataset.exists()]
        for dataset in found:
            self._log.record(run_id, dataset, dataset.load(), earlier=True)
        if found:
            self._log.tag(run_id, {"resumed": "true"})

    def _connect(self) -> RunLog:
        try:
            declared = self._context.config_loader["mlflow"]
        except MissingConfigException as error:
            raise ConfigurationError(
                "no mlflow.yml below conf/base; restore it, it says where runs are kept."
            ) from error
        return RunLog(read_tracking(declared), self._context.project_path)

    def _close_killed(self) -> None:
        for job, run in self._runs.items():
            self._close(job, run, "KILLED", "the process was told to stop")
        self._end()

    def _close(self, job: Job, run: _Run, status: str, error: Exception | str) -> None:
        """End an unfinished run, unless the store cannot be reached."""
        if not isinstance(error, Exception) or not store_lost(error):
            try:
                self._log.close(run.run_id, status, error)
            except Exception as refused:
                if not store_lost(refused):
                    raise
            else:
                return
        logger.warning("%s: the next run that reaches MLflow's store ends run %s there", job.name, run.run_id)


def _chosen(vertical: str, run_params: Mapping[str, Any]) -> str:
    """Name of a run: the parameters that differ from the declaration."""
    given = flatten(masked(run_params.get("runtime_params") or {}))
    given.pop(f"{vertical}.dataset.present", None)
    own = {key.partition(".")[2]: each for key, each in given.items() if key.startswith(f"{vertical}.")}
    shown = [f"{key.removeprefix('training.')}={each}" for key, each in own.items()]
    words = [*(["slice"] if slice_words(os.environ) else []), *shown]
    return " ".join(words)[:_NAME_CHARACTERS] or "as declared"


def remove_stale(node: Node, catalog: DataCatalog) -> None:
    """Remove a node's outputs and those of all nodes downstream, before new ones are written."""
    # The last first: after a crash, a resumed run must not fill a gap before stale results.
    for stale in reversed(pipelines[Job.of(node).name].from_nodes(node.name).nodes):
        for name in stale.outputs:
            remove = getattr(catalog.get(name), "remove", None)
            if remove is not None:
                remove()
