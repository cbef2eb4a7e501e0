"""A tracking server that dies in the middle of a run; and passwords, which nobody may find afterwards."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import yaml
from servers import MlflowServer, holding

pytestmark = pytest.mark.exhaustive

IN_ADDRESS, IN_VARIABLE, IN_CATALOG = SECRETS = ("c4n4ry-one", "c4n4ry-two", "c4n4ry-three")
RUN = ("run", "--pipelines", "finance", "--env", "prod")


@pytest.fixture
def server(tmp_path, store):
    folder = tmp_path / "server"
    folder.mkdir()
    shutil.copy(store, folder / "server.db")
    made = MlflowServer(folder)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def project(make_small, tmp_path):
    """A project whose raw data needs credentials, and a vertical whose database does not answer."""
    project = make_small(tmp_path / "project")
    project.declare("orders", lambda declared: None)
    credentials = {
        "files": {"token": IN_CATALOG},
        "warehouse": {"con": f"postgresql+psycopg://keeper:{IN_CATALOG}@127.0.0.1:1/orders"},
    }
    (project.path / "conf/prod/credentials.yml").write_text(yaml.safe_dump(credentials))
    local = {"type": "lepton_pipeline.datasets.RawTableDataset", "filepath": "data/01_raw/finance"}
    query = {"type": "pandas.SQLQueryDataset", "sql": "select * from orders"}
    for vertical, entry in {
        "finance": {**local, "credentials": "files"},
        "orders": {**query, "credentials": "warehouse"},
    }.items():
        file = project.path / "conf/base" / vertical / "catalog.yml"
        file.write_text(yaml.safe_dump({f"{vertical}.raw": entry}))
    return project


def test_a_server_that_dies_ends_the_run_clearly_and_one_that_is_back_lets_it_go_on(warm, project, server):
    environment = {
        "MLFLOW_TRACKING_URI": f"http://keeper:{IN_ADDRESS}@127.0.0.1:{server.port}",
        "MLFLOW_TRACKING_USERNAME": "keeper",
        "MLFLOW_TRACKING_PASSWORD": IN_VARIABLE,
        # The patience of the settings is half a minute.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    }

    def run(*arguments: str, kill: Any = None):
        return warm.run(project.path, *(arguments or RUN), environment=environment, kill=kill)

    stopped = run(kill=("finance.evaluate", "starting", server.group))
    assert stopped.returncode == 1, stopped.said
    assert "error: MLflow's store cannot be reached: API request to http://***@127.0.0.1:" in stopped.stderr
    assert "go on with the same command and --only-missing-outputs" in stopped.stderr
    assert "finance: the next run that reaches MLflow's store ends run" in stopped.stderr
    assert project.output("08_reporting", "metrics.json").exists()
    assert not project.output("08_reporting", "decision.json").exists()

    still_away = run()
    assert still_away.returncode == 1, still_away.said
    assert f"mlflow.yml: the store 'http://***@127.0.0.1:{server.port}' cannot be used" in still_away.stderr

    server.kill()
    server.start()
    gone_on = run(*RUN, "--only-missing-outputs")
    assert gone_on.returncode == 0, gone_on.said
    assert "train_model" not in gone_on.stderr
    assert f"http://***@127.0.0.1:{server.port}/#/experiments/" in gone_on.stdout
    latest, dead = runs(server)
    assert (latest.info.status, dead.info.status) == ("FINISHED", "KILLED")
    assert {"test.auc", "validation.auc"} <= set(latest.data.metrics)

    unreadable = run("run", "--pipelines", "orders", "--env", "prod", "--debug")
    assert unreadable.returncode == 3, unreadable.said
    listed = run("vertical", "list", "--env", "prod")
    assert listed.returncode == 0, listed.said

    said = "".join(done.said for done in (stopped, still_away, gone_on, unreadable, listed))
    assert "Traceback" not in said.replace(unreadable.stderr, "")
    (project.path / "conf/prod/credentials.yml").unlink()
    for secret in SECRETS:
        assert secret not in said
        assert not holding(project.path, secret)
        assert not holding(server.folder, secret)


def runs(server: MlflowServer) -> list[Any]:
    """MLflow runs of finance, the latest first, without the server."""
    import mlflow

    address = f"sqlite:///{server.folder}/server.db"
    client = mlflow.MlflowClient(address, address)
    return list(client.search_runs([client.get_experiment_by_name("finance").experiment_id]))
