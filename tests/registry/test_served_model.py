"""A registered model is used far from the project: another folder, another process, nothing unpickled."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
import yaml

from lepton_pipeline.model.artefact import Artefact

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
    addresses = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{project.path}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    surroundings = {key: value for key, value in os.environ.items() if key != "MLFLOW_REGISTRY_URI"}
    return folder, surroundings | addresses, test["model"]


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
    command = [
        "-m",
        "mlflow",
        "models",
        "serve",
        "--model-uri",
        "models:/finance@champion",
        "--env-manager",
        "local",
    ]
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


def post(address, body, content_type="application/json"):
    """Status and text of the answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(address, content, {"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def ask(address, rows, **params):
    status, text = post(address, {"dataframe_records": rows, "params": params})
    assert status == 200, text
    return json.loads(text)["predictions"]


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


def test_values_never_seen_are_named_where_they_are_asked_for(served, row):
    (answer,) = ask(served, [row], unseen=True)
    # This model reads numbers only.
    assert answer["unseen"] == ""
    assert "unseen" not in ask(served, [row], unseen=False)[0]


def test_reasons_are_given_where_they_are_asked_for(served, row):
    (plain,) = ask(served, [row], reasons=0)
    assert set(plain) == {"probability", "decision"}
    (answer, other) = ask(served, [row, row | {"LIMIT_BAL": 10_000}], reasons=3)
    assert {key: answer[key] for key in plain} == plain
    reasons = re.findall(r"(\w+) = (\S+) \(([+-]\d+\.\d\d)\)", answer["reasons"])
    assert len(reasons) == 3
    # A code is told by its label.
    codes = {"MARRIAGE": {1: "married"}, "SEX": {2: "women"}}
    told = [codes.get(column, {}).get(row[column], str(row[column])) for column, *_ in reasons]
    assert [value for _, value, _ in reasons] == told
    effects = [abs(float(effect)) for _, _, effect in reasons]
    assert effects == sorted(effects, reverse=True)
    assert ask(served, [row], reasons=3) == [answer]
    assert other["reasons"] != answer["reasons"]


def test_the_signature_names_what_is_answered(elsewhere, trained):
    project, _ = trained
    described = yaml.safe_load(next((project.path / "mlruns/finance").rglob("MLmodel")).read_text())[
        "signature"
    ]
    outputs = {
        column["name"]: (column["type"], column["required"]) for column in json.loads(described["outputs"])
    }
    asked = dict.fromkeys(("reasons", "unseen"), ("string", False))
    assert outputs == {"probability": ("double", True), "decision": ("boolean", True), **asked}
    inputs = {column["name"]: column["type"] for column in json.loads(described["inputs"])}
    assert inputs["LIMIT_BAL"] == "long"
    assert inputs["SEX"] == "string"
    parameters = {each["name"]: (each["type"], each["default"]) for each in json.loads(described["params"])}
    assert parameters == {"reasons": ("long", 0), "unseen": ("boolean", False)}


def test_the_version_is_tagged_with_the_hash_of_its_artefact(trained):
    project, _ = trained
    folder = next((project.path / "mlruns/finance").rglob("artefact.json")).parent
    tags = project.client().get_model_version("finance", "1").tags
    for saved in (folder, project.output("06_models", "artefact")):
        assert json.loads((saved / "artefact.json").read_text("utf-8"))["sha256"] == tags["artefact.sha256"]
    assert Artefact.load(folder, tags["artefact.sha256"]).threshold > 0


def test_ten_thousand_rows_are_scored(served, row):
    answers = ask(served, [row] * 10_000)
    assert len(answers) == 10_000
    assert answers[0] == answers[-1]


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"more": {"a": [1]}},
        {"LIMIT_BAL": None},
        {"LIMIT_BAL": "20000"},
        {"LIMIT_BAL": 1e308},
        {"LIMIT_BAL": 2**64},
        {"LIMIT_BAL": float("nan")},
        {"EDUCATION": "日本語 \0 😀"},
        {"EDUCATION": 10**400},
        {"EDUCATION": ""},
        {"EDUCATION": True},
    ],
)
def test_odd_values_are_scored_and_explained(served, row, change):
    (answer,) = ask(served, [row | change], reasons=30)
    assert 0 < answer["probability"] < 1
    assert answer["reasons"]


