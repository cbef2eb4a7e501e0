"""Monitoring in a process of its own, as a user or a scheduler runs it, with the champion of the trained project."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from conftest import REPOSITORY

from lepton_pipeline.tracking.artefacts import read_facts


@pytest.fixture
def watched(trained, tmp_path):
    """A copy of the trained project with its models."""
    project, _ = trained
    return project.copy(tmp_path / "project")


def add_rows(project):
    """Two hundred and fifty further clients, richer than those of the training."""
    finance = pd.read_csv(
        REPOSITORY / "data/01_raw/finance/default_of_credit_card_clients.csv.gz", nrows=1750
    )
    new = finance.iloc[1500:].assign(LIMIT_BAL=lambda rows: 3 * rows["LIMIT_BAL"])
    new.to_csv(project.path / "data/01_raw/finance/further.csv.gz", index=False)


def test_new_rows_are_compared_with_the_champions_and_nothing_of_the_training_changes(watched):
    add_rows(watched)
    kept = {
        name: watched.output("04_feature", name).stat().st_mtime_ns for name in ("feature_table.parquet",)
    }
    done = watched.run("run", "--pipelines", "finance_monitoring")
    assert done.returncode == 0, done.stderr
    assert "finance_monitoring: version 1 as of " in done.stdout
    assert "250, 250 of them with a known label" in done.stdout
    assert "LIMIT_BAL (PSI" in done.stdout
    result = json.loads(watched.output("08_reporting", "monitoring/result.json").read_text())
    assert (result["rows_new"], result["drifted"]) == (250, True)
    flagged = [each["column"] for each in result["columns"] if each["flagged"]]
    assert "LIMIT_BAL" in flagged
    assert "SEX" not in flagged
    assert len(result["windows"]) == 1
    page = watched.output("08_reporting", "monitoring/monitoring.html").read_text()
    assert "New rows differ from those of the training" in page
    (run,) = watched.runs("finance_monitoring")
    assert run.info.status == "FINISHED"
    assert run.data.metrics["rows_new"] == 250
    assert run.data.metrics["drift.columns"] == len(flagged)
    assert run.data.metrics["realised.auc"] == pytest.approx(result["windows"][0]["value"])
    assert run.data.tags["drifted"] == "True"
    assert run.data.tags["version"] == "1"
    # There and back.
    version = watched.client().get_model_version("finance", "1")
    assert version.tags["monitoring.run_id"] == run.info.run_id
    assert read_facts(watched.client(), run)["model.run_id"] == version.run_id
    assert {name: watched.output("04_feature", name).stat().st_mtime_ns for name in kept} == kept
    assert len(watched.runs("finance")) == 1


def test_a_log_of_served_rows_is_read_with_outcomes_by_id(watched):
    add_rows(watched)
    declared = watched.path / "conf/base/finance/parameters.yml"
    declared.write_text(declared.read_text() + "\n  monitoring: {served: served}\n")
    missing = watched.run("run", "--pipelines", "finance_monitoring")
    assert missing.returncode == 2
    assert "monitoring.served: served is no folder" in missing.stderr
    finance = pd.read_csv(
        REPOSITORY / "data/01_raw/finance/default_of_credit_card_clients.csv.gz", nrows=1850
    )
    # A hundred of the new rows, and a hundred that no raw table has.
    asked = finance.iloc[1650:].rename(columns={"ID": "id"})
    lines = [
        {"at": "2026-05-01T00:00:00+00:00", "id": row["id"], "time": None, "inputs": row}
        for row in json.loads(asked.to_json(orient="records"))
    ]
    (watched.path / "served").mkdir()
    (watched.path / "served/a.served.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = watched.run("run", "--pipelines", "finance_monitoring")
    assert done.returncode == 0, done.stderr
    assert "350, 250 of them with a known label" in done.stdout
    assert "200 of the new rows were served, 100 of them stand in the table of today." in " ".join(
        done.stdout.split()
    )
    kept = json.loads(watched.output("08_reporting", "monitoring/served.json").read_text())
    assert kept == {"rows": 200, "joined": 100, "repeated": 0, "broken": 0}
