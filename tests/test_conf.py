"""Every vertical's configuration keeps what the machinery expects of it."""

from __future__ import annotations

from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from conftest import FILES_OF
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog

from lepton_pipeline import settings
from lepton_pipeline.datasets import (
    AtomicDataset,
    FolderDataset,
    RawTableDataset,
    RecordDataset,
    StreamedParquetDataset,
    WorkFolderDataset,
)
from lepton_pipeline.parameters.jobs import MONITORING, Job
from lepton_pipeline.pipelines import features, monitoring, scoring
from lepton_pipeline.pipelines.features import recommends
from lepton_pipeline.pipelines.training import create_pipeline
from lepton_pipeline.project.declaration import find_verticals, read_vertical
from lepton_pipeline.tracking.runs import read_tracking

CONF = Path(__file__).parents[1] / "conf"
VERTICALS = find_verticals(CONF / "base")
# Read by the job around the pipelines.
NO_PIPELINES = {"alerts"}
WRITTEN = (AtomicDataset, RecordDataset, FolderDataset, StreamedParquetDataset)


@pytest.fixture(scope="module")
def loader() -> OmegaConfigLoader:
    return OmegaConfigLoader(str(CONF), **settings.CONFIG_LOADER_ARGS)


# The loader reads all files again whenever it is asked.
@pytest.fixture(scope="module")
def parameters(loader) -> dict[str, Any]:
    return dict(loader["parameters"])


@pytest.fixture(scope="module")
def entries(loader) -> dict[str, Any]:
    return dict(loader["catalog"])


@pytest.fixture(scope="module")
def catalog(entries) -> DataCatalog:
    return DataCatalog.from_config(entries)


# Pipelines of a vertical, made once for all tests.
MAKE = tuple(cache(make) for make in (create_pipeline, scoring.create_pipeline, monitoring.create_pipeline))
train, score, watch = MAKE


@pytest.mark.parametrize("vertical", VERTICALS)
def test_a_declaration_is_short_and_builds(parameters, vertical):
    text = (CONF / "base" / vertical / "parameters.yml").read_text()
    assert len(text.splitlines()) <= 80
    assert max(map(len, text.splitlines())) <= 140
    assert read_vertical(vertical, parameters[vertical]).dataset.target


@pytest.mark.parametrize("vertical", VERTICALS)
def test_a_declaration_repeats_no_default(parameters, vertical):
    declared = parameters[vertical]
    bare = read_vertical(vertical, {"dataset": {"target": "t", "positive": 1}}).model_dump()
    repeated = [
        f"{part}.{key}"
        for part, keys in declared.items()
        if part not in ("dataset", "tables", "query")
        for key, value in keys.items()
        # Some are named even where they are the default: a bound without its metric, say, tells a reader nothing.
        if (bare.get(part) or {}).get(key) == value
        and (part, key) not in (("gate", "metric"), ("split", "strategy"))
    ]
    assert repeated == []


@pytest.mark.parametrize("vertical", VERTICALS)
def test_bundled_data_says_where_it_comes_from(vertical):
    source = (CONF.parent / "data/01_raw" / FILES_OF.get(vertical, vertical) / "SOURCE.md").read_text()
    assert "licence" in source.lower()


@pytest.mark.parametrize("vertical", VERTICALS)
def test_every_data_set_lies_on_disk_whole_or_not_at_all(catalog, vertical):
    pipeline = train(vertical)
    given = {f"{vertical}.run_id"} | {name for name in pipeline.datasets() if name.startswith("params:")}
    raw = pipeline.inputs() - given
    assert raw
    for name in raw:
        dataset = catalog.get(name)
        assert isinstance(dataset, RawTableDataset)
        assert dataset.exists(), f"{name}: its files are not bundled"
    for name in pipeline.datasets() - given - raw:
        assert isinstance(catalog.get(name), WRITTEN), name


@pytest.mark.parametrize("vertical", VERTICALS)
def test_scoring_reads_rows_and_writes_to_disk(catalog, vertical):
    pipeline = score(vertical)
    given = {name for name in pipeline.inputs() if not name.startswith("params:")}
    # What is forecast next, or offered, is made from the raw tables of training.
    made = f"params:{vertical}.forecast" in pipeline.inputs() or recommends(vertical)
    raw = {name: RawTableDataset for name in train(vertical).inputs() if name.endswith(".raw")}
    chunks = {f"{vertical}.scoring_chunks": WorkFolderDataset}
    rows = raw if made else {f"{vertical}.scoring_input": RawTableDataset}
    assert {name: type(catalog.get(name)) for name in given} == rows | (
        {} if recommends(vertical) else chunks
    )
    for name in pipeline.all_outputs():
        assert isinstance(catalog.get(name), (*WRITTEN, StreamedParquetDataset)), name


