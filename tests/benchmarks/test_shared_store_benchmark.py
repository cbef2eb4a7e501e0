from importlib import import_module

import pytest
import yaml
from conftest import REPOSITORY


@pytest.fixture
def shared_store(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    return import_module("shared_store")


def test_every_vertical_gets_a_declaration_and_the_store_comes_from_outside(shared_store, tmp_path):
    shared_store.prepare(tmp_path / "project", ["one", "two"])
    for name in ("one", "two"):
        declared = yaml.safe_load((tmp_path / f"project/conf/base/{name}/parameters.yml").read_text())
        assert declared[name]["training"]["epochs"] == 4
        assert (tmp_path / f"project/data/01_raw/{name}/sample.csv").exists()
    assert "SHARED_STORE" in (tmp_path / "project/conf/base/mlflow.yml").read_text()


def test_a_run_that_is_not_in_the_store_is_missing(shared_store, store, tmp_path):
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{store}", f"sqlite:///{store}")
    assert shared_store.missing(tmp_path, "nobody", client) == ["its run: []"]


def test_the_result_is_a_table(shared_store):
    text = shared_store.report([["sqlite", "8", "100", "8 of 8", "nothing"]])
    assert "| sqlite | 8 | 100 | 8 of 8 | nothing |" in text
