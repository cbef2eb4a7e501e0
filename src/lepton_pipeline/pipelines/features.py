"""From raw tables to features, for both training and monitoring."""

from __future__ import annotations

from collections.abc import Callable
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
from lepton_pipeline.verticals.raw_tables import query_table, raw_table

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
    return Pipeline(_ingestion(vertical), tags="ingestion") + contract + Pipeline([derived])


def _ingestion(vertical: str) -> Pipeline:
    """By the vertical's module, its query, or from one raw table, to `table` and `ingestion_record`."""
    if _has_module(vertical):
        ingestion: Pipeline = import_module(f"{verticals.__name__}.{vertical}").ingestion()
        return ingestion
    if _has_query(vertical):
        tables = _referenced(vertical)
        raw = [raw_table(*each) for each in tables.items()]
        return Pipeline([*raw, query_table(vertical, tuple(tables))])
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
    return _has_module(vertical) or _has_query(vertical)


def _has_module(vertical: str) -> bool:
    return find_spec(f"{verticals.__name__}.{vertical}") is not None


def _has_query(vertical: str) -> bool:
    return (base_folder() / vertical / QUERY).is_file()


def _referenced(vertical: str) -> dict[str, tuple[str, ...]]:
    """The declared raw tables, each with those in which its contract looks keys up."""
    file = base_folder() / vertical / "parameters.yml"
    try:
        declared: Any = yaml.load(file.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
        tables = declared[vertical]["tables"]
        return {
            str(name): tuple(
                sorted({each["table"] for each in (own or {}).get("expectations", []) if "table" in each})
            )
            for name, own in tables.items()
        }
    # Every command builds all pipelines; the config loader reports errors of those that run.
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        return {}
