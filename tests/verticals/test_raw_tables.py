"""The parts of which verticals with several raw tables are made."""

from __future__ import annotations

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion
from lepton_pipeline.verticals.raw_tables import finish_table, number_rows, raw_table

KEYS = Contract.model_validate(
    {
        "expectations": [
            {
                "expect": "keys_to_exist_in_table",
                "column_list": ["shop"],
                "table": "shops",
                "on_failure": "warn",
            }
        ]
    }
)


def test_raw_tables_are_read_and_checked_in_namespaces_of_their_own(raw_file):
    pipeline = Pipeline(raw_table("sales", references=("shops",)) + raw_table("shops"), namespace="chain")
    assert {node.name for node in pipeline.nodes} == {
        f"chain.{table}.{node}"
        for table in ("sales", "shops")
        for node in ("read_table", "check_contract", "enforce_contract")
    }
    loaded = {
        "chain.sales.raw": [raw_file("shop,amount\na,1\nb,2\n")],
        "chain.shops.raw": [raw_file("shop,town\na,Oslo\n")],
        "params:chain.ingestion": Ingestion(),
        "params:chain.dataset": Dataset(target="amount", positive="1"),
        "params:chain.features": Features(),
        "params:chain.tables.sales": KEYS,
        "params:chain.tables.shops": Contract(),
    }
    assert pipeline.inputs() == set(loaded)
    catalog = DataCatalog({name: MemoryDataset(data) for name, data in loaded.items()})
    outputs = SequentialRunner().run(pipeline, catalog)
    assert outputs["chain.checked_sales"].load().frame().to_dict("list") == {
        "shop": ["a", "b"],
        "amount": [1, 2],
    }
    (warned,) = outputs["chain.sales.data_docs"].load()["warnings"]
    assert warned.startswith("shop found in shops (tables.sales.expectations[0]): 1 of 2 rows")


def test_the_finished_table_counts_its_rows_and_is_identified():
    made = pd.DataFrame({"y": [1, 0, 1], "x": [1.0, 2.0, 3.0]}, index=[5, 5, 9])
    table, record = number_rows(made, Dataset(target="y", positive=1), Contract(), Features())
    assert table.index.tolist() == [0, 1, 2]
    assert (record.rows, record.base_rate, record.files) == (3, pytest.approx(2 / 3, abs=1e-6), [])
    assert finish_table("joined").outputs == ["table", "ingestion_record"]


def test_a_table_without_rows_is_refused():
    made = pd.DataFrame({"y": pd.Series([], dtype="int64")})
    with pytest.raises(DataError, match="no row is left: the vertical's own nodes dropped all"):
        number_rows(made, Dataset(target="y", positive=1), Contract(), Features())


def test_a_declared_column_that_was_not_made_is_named():
    made = pd.DataFrame({"y": [1, 0]})
    with pytest.raises(DataError, match=r"the table has no column 'when', which dataset.time declares"):
        number_rows(made, Dataset(target="y", positive=1, time="when"), Contract(), Features())
    number_rows(
        made, Dataset(target="y", positive=1, time="when"), Contract(), Features(derive={"when": "y"})
    )
