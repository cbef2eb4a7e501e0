"""The nodes that make the table of a vertical: its own module's, or those that serve every vertical with one table."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from kedro.pipeline import Node, Pipeline

from lepton_pipeline import verticals
from lepton_pipeline.data.ingest import ingest_table


def create_pipeline(vertical: str) -> Pipeline:
    """Wire the ingestion of one vertical, without a namespace: its outputs are `table` and `ingestion_record`."""
    module = f"{verticals.__name__}.{vertical}"
    if find_spec(module) is not None:
        ingestion: Pipeline = import_module(module).ingestion()
        return ingestion
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
