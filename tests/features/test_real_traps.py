"""The leak guard on the bundled data: a trap that a vertical keeps out is caught as soon as it is a feature again."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY

from lepton_pipeline.data.columns import feature_columns
from lepton_pipeline.data.ingest import ingest_table, read_table
from lepton_pipeline.data.raw import read_header, read_rows
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.data.sql import run_query
from lepton_pipeline.datasets import RawTableDataset
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.leaks import check_features, enforce_report
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.parameters import Dataset, Vertical
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.tasks.find import Target, find_task
from lepton_pipeline.tasks.split import split_rows
from lepton_pipeline.verticals.energy import label_next_hour
from lepton_pipeline.verticals.logistics import time_flights
from lepton_pipeline.verticals.retail import (
    drop_repeated_invoices,
    select_customer_lines,
    summarise_days,
    take_snapshots,
)

CONF, RAW = REPOSITORY / "conf/base", REPOSITORY / "data/01_raw"
VERTICALS = [
    "energy",
    "finance",
    "healthcare",
    "lodging",
    "logistics",
    "manufacturing",
    "marketing",
    "opinion",
    "retail",
    "telecom",
]
# The largest tables are cut so that windows stay what they are: the first weeks, and whole customers.
READINGS, FLIGHTS, CUSTOMERS = 9_000, 20_000, r".*7\.0"


class Prepared(NamedTuple):
    """A vertical up to its split: what it declares, its rows with derived columns, their parts."""

    declared: Vertical
    rows: pd.DataFrame
    target: Target
    split: pd.DataFrame

    def report(self, dataset: Dataset | None = None, **columns: pd.Series) -> FeatureReport:
        """What the guard finds, with other roles or further columns than declared."""
        rows = self.rows.assign(**columns)
        roles = dataset or self.declared.dataset
        return check_features(rows, self.split, self.target, roles, self.declared.leaks)

    def without(self, *columns: str) -> Dataset:
        """Roles of columns in which these are features."""
        dataset = self.declared.dataset
        changed: dict[str, Any] = {"exclude": [name for name in dataset.exclude if name not in columns]}
        changed |= {role: None for role in ("id", "time") if getattr(dataset, role) in columns}
        return dataset.model_copy(update=changed)


@cache
def as_declared(vertical: str) -> FeatureReport:
    """What the guard finds in the features that a vertical declares."""
    return prepared(vertical).report()


@cache
def prepared(vertical: str) -> Prepared:
    declared = read_vertical(
        vertical, yaml.safe_load((CONF / vertical / "parameters.yml").read_text())[vertical]
    )
    rows = derive_features(
        TABLES.get(vertical, one_table)(vertical, declared), declared.dataset, declared.features
    )
    target = Target(find_task(rows, declared.dataset))
    return Prepared(declared, rows, target, split_rows(rows, target, declared.dataset, declared.split))


def raw(path: str) -> list[RawFile]:
    return RawTableDataset(filepath=str(RAW / path)).load()


def one_table(vertical: str, declared: Vertical) -> pd.DataFrame:
    files = raw(vertical)
    return ingest_table(files, declared.dataset, declared.ingestion, declared.contract, declared.features)[
        0
    ].frame()


def energy_table(vertical: str, declared: Vertical) -> pd.DataFrame:
    readings = read_table(raw(vertical), declared.ingestion, declared.tables["appliances"], "appliances")[
        0
    ].frame()
    return label_next_hour(readings.head(READINGS)).reset_index(drop=True)


def logistics_table(vertical: str, declared: Vertical) -> pd.DataFrame:
    (file,) = raw("logistics/flights")
    texts = {
        "flights": read_rows(file, read_header(file, declared.ingestion), declared.ingestion, FLIGHTS),
        **{name: raw(f"logistics/{name}") for name in ("airports", "weather", "planes")},
    }
    others = {
        name: read_table(each, declared.ingestion, declared.tables[name], name)[0].frame()
        for name, each in texts.items()
    }
    others["timed_flights"] = time_flights(others["flights"], others["airports"])
    return run_query((CONF / "logistics/table.sql").read_text(), others, declared.dataset, "table.sql")


def retail_table(vertical: str, declared: Vertical) -> pd.DataFrame:
    files = [
        read_rows(file, read_header(file, declared.ingestion), declared.ingestion) for file in raw("retail")
    ]
    texts = pd.concat(files, ignore_index=True)
    texts = texts[texts["Customer ID"].str.fullmatch(CUSTOMERS)]
    lines = read_table(texts, declared.ingestion, declared.tables["lines"], "lines")[0].frame()
    days = summarise_days(select_customer_lines(drop_repeated_invoices(lines)))
    return take_snapshots(days, declared.dataset)


def opinion_table(vertical: str, declared: Vertical) -> pd.DataFrame:
    headlines = read_table(
        raw("opinion/headlines"), declared.ingestion, declared.tables["headlines"], "headlines"
    )[0].frame()
    query = (CONF / "opinion/table.sql").read_text()
    return run_query(query, {"headlines": headlines}, declared.dataset, "table.sql")


TABLES = {
    "energy": energy_table,
    "logistics": logistics_table,
    "opinion": opinion_table,
    "retail": retail_table,
}


def found(report: FeatureReport, severity: str = "leak") -> dict[str, str]:
    return {each.feature: each.finding for each in report.findings if each.severity == severity}


def refusal(report: FeatureReport, vertical: str) -> str:
    with pytest.raises(DataError) as caught:
        enforce_report(report, prepared(vertical).declared.leaks)
    assert caught.value.exit_code == 3
    return str(caught.value)


@pytest.mark.parametrize("vertical", VERTICALS)
def test_no_declared_feature_is_a_leak(vertical):
    data, report = prepared(vertical), as_declared(vertical)
    assert {each.name for each in report.features} >= set(data.declared.dataset.numeric)
    assert found(report) == {}
    enforce_report(report, data.declared.leaks)


@pytest.mark.parametrize(
    ("vertical", "trap", "finding"),
    [
        ("marketing", "duration", "implausibly strong alone"),
        ("manufacturing", "Failure Type", "duplicates the target"),
        ("logistics", "dep_delay", "implausibly strong alone"),
        ("marketing", "id", "an id"),
        ("manufacturing", "UDI", "an id"),
        ("manufacturing", "Product ID", "an id"),
        ("healthcare", "patient_id", "an id"),
        ("finance", "ID", "an id"),
        ("opinion", "headline", "an id"),
    ],
)
def test_a_trap_that_is_a_feature_again_stops_the_run(vertical, trap, finding):
    data = prepared(vertical)
    dataset = data.without(trap)
    assert trap in feature_columns(data.rows, dataset)
    report = data.report(dataset)
    assert found(report) == {trap: finding}
    message = refusal(report, vertical)
    assert f"  - {trap!r}, {finding}: " in message
    assert "Exclude it (dataset.exclude)" in message
    with pytest.raises(DataError, match="leak the target, or identify rows"):
        encode_rows(data.rows, data.split, data.target, dataset, report, data.declared.leaks)
    # Nothing but the declaration keeps it out.
    assert found(as_declared(vertical)) == {}


def test_departures_and_arrivals_that_are_told_in_other_columns_are_caught_too():
    data = prepared("logistics")
    rows = data.rows
    hours = (rows["arrived_at"] - rows["scheduled_at"]).dt.total_seconds() / 3600
    told = {
        "left_late": (rows["departed_at"] - rows["scheduled_at"]).dt.total_seconds() / 3600,
        "hours_late": hours - rows["scheduled_minutes"] / 60,
    }
    report = data.report(**told)
    assert found(report) == {"hours_late": "duplicates the target", "left_late": "implausibly strong alone"}
    message = refusal(report, "logistics")
    assert "'hours_late'" in message
    assert "'left_late'" in message


def test_purchases_of_the_month_after_the_snapshot_are_caught():
    data = prepared("retail")
    # Snapshots are in the order of time.
    bought_later = data.rows.groupby("customer")["purchases_30d"].shift(-1)
    report = data.report(bought_later=bought_later)
    assert found(report) == {"bought_later": "implausibly strong alone"}
    assert "'bought_later', implausibly strong alone: alone it reaches AUC 0.7" in refusal(report, "retail")


def test_the_random_columns_of_energy_are_dropped_and_nothing_else_is():
    data = prepared("energy")
    declared, report = data.declared, as_declared("energy")
    assert found(report, "noise") == {"rv1": "pure noise", "rv2": "duplicate of rv1"}
    encoder, encoded = encode_rows(
        data.rows, data.split, data.target, declared.dataset, report, declared.leaks
    )
    assert set(encoder.dropped) == {"rv1", "rv2"}
    kept = [name for name in feature_columns(data.rows, declared.dataset) if name not in ("rv1", "rv2")]
    assert list(encoder.inputs) == kept
    assert not {"rv1", "rv2"} & set(encoded.columns)
    assert set(kept) <= set(encoded.columns)
