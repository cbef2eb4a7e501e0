"""Show the results of a run: description of the MLflow run and printed summary."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from lepton_pipeline.parameters.jobs import MONITORING, PARTIAL, SCORING, TRAINING, Job
from lepton_pipeline.project.user_errors import user_error
from lepton_pipeline.system.credentials import masked
from lepton_pipeline.terminal.console import print_facts
from lepton_pipeline.terminal.monitoring import monitoring_markdown, print_monitoring
from lepton_pipeline.terminal.scoring import print_scoring, scoring_markdown
from lepton_pipeline.terminal.training import print_summary, summary_markdown
from lepton_pipeline.tracking.runs import PAGES as TRAINING_PAGES

logger = logging.getLogger(__name__)
_REASON_CHARACTERS = 300
# The last of each is what its job is for.
_SUMMARISED = {
    TRAINING: (
        *("ingestion_record", "contract_result", "target", "split", "columns", "feature_report"),
        *(
            "metrics",
            "copies",
            "costs",
            "alert_figures",
            "ranking",
            "scope",
            "slices",
            "robustness",
            "registration",
            "decision",
        ),
    ),
    SCORING: ("scoring_contract", "scoring_record"),
    MONITORING: ("monitoring.ingestion_record", "monitoring.contract_result", "monitoring_result"),
}
_SCORED = {
    "scores": "batch_scores",
    "quarantine": "scoring_quarantine",
    "forecast": "scoring_forecast",
    "orders": "scoring_orders",
}
PAGES: dict[str, Mapping[str, str]] = {
    TRAINING: TRAINING_PAGES,
    SCORING: {"contract": "scoring/contract.json", "record": "scoring/record.json"},
    MONITORING: {"page": "monitoring/monitoring.html", "result": "monitoring/result.json"},
    PARTIAL: {},
}


def kind_of(job: Job, own: Pipeline, exist: Callable[[Pipeline], bool]) -> str:
    """The tag `kind` of a run: its job's purpose, or "partial".

    A run of the nodes `own` is whole where it makes everything downstream and its job's result, or fills the
    last gap after a failure; `exist` says whether all outputs of nodes exist at the start.
    """
    whole, names = pipelines[job.name], {node.name for node in own.nodes}
    if not {node.name for node in whole.from_nodes(*names).nodes} <= names:
        return PARTIAL
    makes_result = f"{job.vertical}.{_SUMMARISED[job.purpose][-1]}" in own.all_outputs()
    return job.purpose if makes_result or (not exist(own) and exist(whole - own)) else PARTIAL


@contextmanager
def log_failure(job: Job, run_id: str, what: str, *, always: bool = False) -> Iterator[None]:
    """Log a failure to show `what` instead of failing a run whose work is done.

    Errors that the user can fix are still raised, unless `always`.
    """
    try:
        yield
    except Exception as error:
        if not always and user_error(error) is not None:
            raise
        reason = masked(" ".join(f"{type(error).__name__}: {error}".split()))[:_REASON_CHARACTERS]
        message = "%s: %s failed (%s); run %s is complete: kedro compare %s lists it, make ui shows it"
        logger.warning(message, job.name, what, reason, run_id, job.name)


@dataclass(frozen=True)
class Results:
    """The results of runs on disk."""

    catalog: DataCatalog
    parameters: Mapping[str, Any]
    project: Path

    def of(self, job: Job, run_id: str) -> dict[str, Any]:
        """What the summary shows, as far as it exists."""
        vertical = job.vertical
        datasets = {name: self.catalog.get(f"{vertical}.{name}") for name in _SUMMARISED[job.purpose]}
        found = self._loaded(job, run_id, datasets)
        found["tables"] = self._loaded(job, run_id, self._tables(job, "contract_result"))
        found["readings"] = self._loaded(job, run_id, self._tables(job, "reading"))
        if job.purpose == SCORING:
            made = pipelines[job.name].all_outputs() if "scoring_record" in found else ()
            written = {name: f"{vertical}.{dataset}" for name, dataset in _SCORED.items()}
            found["paths"] = {name: self.shown(each) for name, each in written.items() if each in made}
        if job.purpose == MONITORING and "monitoring_result" in found:
            found["paths"] = {"page": self.shown(f"{vertical}.monitoring_page")}
        return found | {"about": self.parameters[vertical]["about"]}

    def of_part(self, job: Job, run_id: str, made: Collection[str]) -> dict[str, Any]:
        """Where the outputs of a partial run are, and the gate's decision if there is one."""
        decision = f"{job.vertical}.decision"
        datasets = {"decision": self.catalog.get(decision)} if decision in made else {}
        paths = {name.partition(".")[2]: self.shown(name) for name in made}
        return self._loaded(job, run_id, datasets) | {"made": paths}

    def shown(self, dataset: str) -> str:
        """Path of a data set, relative to the project where possible."""
        path = Path(getattr(self.catalog.get(dataset), "path", dataset))
        return str(path.relative_to(self.project) if path.is_relative_to(self.project) else path)

    def _tables(self, job: Job, result: str) -> dict[str, Any]:
        """The existing results of each raw table, by its name."""
        names = sorted(name for name in pipelines[job.name].all_outputs() if name.endswith(f".{result}"))
        own = [f"{job.vertical}.{part}{result}" for part in ("", f"{MONITORING}.", f"{SCORING}.")]
        return {name.split(".")[-2]: self.catalog.get(name) for name in names if name not in own}

    def _loaded(self, job: Job, run_id: str, datasets: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, dataset in datasets.items():
            if dataset and dataset.exists():
                with log_failure(job, run_id, f"reading {name}"):
                    found[name] = dataset.load()
        return found


def print_part(name: str, results: Mapping[str, Any], seconds: Mapping[str, float], where: str) -> None:
    """Print what a partial run has made."""
    stages = ", ".join(f"{stage} {each:.1f}" for stage, each in seconds.items())
    facts = [*results["made"].items(), ("seconds", stages), ("see it", where)]
    print_facts(f"{name}: part of the pipeline, left out of kedro compare", facts)


def part_markdown(results: Mapping[str, Any]) -> str:
    """Description of a partial run for MLflow."""
    return f"Part of the pipeline: made {', '.join(f'`{name}`' for name in results['made'])}."


PRINTED = {TRAINING: print_summary, SCORING: print_scoring, MONITORING: print_monitoring, PARTIAL: print_part}
WRITTEN = {
    TRAINING: summary_markdown,
    SCORING: scoring_markdown,
    MONITORING: monitoring_markdown,
    PARTIAL: part_markdown,
}
