"""Ingest a table together with what is asked of its target."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from lepton_pipeline.data import ingest
from lepton_pipeline.data.labels import label_columns
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.data.reading import IngestionRecord
from lepton_pipeline.data.rows import Rows
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion
from lepton_pipeline.tasks.find import base_rate


def ingest_table(
    raw: list[RawFile] | pd.DataFrame,
    dataset: Dataset,
    ingestion: Ingestion,
    contract: Contract,
    features: Features,
) -> tuple[Rows, IngestionRecord]:
    """Read a table as `ingest.ingest_table` does; a DataError also says why its target cannot be learnt."""
    table, record = ingest.ingest_table(raw, dataset, ingestion, contract, features)
    rate = base_rate(table.frame(label_columns(table.names, dataset)), dataset)
    return table, replace(record, base_rate=rate)