def test_a_row_without_any_value_is_scored_and_explained(served, row):
    (answer,) = ask(served, [dict.fromkeys(row)], reasons=3)
    assert "= missing (" in answer["reasons"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"PAY_0": ...}, "PAY_0"),
        ({"PAY_0": "abc"}, "column 'PAY_0' must hold numbers"),
        ({"PAY_0": "1.959,36"}, "column 'PAY_0' must hold numbers, but '1.959,36' is no number"),
        ({"PAY_0": [1]}, "column 'PAY_0' holds [1]; give one plain value"),
        ({"PAY_0": {"a": None}}, "column 'PAY_0' holds {'a': None}; give one plain value"),
        ({"EDUCATION": [2]}, "column 'EDUCATION' holds [2]; give one plain value"),
        ({"PAY_0": 10**400}, "column 'PAY_0' holds a whole number beyond 1e308"),
        ({"PAY_0": float("-inf")}, "column 'PAY_0' is infinite in row 0"),
        ({"PAY_0": "9" * 10_000}, "column 'PAY_0' is infinite in row 0"),
        ({"PAY_0": "Infinity"}, "column 'PAY_0' is infinite in row 0"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_by_the_name_of_its_column(served, row, change, named):
    broken = {key: value for key, value in (row | change).items() if value is not ...}
    status, text = post(served, {"dataframe_records": [broken]})
    assert status == 400
    message = json.loads(text)["message"]
    assert named in message
    # The reason alone: one line, no other value of the row, no trace, no path.
    assert "\n" not in message
    assert "BILL_AMT1" not in message
    assert set(json.loads(text)) == {"error_code", "message"}


@pytest.mark.parametrize("reasons", ["x", -1, 1.5, [1], {}, True])
def test_a_wrong_number_of_reasons_is_refused(served, row, reasons):
    status, text = post(served, {"dataframe_records": [row], "params": {"reasons": reasons}})
    assert status == 400
    assert "reasons" in json.loads(text)["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe\x00",
        b"null",
        b"[1]",
        {},
        {"dataframe_records": None},
        {"dataframe_records": []},
        {"dataframe_records": [{}]},
        {"dataframe_records": [None]},
        {"dataframe_records": [[1, 2]]},
        {"dataframe_records": {"PAY_0": 1}},
        {"dataframe_split": {"columns": ["PAY_0"]}},
        {"dataframe_split": {"columns": ["PAY_0", "PAY_0"], "data": [[1, 2]]}},
        {"dataframe_records": [{"PAY_0": "\ud800"}]},
        {"dataframe_records": [], "inputs": []},
        {"inputs": 3},
        {"instances": None},
        {"messages": [{"role": "user", "content": "hello"}]},
        {"dataframe_records": [], "params": "x"},
    ],
)
def test_what_holds_no_rows_of_the_model_is_refused_with_a_reason(served, body):
    status, text = post(served, body)
    assert status == 400
    assert json.loads(text)["message"]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("text/plain", 415),
        ("application/xml", 415),
        ("application/json; charset=latin-1", 415),
        ("text/csv", 400),
    ],
)
def test_another_type_of_content_is_refused(served, row, content_type, status):
    answered, text = post(served, {"dataframe_records": [row]}, content_type)
    assert answered == status
    assert text
    assert "Traceback" not in text
    assert "site-packages" not in text


def test_csv_is_served_as_json_is(served, row):
    lines = [",".join(row), ",".join(map(str, row.values())), ",".join("" for _ in row).replace(",", "1,", 1)]
    status, text = post(served, "\n".join(lines).encode(), "text/csv")
    assert status == 200
    empty = dict.fromkeys(row) | {next(iter(row)): 1}
    assert json.loads(text)["predictions"] == ask(served, [row, empty])


VALUES = [
    None,
    True,
    0,
    -1,
    3.5,
    1e308,
    -(2**63),
    10**30,
    "",
    "abc",
    "1",
    "NaN",
    "\u0000",
    "😀",
    "a" * 10_000,
    [],
    [1],
    {},
]


def mutate(rng, row):
    """A body that is a request, but for one or two things."""
    rows = [dict(row) for _ in range(rng.choice([1, 1, 2, 5]))]
    body = {rng.choice(["dataframe_records", "dataframe_records", "instances", "inputs"]): rows}
    if rng.random() < 0.5:
        body["params"] = rng.choice([{"reasons": rng.choice([1, 3, *VALUES])}, {"other": 1}, None, *VALUES])
    for _ in range(rng.choice([1, 2])):
        change, column = (
            rng.choice(["value", "value", "drop", "add", "row", "key", "split"]),
            rng.choice(list(row)),
        )
        target = rng.choice(rows)
        if change == "value" and isinstance(target, dict):
            target[column] = rng.choice(VALUES)
        elif change == "drop" and isinstance(target, dict):
            target.pop(column, None)
        elif change == "add" and isinstance(target, dict):
            target[rng.choice(["more", "", "PAY_0 ", "日本"])] = rng.choice(VALUES)
        elif change == "row":
            rows[rng.randrange(len(rows))] = rng.choice([row, *VALUES])
        elif change == "key":
            body[rng.choice(["dataframe_split", "inputs", "prompt", "x"])] = rng.choice(VALUES)
        elif change == "split":
            data = [[*row.values()], rng.choice([[*row.values()], [], [1], None])]
            body = {"dataframe_split": {"columns": [*row], "data": data[: rng.choice([1, 2])]}}
    content = json.dumps(body).encode()
    if rng.random() < 0.15:
        place = rng.randrange(len(content))
        content = content[:place] + rng.randbytes(rng.choice([0, 1, 3])) + content[place + 1 :]
    return content


def test_a_hundred_altered_requests_are_answered_or_refused_but_never_fail(served, row):
    rng = random.Random(5)
    statuses = []
    for _ in range(100):
        body = mutate(rng, row)
        status, text = post(served, body)
        assert status in (200, 400), (body, text)
        if status == 200:
            assert all(0 < each["probability"] < 1 for each in json.loads(text)["predictions"])
        else:
            assert "unexpected error" not in text, (body, text)
            assert json.loads(text)["message"]
        statuses.append(status)
    # Otherwise the requests would be too much alike.
    assert 20 <= statuses.count(200) <= 80


def test_what_no_parser_can_read_is_refused(served, row):
    for body in (b"[" * 100_000, b'{"dataframe_records": [{"a": ' + b"9" * 5000 + b"}]}"):
        status, text = post(served, body)
        assert status == 400
        assert json.loads(text)["message"].startswith("the body is ")
    assert len(ask(served, [row])) == 1
