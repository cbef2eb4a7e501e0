"""Runs and models of an earlier commit are still scored, served, compared, monitored and replaced.

`former_store/make.py` says how that project was made: a champion, a challenger, a scoring and a monitoring.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY, Project, copy_face

pytestmark = pytest.mark.exhaustive

ARCHIVE = Path(__file__).with_name("former_store") / "project.tar.xz"
SERVE = """
import mlflow, pandas as pd
rows = pd.read_csv("data/01_raw/orders_scoring/orders.csv").assign(earlier_orders=0)
served = mlflow.pyfunc.load_model("models:/orders@champion").predict(rows)
print(served[["probability", "decision"]].to_json(orient="values"))
"""


@pytest.fixture(scope="module")
def former(warm, tmp_path_factory) -> Project:
    """The project of before with the code of now, in a folder of its own."""
    project = Project(tmp_path_factory.mktemp("former") / "project")
    copy_face(project.path, [])
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(project.path, filter="data")
    done = warm.run(project.path, "adopt")
    assert done.returncode == 0, done.said
    assert f"are in {project.path / 'mlruns'} now, no longer in /project" in done.stdout
    return project


def kedro(warm, project, *arguments):
    done = warm.run(project.path, *arguments)
    assert done.returncode == 0, done.said
    return done.stdout


def test_its_champion_scores_new_rows_as_before(warm, former):
    scores = former.output("07_model_output", "batch_scores.parquet", "orders")
    before = pd.read_parquet(scores)
    kedro(warm, former, "run", "--pipelines", "orders_scoring")
    now = pd.read_parquet(scores)
    assert now["order_id"].tolist() == before["order_id"].tolist()
    assert now["probability"].tolist() == pytest.approx(before["probability"].tolist(), abs=1e-6)
    assert now["decision"].tolist() == before["decision"].tolist()


def test_its_champion_is_served(former):
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_REGISTRY_URI"}
    done = subprocess.run(
        [sys.executable, "-c", SERVE],
        cwd=former.path,
        env={**environment, "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    served = json.loads(done.stdout)
    assert len(served) == 100
    assert all(0 < probability < 1 and decision in (True, False) for probability, decision in served)


def test_its_champion_is_monitored(warm, former):
    kedro(warm, former, "run", "--pipelines", "orders_monitoring")
    result = json.loads(former.output("08_reporting", "monitoring/result.json", "orders").read_text())
    assert (result["rows_new"], result["champion"]["version"]) == (100, 1)
    assert len(result["windows"]) == 1
    assert {each["column"] for each in result["columns"]} >= {"price", "channel", "earlier_orders"}


def test_its_runs_are_listed_and_compared(warm, former):
    assert "orders" in kedro(warm, former, "status")
    compared = kedro(warm, former, "compare", "orders")
    assert "v1 " in compared
    assert "v2 " in compared
    assert kedro(warm, former, "champion", "diff", "orders", "1", "2")


def test_it_is_replaced_by_a_model_that_the_gate_compares_with_it(warm, former):
    file = former.path / "conf/base/orders/parameters.yml"
    declared = yaml.safe_load(file.read_text())
    # Chance decides which of two such small models is ahead.
    declared["orders"]["gate"] = {"at_least": 0.0, "margin": 0.9, "baseline_margin": 0.9}
    file.write_text(yaml.safe_dump(declared))
    kedro(warm, former, "run", "--pipelines", "orders")
    decision = json.loads(former.output("08_reporting", "decision.json", "orders").read_text())
    assert (decision["promoted"], decision["version"], decision["champion_version"]) == (True, 3, 1)
    (check,) = [check for check in decision["checks"] if check["name"] == "champion"]
    assert check["rows"] == 100
    # Nor does a version tell where it was made, as it did before.
    described = former.path.glob("mlruns/orders/models/*/artifacts/MLmodel")
    latest = max(described, key=lambda file: file.stat().st_mtime)
    assert str(REPOSITORY) not in latest.read_text()
    listed = kedro(warm, former, "champion", "list", "orders")
    assert "first champion" in " ".join(listed.split())
    kedro(warm, former, "champion", "rollback", "orders", "--reason", "as before")
    assert int(former.client().get_model_version_by_alias("orders", "champion").version) == 1
