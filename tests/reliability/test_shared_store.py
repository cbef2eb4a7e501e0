"""Several verticals at once on one store, which is new: none loses a run, a metric or a champion."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest
import yaml
from conftest import Project
from servers import holding, postgres_server

from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.system.records import from_json
from lepton_pipeline.tracking.artefacts import read_artifact
from lepton_pipeline.tracking.flat import logged_metrics

CANARY = "c4n4ry/with@signs"


@pytest.fixture
def several(make_small, tmp_path) -> Callable[[list[str]], Project]:
    """A project with finance under several names, and no store yet."""

    def make(names: list[str]) -> Project:
        project = make_small(tmp_path / "project")
        (project.path / "mlflow.db").unlink()
        for name in names:
            project.declare(name, lambda declared: None)
        shutil.rmtree(project.path / "conf/base/finance")
        return project

    return make


def require_all(project: Project, names: list[str], client) -> None:
    """Each vertical has its one run, whole, and its champion."""
    assert {experiment.name for experiment in client.search_experiments()} - {"Default"} == set(names)
    for name in names:
        experiment = client.get_experiment_by_name(name)
        (run,) = client.search_runs([experiment.experiment_id])
        assert run.info.status == "FINISHED"
        metrics = from_json(Metrics, project.output("08_reporting", "metrics.json", name).read_text())
        assert logged_metrics(metrics, run.data.params["gate.metric"]).items() <= run.data.metrics.items()
        assert len(json.loads(read_artifact(client, run, "seconds.json"))) > 10
        assert "validation.auc" in run.data.metrics
        version = client.get_model_version_by_alias(name, "champion")
        assert (version.version, version.run_id) == (1, run.info.run_id)


@pytest.mark.exhaustive
def test_four_verticals_at_once_on_a_new_sqlite_file(warm, several):
    names = ["energy_1", "finance_2", "retail_3", "telecom_4"]
    project = several(names)
    for name in names:
        warm.start(project.path, "run", "--pipelines", name)
    for done in warm.wait():
        assert done.returncode == 0, done.said
    require_all(project, names, project.client())


@pytest.mark.exhaustive
def test_three_verticals_at_once_on_a_new_postgresql_database(warm, several):
    import mlflow
    from sqlalchemy.engine import make_url

    names = ["finance_1", "retail_2", "telecom_3"]
    with postgres_server(CANARY) as plain:
        address = make_url("postgresql+psycopg://").set(**parts(plain)).render_as_string(hide_password=False)
        project = several(names)
        store = {"tracking_uri": "${oc.env:STORE}", "artifact_root": "mlruns"}
        (project.path / "conf/prod/mlflow.yml").write_text(yaml.safe_dump(store))
        for name in names:
            arguments = ("run", "--pipelines", name, "--env", "prod")
            warm.start(project.path, *arguments, environment={"STORE": address})
        said = ""
        for done in warm.wait():
            assert done.returncode == 0, done.said
            said += done.said
        require_all(project, names, mlflow.MlflowClient(address, address))
        refused = warm.run(project.path, *arguments, environment={"STORE": address.replace("4n4ry", "5n5ry")})
        assert refused.returncode == 2, refused.said
        assert "mlflow.yml: the store 'postgresql+psycopg://***@127.0.0.1" in refused.stderr
    gone = warm.run(project.path, *arguments, environment={"STORE": address})
    assert gone.returncode == 1, gone.said
    said += refused.said + gone.said
    assert "Traceback" not in said
    for secret in ("4n4ry", "5n5ry"):
        assert secret not in said
        assert not holding(project.path, secret)


def parts(address: str) -> dict[str, str | int]:
    """Of an address whose password may hold any character."""
    user, _, rest = address.partition("://")[2].partition(":")
    password, _, place = rest.rpartition("@")
    host, _, port = place.partition("/")[0].partition(":")
    return {"username": user, "password": password, "host": host, "port": int(port), "database": "postgres"}
