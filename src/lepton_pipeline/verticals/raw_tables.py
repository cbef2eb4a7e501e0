"""Pipelines and nodes shared by verticals with several raw tables or their own code."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.data import sql
from lepton_pipeline.data.answers import Answers
from lepton_pipeline.data.as_of import existing_rows
from lepton_pipeline.data.columns import check_columns, declared_columns
from lepton_pipeline.data.contracts.contract import check_raw_table, enforce_contract
from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.fingerprint import fingerprint
from lepton_pipeline.data.ingest import read_table, record_table
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.data.reading import IngestionRecord, Reading
from lepton_pipeline.data.rows import Rows
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.forecast_rows import forecast_rows
from lepton_pipeline.features.series_grid import make_grid
from lepton_pipeline.parameters import Contract, Dataset, Features, Forecast, Ingestion
from lepton_pipeline.parameters.jobs import QUERY
from lepton_pipeline.tasks.find import base_rate

# Records of series, where a query makes them; kept as checked tables are.
RECORDS = "checked_series"


def raw_table(name: str, references: tuple[str, ...] = ()) -> Pipeline:
    """Read a raw table and apply its contract, `tables.<name>`; the result is `checked_<name>`.

    `name` is the nested namespace of its nodes and data sets. Its files are the data set `<name>.raw`, by
    default `data/01_raw/<vertical>/<name>.*`. In the raw tables `references`, its contract looks keys up
    (`keys_to_exist_in_table`).
    """

    def read(
        raw: list[RawFile] | pd.DataFrame,
        ingestion: Ingestion,
        contract: Contract,
        dataset: Dataset,
        features: Features,
    ) -> tuple[Rows, Reading]:
        return read_table(raw, ingestion, contract, name, dataset, features)

    def check_contract(
        table: Rows, contract: Contract, *others: Rows
    ) -> tuple[ContractResult, pd.DataFrame, ContractResult]:
        return check_raw_table(table, contract, name, dict(zip(references, others, strict=True)))

    declared, typed = f"params:tables.{name}", [f"typed_{other}" for other in references]
    given = ["params:ingestion", declared, "params:dataset", "params:features"]
    checked = ["contract_result", "quarantine", "data_docs"]
    enforced = ["table", "quarantine", "contract_result", declared]
    return Pipeline(
        [
            Node(read, ["raw", *given], ["table", "reading"], name="read_table"),
            Node(check_contract, ["table", declared, *typed], checked, name="check_contract"),
            Node(enforce_contract, enforced, "clean_table", name="enforce_contract"),
        ],
        namespace=name,
        parameters=set(given),
        inputs=set(typed),
        outputs={"table": f"typed_{name}", "clean_table": f"checked_{name}"},
    )


def finish_table(source: str) -> Node:
    """Turn the data set `source`, one row per example, into the vertical's table."""
    inputs = [source, "params:dataset", "params:contract", "params:features"]
    return Node(number_rows, inputs, ["table", "ingestion_record"], name="finish_table")


def forecast_table(source: str) -> Pipeline:
    """Turn the data set `source`, records of series, into the vertical's table: a row an origin and period ahead.

    Beside it stand `upcoming_rows`, those of the last period that has ended, and `series_history`.
    """
    made = Node(
        lay_out_series,
        [source, "params:forecast", "params:dataset"],
        ["origin_rows", "upcoming_rows", "series_history"],
        name="lay_out_series",
    )
    return Pipeline([made, finish_table("origin_rows")])


def lay_out_series(
    records: pd.DataFrame, forecast: Forecast, dataset: Dataset
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Rows of all origins whose horizon has ended, those of the next one, and all periods of all series."""
    grid = make_grid(records, forecast, dataset)
    upcoming = forecast_rows(grid, forecast, dataset, upcoming=True)
    return forecast_rows(grid, forecast, dataset), upcoming, grid.history(forecast, dataset)


def query_table(
    vertical: str, tables: tuple[str, ...], made: tuple[str, ...] = (), records: str | None = None
) -> Node:
    """Make the table by the query `conf/base/<vertical>/table.sql`.

    The query may read `tables`, raw tables with their contracts applied, and `made`, data sets of the
    vertical's own nodes. With a name for them, its rows are `records`, from which the table is yet to be made.
    """
    names, file = (*tables, *made), f"{vertical}/{QUERY}"

    def query_tables(
        text: str,
        values: dict[str, object],
        dataset: Dataset,
        contract: Contract,
        features: Features,
        *rows: pd.DataFrame,
    ) -> pd.DataFrame | tuple[pd.DataFrame, IngestionRecord]:
        found = sql.run_query(text, dict(zip(names, rows, strict=True)), dataset, file, values)
        return found if records else number_rows(found, dataset, contract, features)

    declared = ["params:sql", "params:query", "params:dataset", "params:contract", "params:features"]
    inputs = [*declared, *(f"checked_{table}" for table in tables), *made]
    return Node(query_tables, inputs, records or ["table", "ingestion_record"], name="query_tables")


def number_rows(
    made: pd.DataFrame, dataset: Dataset, contract: Contract, features: Features
) -> tuple[pd.DataFrame, IngestionRecord]:
    """Number the rows that existed at `dataset.as_of` from 0, and return them with their record.

    Raises:
        DataError: there is no row, a declared column is absent, or the target cannot be learnt.
    """
    if made.empty:
        raise DataError(
            "no row is left: the vertical's own nodes dropped all rows of the raw tables. Check what they require of a "
            "row, and whether the raw tables cover enough time."
        )
    needed = declared_columns(dataset, contract, features)
    check_columns([str(name) for name in made.columns], needed, "the table")
    table = existing_rows(made, dataset).reset_index(drop=True)
    if (answers := Answers.read(dataset)) is not None:
        table = answers.fill(table)
    record = record_table(table, fingerprint(table), dataset, [])
    return table, replace(record, base_rate=base_rate(table, dataset))