@pytest.mark.parametrize("vertical", VERTICALS)
def test_monitoring_reads_what_training_reads_and_writes_to_disk(catalog, vertical):
    pipeline = watch(vertical)
    given = {name for name in pipeline.inputs() if not name.startswith("params:")}
    assert given == {name for name in train(vertical).inputs() if name.endswith(".raw")} & given
    assert all(isinstance(catalog.get(name), RawTableDataset) for name in given)
    for name in pipeline.all_outputs():
        assert isinstance(catalog.get(name), WRITTEN), name


def test_no_layer_of_kedro_viz_depends_on_a_later_one(catalog):
    after: dict[str, set[str]] = {}
    for vertical in VERTICALS:
        for make in MAKE:
            for node in make(vertical).nodes:
                inputs, outputs = (
                    {catalog.get(name).metadata["kedro-viz"]["layer"] for name in names if not_memory(name)}
                    for names in (node.inputs, node.outputs)
                )
                for layer in outputs:
                    after.setdefault(layer, set()).update(inputs - {layer})
    TopologicalSorter(after).prepare()


def not_memory(name: str) -> bool:
    return not name.startswith("params:") and not name.endswith(".run_id")


def test_every_node_carries_its_stage_as_a_tag():
    stages = {
        "ingestion",
        "contract",
        "features",
        "split",
        "training",
        "evaluation",
        "registration",
        "reporting",
    }
    for node in train("retail").nodes:
        assert len(node.tags & stages) == 1, node.name
        assert Job.of(node) == Job("retail")
    assert all(Job.of(node) == Job("retail", MONITORING) for node in watch("retail").nodes)


@pytest.mark.parametrize("vertical", VERTICALS)
def test_no_two_data_sets_share_a_file(catalog, vertical):
    made = train(vertical).all_outputs() | score(vertical).all_outputs()
    made |= watch(vertical).all_outputs()
    paths = [catalog.get(name).path for name in [*made, f"{vertical}.scoring_chunks"]]
    assert len(set(paths)) == len(paths)
    assert not [(one, other) for one in paths for other in paths if one in other.parents]


@pytest.mark.parametrize("vertical", VERTICALS)
def test_no_parameter_is_read_that_cannot_be_declared(parameters, vertical):
    known = dict(read_vertical(vertical, parameters[vertical]).model_dump())
    if (CONF / "base" / vertical / "table.sql").exists():
        known |= {"sql": None, "query": {}}
    prefix = f"params:{vertical}."
    inputs = train(vertical).inputs() | score(vertical).inputs()
    inputs |= watch(vertical).inputs()
    read = {name.removeprefix(prefix) for name in inputs if name.startswith(prefix)}
    assert (
        read - {name for name in read if name.startswith("tables.")} == set(known) - {"tables"} - NO_PIPELINES
    )
    assert {name for name in read if name.startswith("tables.")} == {
        f"tables.{name}" for name in known["tables"]
    }


def test_no_entry_of_the_catalog_is_unused(catalog, entries, monkeypatch):
    resolver = catalog.config_resolver
    # No bundled vertical is served.
    monkeypatch.setattr(features, "reads_served", lambda vertical: True)
    served = monitoring.create_pipeline("finance").datasets()
    used = {
        resolver.match_dataset_pattern(name)
        for vertical in VERTICALS
        for make in MAKE
        for name in make(vertical).datasets()
    }
    used |= {resolver.match_dataset_pattern(name) for name in served}
    assert {name for name in entries if name.startswith("{vertical}")} <= used


def test_a_vertical_declares_where_its_own_raw_data_lies(entries):
    shop = {"shop.raw": {"type": "pandas.ParquetDataset", "filepath": "elsewhere.parquet"}}
    assert type(DataCatalog.from_config(entries | shop).get("shop.raw")).__name__ == "ParquetDataset"


def test_production_takes_its_addresses_from_the_environment(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    loader = settings.CONFIG_LOADER_CLASS(str(CONF), env="prod", **settings.CONFIG_LOADER_ARGS)
    tracking = read_tracking(loader["mlflow"])
    assert tracking.tracking_uri == "https://mlflow.example.org"
    assert tracking.artifact_root is None
