"""Scoring in processes of its own, as a user runs it, with the champion of the trained project."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import REPOSITORY

import lepton_pipeline.registry.fetch as fetch
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.tracking.artefacts import read_facts

TARGET = "default payment next month"


@pytest.fixture
def scored(trained, tmp_path):
    """A copy of the trained project with its models."""
    project, _ = trained
    return project.copy(tmp_path / "project", "0[2-8]_*")


def new_rows(count=120):
    source = REPOSITORY / "data/01_raw/finance/default_of_credit_card_clients.csv.gz"
    return pd.read_csv(source, skiprows=range(1, 20001), nrows=count).drop(columns=TARGET)


def put(project, *parts):
    folder = project.path / "data/01_raw/finance_scoring"
    folder.mkdir()
    for number, part in enumerate(parts):
        part.to_csv(folder / f"{number}.csv.gz", index=False)


def test_new_rows_are_scored_by_the_champion(scored, trained):
    rows = new_rows()
    rows.loc[rows.index[5], "AGE"] = 7
    put(scored, rows.head(70), rows.tail(50))
    done = scored.run("run", "--pipelines", "finance_scoring", "--params", "finance.scoring.chunk_rows=50")
    assert done.returncode == 0, done.stderr
    scores = pd.read_parquet(scored.output("07_model_output", "batch_scores.parquet"))
    assert scores["input_row"].tolist() == [row for row in range(120) if row != 5]
    assert scores["ID"].tolist() == rows["ID"].drop(rows.index[5]).tolist()
    quarantine = pd.read_parquet(scored.output("07_model_output", "batch_quarantine.parquet"))
    assert [list(reasons) for reasons in quarantine["quarantine_reasons"]] == [["AGE between 18 and 110"]]

    artefact, version = loaded(trained[0])
    expected = artefact.predict(rows.drop(index=rows.index[5]))
    assert scores["probability"].tolist() == expected["probability"].tolist()
    assert scores["decision"].tolist() == expected["decision"].tolist()

    (run,) = scored.runs("finance_scoring")
    assert run.info.status == "FINISHED"
    tags, metrics = run.data.tags, run.data.metrics
    facts = read_facts(scored.client(), run)
    assert (tags["kind"], tags["version"], facts["model.run_id"]) == ("scoring", "1", version.run_id)
    assert (metrics["rows"], metrics["quarantined"]) == (120, 1)
    assert facts["data.files"] == "0.csv.gz, 1.csv.gz"
    record = json.loads(scored.output("08_reporting", "scoring/record.json").read_text())
    assert len(tags["data.sha256"]) == 64
    assert metrics["positives"] == record["positives"] == int(expected["decision"].sum())
    assert metrics["share_positive"] == record["positives"] / 119
    assert metrics["mean_score"] == pytest.approx(expected["probability"].mean(), abs=1e-9)
    # The runs of the vertical itself stay comparable.
    assert len(scored.runs("finance")) == 1
    assert "120 in, 1 quarantined" in done.stdout
    assert "finance_scoring: scored by version 1, champion" in done.stdout
    assert "data/07_model_output/finance/batch_scores.parquet" in done.stdout
    assert len((done.stdout + done.stderr).splitlines()) < 30


def loaded(project):
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{project.path}/mlflow.db")
    mlflow.set_registry_uri(f"sqlite:///{project.path}/mlflow.db")
    try:
        return fetch.fetch_model("finance")
    finally:
        mlflow.set_tracking_uri(before)
        mlflow.set_registry_uri(before)


def test_rows_that_break_the_contract_stop_a_scoring_and_are_kept(scored):
    rows = pd.concat([new_rows(), new_rows(3)])
    rows.to_parquet(scored.path / "again.parquet")
    done = scored.run(
        "run", "--pipelines", "finance_scoring", "--params", "finance.scoring.input=again.parquet"
    )
    assert done.returncode == 3, done.stderr
    assert "ID unique (contract.expectations[0]): 6 of 123 rows" in done.stderr
    assert "Contract: data/08_reporting/finance/scoring/contract.json" in done.stderr
    assert "Traceback" not in done.stderr
    (run,) = scored.runs("finance_scoring")
    assert run.info.status == "FAILED"
    assert "ContractError" in run.data.tags["error"]
    assert run.data.tags["version"] == "1"
    assert not scored.output("07_model_output", "batch_scores.parquet").exists()
    contract = json.loads(scored.output("08_reporting", "scoring/contract.json").read_text())
    assert (contract["rows"], contract["success"]) == (123, False)


def test_a_challenger_is_scored_beside_the_champion(scored):
    put(scored, new_rows())
    declared = "finance.scoring.shadow=challenger"
    missing = scored.run("run", "--pipelines", "finance_scoring", "--params", declared)
    assert missing.returncode == 2
    assert "finance.scoring.shadow: finance has no challenger" in missing.stderr
    # A second version with the files of the first.
    client = scored.client()
    first = client.get_model_version("finance", "1")
    tags = {key: value for key, value in first.tags.items() if key.endswith("sha256")}
    files = client.get_model_version_download_uri("finance", "1")
    client.create_model_version("finance", files, first.run_id, tags=tags)
    client.set_registered_model_alias("finance", "challenger", "2")
    done = scored.run("run", "--pipelines", "finance_scoring", "--params", declared)
    assert done.returncode == 0, done.stderr
    assert "version 2, challenger: 0 of 120 rows (0.0%) decided otherwise; correlation 1.000" in " ".join(
        done.stdout.split()
    )
    scores = pd.read_parquet(scored.output("07_model_output", "batch_scores.parquet"))
    assert scores["shadow_probability"].tolist() == scores["probability"].tolist()
    (run,) = [each for each in scored.runs("finance_scoring") if each.info.status == "FINISHED"]
    metrics = run.data.metrics
    assert (metrics["shadow_changed"], metrics["shadow_largest_difference"]) == (0, 0)
    record = json.loads(scored.output("08_reporting", "scoring/record.json").read_text())
    assert (record["shadow"]["version"]["version"], record["model"]["version"]) == (2, 1)


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("finance", 9, r"finance has no version 9; there are 1\. .*kedro run --pipelines finance"),
        ("telecom", None, r"telecom has no model yet.*train one: kedro run --pipelines telecom"),
        ("telecom", 1, r"telecom has no version 1; none is registered yet"),
    ],
)
def test_a_model_that_is_not_there_is_explained(trained, monkeypatch, name, version, message):
    import mlflow

    client = trained[0].client()
    monkeypatch.setattr(mlflow, "MlflowClient", lambda: client)
    with pytest.raises(ConfigurationError, match=message):
        fetch.fetch_model(name, version)


def test_a_vertical_without_a_champion_says_what_to_do(monkeypatch):
    import mlflow

    model = SimpleNamespace(name="finance", aliases={"challenger": "2"})

    class Versions(list):
        token = None

    class Client:
        def search_model_versions(self, query, page_token=None):
            return Versions([SimpleNamespace(version="2")])

        def search_registered_models(self, query):
            return [model]

    monkeypatch.setattr(mlflow, "MlflowClient", Client)
    with pytest.raises(
        ConfigurationError, match=r"promoted none of its versions \(2\).*finance\.scoring\.version=2"
    ):
        fetch.fetch_model("finance")


def test_a_run_without_options_trains_only(trained):
    project, _ = trained
    listed = project.run("registry", "list")
    assert {"- finance", "- finance_scoring"} <= set(listed.stdout.splitlines())
    known = project.run("run", "--pipelines", "finance_scorin")
    assert known.returncode == 2
    assert "did you mean 'finance_scoring'?" in known.stderr
    assert not Path(project.path / "data/08_reporting/finance/scoring").exists()
