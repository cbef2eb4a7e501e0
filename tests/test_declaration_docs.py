"""The examples of docs/declaration.md, and the exit codes; commands of the README and the tour run in CI."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from lepton_pipeline.errors import ConfigurationError, DataError, GateRefusedError, LeptonError

DOCS = Path(__file__).parents[1] / "docs"


def yaml_blocks() -> list[str]:
    text = (DOCS / "declaration.md").read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def customers() -> pd.DataFrame:
    """Six hundred made-up customers; the longer the contract, the fewer leave."""
    rng = np.random.default_rng(7)
    months = rng.integers(1, 60, 600)
    churned = rng.random(600) < 1 / (1 + np.exp(months / 10 - 2))
    return pd.DataFrame(
        {
            "months": months,
            "plan": rng.choice(["basic", "plus"], 600),
            "churned": np.where(churned, "yes", "no"),
        }
    )


def test_a_vertical_is_added_by_two_keys_and_a_file(project):
    declaration, _ = yaml_blocks()
    raw, conf = project.path / "data/01_raw/churn", project.path / "conf/base/churn"
    raw.mkdir()
    conf.mkdir()
    customers().to_csv(raw / "customers.csv", index=False)
    (conf / "parameters.yml").write_text(declaration)
    done = project.run(
        "run", "--pipelines", "churn", environment={"LEPTON_ROWS": "500", "LEPTON_EPOCHS": "5"}
    )
    assert done.returncode == 0, done.stderr
    assert "churn: version 1, alias champion" in done.stdout
    # A run on a slice says so wherever it is seen.
    words = "at most 500 rows (LEPTON_ROWS), at most 5 epochs (LEPTON_EPOCHS)"
    assert f"a slice, not a real run: {words}" in " ".join(done.stdout.split())
    (run,) = project.runs("churn")
    assert (run.data.tags["slice"], run.info.run_name) == (words, "v1 slice")
    assert (run.data.params["split.rows"], run.data.params["training.epochs"]) == ("500", "5")
    assert words in project.client().get_model_version("churn", "1").tags["caution"]
    assert words in project.output("08_reporting", "report/report.html", "churn").read_text()


def test_raw_data_can_come_from_a_database(project):
    declaration, entry = yaml_blocks()
    conf = project.path / "conf/base/churn"
    conf.mkdir()
    (conf / "parameters.yml").write_text(declaration)
    (conf / "catalog.yml").write_text(entry)
    with sqlite3.connect(project.path / "warehouse.db") as connection:
        customers().to_sql("customers", connection, index=False)
    connection.close()
    credentials = {"warehouse": {"con": f"sqlite:///{project.path}/warehouse.db"}}
    (project.path / "conf/local/credentials.yml").write_text(yaml.safe_dump(credentials))
    done = project.run("run", "--pipelines", "churn", "--to-nodes", "churn.ingest_table")
    assert done.returncode == 0, done.stderr
    assert (
        pd.read_parquet(project.output("02_intermediate", "table.parquet", "churn"))["months"].dtype
        == "int64"
    )

    (project.path / "conf/local/credentials.yml").write_text(
        yaml.safe_dump({"warehouse": {"con": "sqlite:///no.db"}})
    )
    failed = project.run("run", "--pipelines", "churn")
    assert failed.returncode == 3
    assert "no such table: customers" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_the_exit_codes_are_those_of_the_errors():
    text = (DOCS / "operating.md").read_text(encoding="utf-8")
    for error in (ConfigurationError, DataError, GateRefusedError, LeptonError):
        assert re.search(rf"^\| {error.exit_code} \|", text, flags=re.MULTILINE)
