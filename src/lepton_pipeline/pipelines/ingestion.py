"""Nodes that make a vertical's table: by its module, its query, or from one raw table."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from kedro.framework.project import settings
from kedro.pipeline import Node, Pipeline
from kedro.utils import find_kedro_project

from lepton_pipeline import verticals
from lepton_pipeline.data.ingest import ingest_table
from lepton_pipeline.parameters.jobs import QUERY
from lepton_pipeline.verticals.raw_tables import query_table, raw_table


def base_folder() -> Path:
    """The configuration folder `conf/base` of the current project."""
    return Path(find_kedro_project(Path.cwd()) or Path.cwd(), settings.CONF_SOURCE, "base")


def create_pipeline(vertical: str) -> Pipeline:
    """Ingestion of one vertical, without a namespace: its outputs are `table` and `ingestion_record`."""
    if _has_module(vertical):
        ingestion: Pipeline = import_module(f"{verticals.__name__}.{vertical}").ingestion()
        return ingestion
    if _has_query(vertical):
        tables = _referenced(vertical)
        return Pipeline(
            [*(raw_table(*each) for each in tables.items()), query_table(vertical, tuple(tables))]
        )
    return Pipeline(
        [
            Node(
                ingest_table,
                ["raw", "params:dataset", "params:ingestion", "params:contract", "params:features"],
                ["table", "ingestion_record"],
                name="ingest_table",
            )
        ]
    )


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
