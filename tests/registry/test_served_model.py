"""A registered model is used far from the project: another folder, another process, nothing unpickled."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

LOAD = """
import pickle
import cloudpickle
import torch
import mlflow
import pandas as pd

def refuse(*arguments, **named):
    raise AssertionError("something was unpickled")

pickle.load = pickle.loads = pickle.Unpickler = refuse
cloudpickle.load = cloudpickle.loads = torch.load = refuse

model = mlflow.pyfunc.load_model("models:/finance@champion")
rows = pd.read_parquet("rows.parquet")
model.predict(rows).to_parquet("predicted.parquet")
import lepton_pipeline
print(lepton_pipeline.__file__)
"""


@pytest.fixture(scope="module")
def elsewhere(trained, tmp_path_factory):
    """A folder outside the project that holds the raw test rows, and the variables to reach the store."""
    project, _ = trained
    folder = tmp_path_factory.mktemp("elsewhere")
    scores = pd.read_parquet(project.output("07_model_output", "scores.parquet"))
    table = pd.read_parquet(project.output("03_primary", "clean_table.parquet"))
    test = scores[scores["part"] == "test"]
    table.loc[test.index].to_parquet(folder / "rows.parquet")
    addresses = {"MLFLOW_TRACKING_URI": f"sqlite:///{project.path}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return folder, os.environ | addresses, test["model"]


def test_it_loads_without_pickle_brings_its_own_code_and_gives_the_same_bits(elsewhere):
    folder, environment, expected = elsewhere
    done = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "/artifacts/code/lepton_pipeline/" in done.stdout
    predicted = pd.read_parquet(folder / "predicted.parquet")
    assert predicted["probability"].tolist() == expected.tolist()
    assert predicted["decision"].dtype == bool


@pytest.fixture(scope="module")
def served(elsewhere):
    """The address of a running `mlflow models serve`."""
    folder, environment, _ = elsewhere
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["-m", "mlflow", "models", "serve", "--model-uri", "models:/finance@champion", "--env-manager", "local"]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, *command, "--port", str(port)],
            cwd=folder,
            env=environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_until_healthy(port, server, folder / "server.log")
            yield f"http://127.0.0.1:{port}/invocations"
        finally:
            os.killpg(server.pid, 15)
            server.wait()


def wait_until_healthy(port, server, log):
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            assert server.poll() is None, log.read_text()
            time.sleep(0.2)
    pytest.fail(log.read_text())


def ask(address, rows):
    body = json.dumps({"dataframe_records": rows}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["predictions"]


@pytest.fixture
def row(elsewhere):
    folder, _, _ = elsewhere
    rows = pd.read_parquet(folder / "rows.parquet").drop(columns=["ID", "AGE", "default payment next month"])
    return json.loads(rows.head(1).to_json(orient="records"))[0]


def test_raw_rows_go_in_and_probability_and_decision_come_out(served, elsewhere, row):
    _, _, expected = elsewhere
    (answer,) = ask(served, [row])
    assert answer["probability"] == expected.iloc[0]
    assert isinstance(answer["decision"], bool)


def test_missing_values_and_unseen_categories_are_handled(served, row):
    strange = row | {"LIMIT_BAL": None, "EDUCATION": 99, "SEX": None, "MARRIAGE": "unheard of"}
    (answer,) = ask(served, [strange])
    assert 0 <= answer["probability"] <= 1
    assert answer["probability"] != ask(served, [row])[0]["probability"]


@pytest.mark.parametrize(("change", "named"), [({"PAY_0": ...}, "PAY_0"), ({"PAY_0": "abc"}, "PAY_0")])
def test_a_missing_column_and_a_text_for_a_number_are_errors_that_name_it(served, row, change, named):
    broken = {key: change.get(key, value) for key, value in row.items() if change.get(key) is not ...}
    with pytest.raises(urllib.error.HTTPError) as error:
        ask(served, [broken])
    with error.value:
        assert named in error.value.read().decode()
