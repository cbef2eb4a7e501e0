"""Keep one MLflow run per vertical beside a Kedro run, and say on the terminal how it goes."""

from __future__ import annotations

import atexit
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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

from lepton_pipeline.credentials import without_credentials
from lepton_pipeline.errors import ConfigurationError, store_lost
from lepton_pipeline.registry import lineage
from lepton_pipeline.registry.tracking import RunLog, read_tracking
from lepton_pipeline.summary import print_summary, summary_markdown

logger = logging.getLogger(__name__)
_SUMMARISED = ("contract_result", "split", "feature_report", "metrics", "decision")


@dataclass
class _Run:
    """One vertical's run while it is open."""

    run_id: str
    started: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class RunHook:
    """Opens, fills and closes the MLflow runs of a Kedro run."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._working_on = ""
        self._sigterm: Any = None
        # A signal unwinds the process without Kedro telling any hook; what is open at its end was killed.
        atexit.register(self._close_killed)

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember the configuration; it is read when a run starts, so that light commands do not pay for it."""
        self._context = context

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Open one run per vertical and hand its id to the nodes as `<vertical>.run_id`."""
        self._close_killed()
        self._catalog = catalog
        self._working_on = ""
        self._log = self._connect()
        self._exit_on_sigterm()
        with self._failing():
            installed = lineage.environment()
            tags = {
                **lineage.code_tags(self._context.project_path),
                "environment.sha256": lineage.sha256(installed),
                "mlflow.source.name": without_credentials(" ".join(["kedro", *sys.argv[1:]])),
            }
            only_missing = bool(run_params.get("only_missing_outputs"))
            for vertical in sorted({_vertical(node) for node in pipeline.nodes}):
                if only_missing and self._all_exist(vertical, pipeline):
                    logger.info("%s: no output is missing, nothing to run", vertical)
                    self._log.close_orphans(vertical)
                    continue
                self._open(vertical, run_params["run_id"], tags)
                self._log.client.log_text(self._runs[vertical].run_id, installed, "environment.txt")
                self._record_earlier_results(vertical, pipeline, only_missing)

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Start the clock of a stage."""
        self._working_on = _vertical(node)
        self._runs[self._working_on].started.setdefault(node.name, perf_counter())

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Record what the catalog marks for MLflow; with the last output, stop the clock of the stage."""
        run = self._runs[_vertical(node)]
        self._log.record(run.run_id, self._catalog.get(dataset_name), data)
        if dataset_name == node.outputs[-1]:
            stage = node.name.partition(".")[2]
            run.seconds[stage] = perf_counter() - run.started[node.name]
            logger.info("%s  %-27s %6.1f s", _vertical(node), stage, run.seconds[stage])

    @hook_impl
    def after_pipeline_run(self) -> None:
        """End the runs as FINISHED and print the summary of each."""
        with self._failing():
            results = {vertical: self._results(vertical) for vertical in self._runs}
            for vertical, run in self._runs.items():
                self._log.describe(run.run_id, summary_markdown(results[vertical]))
                self._log.metrics(run.run_id, {f"seconds.{stage}": each for stage, each in run.seconds.items()})
                self._log.close(run.run_id, "FINISHED")
        finished, self._runs = self._runs, {}
        self._restore_sigterm()
        for vertical, run in finished.items():
            print_summary(vertical, results[vertical], run.seconds, self._log.where(run.run_id))

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """End the run at work as FAILED with the error's text, and those that stop with it."""
        for vertical, run in self._runs.items():
            stopped_with = self._working_on not in ("", vertical)
            self._close(
                vertical, run, "FAILED", f"stopped because {self._working_on} failed" if stopped_with else error
            )
        self._runs = {}
        self._restore_sigterm()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Let an error in this hook end the runs as FAILED: Kedro tells no hook of it."""
        try:
            yield
        except Exception as error:
            self.on_pipeline_error(error)
            raise

    def _open(self, vertical: str, name: str, tags: dict[str, str]) -> None:
        declared = self._context.config_loader["parameters"][vertical]
        own = {"configuration.sha256": lineage.sha256(declared), "seed": str(declared["training"]["seed"])}
        run_id = self._log.open(vertical, name, {**tags, **own})
        self._runs[vertical] = _Run(run_id)
        self._catalog[f"{vertical}.run_id"] = run_id
        self._log.parameters(run_id, declared)

    def _all_exist(self, vertical: str, pipeline: Pipeline) -> bool:
        datasets = [self._catalog.get(name) for name in pipeline.all_outputs() if name.startswith(f"{vertical}.")]
        return all(dataset is not None and dataset.exists() for dataset in datasets)

    def _record_earlier_results(self, vertical: str, pipeline: Pipeline, only_missing: bool) -> None:
        """Give a run that resumes what earlier ones made for it, too, so that its page is whole."""
        own = [node.name for node in pipeline.nodes if _vertical(node) == vertical]
        needed = pipelines[vertical].to_nodes(*own).all_outputs()
        for name in sorted(needed if only_missing else needed - pipeline.all_outputs()):
            dataset = self._catalog.get(name)
            if dataset is not None and dataset.exists():
                self._log.record(self._runs[vertical].run_id, dataset, dataset.load(), earlier=True)

    def _results(self, vertical: str) -> dict[str, Any]:
        """What the summary shows, as far as it exists."""
        datasets = {name: self._catalog.get(f"{vertical}.{name}") for name in _SUMMARISED}
        found = {name: dataset.load() for name, dataset in datasets.items() if dataset and dataset.exists()}
        tables = {
            name.split(".")[1]: self._catalog.get(name)
            for name in sorted(pipelines[vertical].all_outputs())
            if name.endswith(".contract_result") and name.count(".") > 1
        }
        found["tables"] = {table: dataset.load() for table, dataset in tables.items() if dataset and dataset.exists()}
        return found | {"about": self._context.config_loader["parameters"][vertical]["about"]}

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
        for vertical, run in self._runs.items():
            self._close(vertical, run, "KILLED", "the process was told to stop")
        self._runs = {}

    def _close(self, vertical: str, run: _Run, status: str, error: Exception | str) -> None:
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
            logger.warning("%s: the next run that reaches MLflow's store ends run %s there", vertical, run.run_id)


def _vertical(node: Node) -> str:
    """A node's vertical: the first part of its namespace."""
    return str(node.namespace).partition(".")[0]


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
