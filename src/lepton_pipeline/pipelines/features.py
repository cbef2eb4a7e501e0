"""From raw tables to features, for both training and monitoring."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from kedro.framework.project import settings
from kedro.pipeline import Node, Pipeline
from kedro.utils import find_kedro_project

from lepton_pipeline import verticals
from lepton_pipeline.data.contracts.contract import check_contract, enforce_contract
from lepton_pipeline.features.derive import derive_all, derive_features
from lepton_pipeline.parameters.jobs import QUERY
from lepton_pipeline.tasks.ingest import ingest_table
from lepton_pipeline.verticals.interactions import single_table
from lepton_pipeline.verticals.raw_tables import RECORDS, forecast_table, query_table, raw_table

_CHECKED = "table params:dataset params:contract params:features"
_INGESTED = "raw params:dataset params:ingestion params:contract params:features"
_DERIVED = ["clean_table", "params:dataset", "params:features"]


def create_pipeline(vertical: str, *, labelled: bool) -> Pipeline:
    """Ingestion, contract and derived features of one vertical, without a namespace.

    `labelled`: whether to keep only rows with a known label.
    """
    contract = stages(
        "contract",
        (check_contract, _CHECKED, "contract_result quarantine data_docs"),
        (enforce_contract, "table quarantine contract_result params:contract", "clean_table"),
    )
    derive = derive_features if labelled else derive_all
    derived = Node(derive, _DERIVED, "feature_table", name="derive_features", tags="features")
    return Pipeline(ingestion(vertical), tags="ingestion") + contract + Pipeline([derived])


def nested(made: Pipeline, vertical: str, job: str, outputs: dict[str, str]) -> Pipeline:
    """Stages of a vertical for another job, below a nested namespace of its name, so that training keeps its own.

    `outputs` are data sets of the vertical itself, by their name in `made`.
    """
    # With whole names: Kedro warns of dots of nested namespaces in a node outside of its own.
    given = {name for name in made.inputs() if not name.startswith("params:")}
    parameters = made.inputs() - given
    return Pipeline(
        made,
        namespace=f"{vertical}.{job}",
        inputs={name: f"{vertical}.{name}" for name in given},
        parameters={name: f"params:{vertical}.{name.removeprefix('params:')}" for name in parameters},
        outputs={name: f"{vertical}.{output}" for name, output in outputs.items()},
        tags=job,
    )


def ingestion(vertical: str) -> Pipeline:
    """By the vertical's module, its query, or from raw tables, to `table` and `ingestion_record`."""
    if _has_module(vertical):
        own: Pipeline = import_module(f"{verticals.__name__}.{vertical}").ingestion()
        return own
    if _has_query(vertical):
        tables = _referenced(vertical)
        raw = [raw_table(*each) for each in tables.items()]
        if declares_forecast(vertical):
            return Pipeline(
                [*raw, query_table(vertical, tuple(tables), records=RECORDS), forecast_table(RECORDS)]
            )
        return Pipeline([*raw, query_table(vertical, tuple(tables))])
    if declares_forecast(vertical):
        # A declaration without a single raw table is refused when it is read.
        name, references = next(iter(_referenced(vertical).items()), (RECORDS, ()))
        return Pipeline([raw_table(name, references), forecast_table(f"checked_{name}")])
    if recommends(vertical) and len(tables := _referenced(vertical)) == 1:
        return single_table(next(iter(tables)))
    return stages("ingestion", (ingest_table, _INGESTED, "table ingestion_record"))


def stages(tag: str, *wired: tuple[Callable[..., Any], str, str]) -> Pipeline:
    """Wire functions with the names of their inputs and outputs as tagged nodes, named after the functions."""
    return Pipeline(
        [
            Node(
                function,
                inputs.split(),
                outputs.split() if " " in outputs else outputs,
                name=function.__name__,
            )
            for function, inputs, outputs in wired
        ],
        tags=tag,
    )


def base_folder() -> Path:
    """The configuration folder `conf/base` of the current project."""
    return Path(find_kedro_project(Path.cwd()) or Path.cwd(), settings.CONF_SOURCE, "base")


def has_raw_tables(vertical: str) -> bool:
    """Whether a vertical's table is made from raw tables, so that its raw files hold no rows to score."""
    makes = (_has_module, _has_query, declares_forecast, recommends)
    return any(each(vertical) for each in makes)


def declares_forecast(vertical: str) -> bool:
    """Whether a vertical forecasts series, so that its rows are made of their history."""
    return "forecast" in _declared(vertical)


def recommends(vertical: str) -> bool:
    """Whether a vertical declares `recommendation`, so that its table is of pairs to rank."""
    return "recommendation" in _declared(vertical)


def reads_served(vertical: str) -> bool:
    """Whether monitoring reads the log of served rows."""
    monitoring = _declared(vertical).get("monitoring")
    return isinstance(monitoring, dict) and monitoring.get("served") is not None


def _has_module(vertical: str) -> bool:
    return find_spec(f"{verticals.__name__}.{vertical}") is not None


def _has_query(vertical: str) -> bool:
    return (base_folder() / vertical / QUERY).is_file()


def _referenced(vertical: str) -> dict[str, tuple[str, ...]]:
    """The declared raw tables, each with those in which its contract looks keys up."""
    try:
        tables = _declared(vertical)["tables"]
        return {
            str(name): tuple(
                sorted({each["table"] for each in (own or {}).get("expectations", []) if "table" in each})
            )
            for name, own in tables.items()
        }
    # Every command builds all pipelines; the config loader reports errors of those that run.
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


@cache
def _read(file: Path, changed: int, size: int) -> Any:
    return yaml.load(file.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def _declared(vertical: str) -> dict[str, Any]:
    """What stands in a vertical's parameters file; nothing where it cannot be read."""
    file = base_folder() / vertical / "parameters.yml"
    try:
        known = file.stat()
        found = _read(file, known.st_mtime_ns, known.st_size)[vertical]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
