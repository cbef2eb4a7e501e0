"""A vertical of two raw tables and a query, as a user writes it: it trains, and each mistake ends in one message."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import Project, copy_face

QUERY = """\
-- What each client had ordered when it asked for credit.
SELECT c.*, count(o.items) AS orders, coalesce(sum(o.items), 0) AS items
FROM credits AS c
LEFT JOIN orders AS o ON o.client = c.client AND o.day < c.asked
GROUP BY ALL
ORDER BY credit
"""
DECLARED = {
    "dataset": {
        "target": "repaid",
        "positive": "yes",
        "id": "credit",
        "time": "asked",
        "exclude": ["client"],
    },
    "ingestion": {"dates": {"asked": "%Y-%m-%d", "day": "%Y-%m-%d"}},
    "tables": {
        "credits": {
            "time": "asked",
            "expectations": [
                {"expect": "keys_to_exist_in_table", "column_list": ["client"], "table": "orders"}
            ],
        },
        "orders": {"time": "day"},
    },
    "split": {"strategy": "time"},
    "leaks": {"on_leak": "warn"},
    "training": {"model": "linear", "epochs": 1},
    "evaluation": {"resamples": 100},
    "gate": {"at_least": 0.0, "margin": 0.99, "baseline_margin": 0.99},
}
RUN = ("run", "--pipelines", "credit")
TABLE = (*RUN, "--to-outputs", "credit.table")


def raw_tables() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    days = pd.date_range("2025-01-01", periods=300).astype("str")
    orders = pd.DataFrame({"client": rng.permutation(np.arange(900) % 90), "day": rng.choice(days, 900)})
    orders["items"] = rng.integers(1, 9, 900)
    asked = pd.DataFrame({"credit": np.arange(300), "client": rng.integers(0, 90, 300), "asked": days})
    asked["amount"] = rng.normal(100, 10, 300).round(2)
    asked["repaid"] = np.where(asked["amount"] + rng.normal(0, 10, 300) > 100, "yes", "no")
    return {"credits": asked, "orders": orders}


@pytest.fixture
def credit(tmp_path: Path, store: Path) -> Project:
    project = Project(tmp_path / "project")
    copy_face(project.path, [])
    shutil.copy(store, project.path / "mlflow.db")
    folder = project.path / "conf/base/credit"
    folder.mkdir()
    (folder / "parameters.yml").write_text(yaml.safe_dump({"credit": DECLARED}))
    write(project, QUERY)
    raw = project.path / "data/01_raw/credit"
    raw.mkdir(parents=True)
    for name, rows in raw_tables().items():
        rows.to_csv(raw / f"{name}.csv", index=False)
    return project


def write(project: Project, query: str, env: str = "base") -> None:
    folder = project.path / "conf" / env / "credit"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.sql").write_text(query)


@pytest.mark.exhaustive
def test_it_trains_is_recorded_watched_and_scored(credit, warm):
    done = warm.run(credit.path, *RUN)
    assert done.code == 0, done.said
    table = pd.read_parquet(credit.output("02_intermediate", "table.parquet", "credit"))
    tables = raw_tables()
    before = (
        tables["credits"]
        .merge(tables["orders"], on="client")
        .query("day < asked")
        .groupby("credit")["items"]
        .sum()
    )
    assert table["items"].tolist() == before.reindex(range(300), fill_value=0).tolist()
    (run,) = credit.runs("credit")
    uri = f"{run.info.artifact_uri}/parameters.json"
    assert json.loads(Path(uri.removeprefix("file://")).read_text())["sql"] == QUERY
    # Another text is another configuration, of an environment, too.
    write(credit, QUERY.replace("o.day < c.asked", "o.day <= c.asked"), "local")
    changed = warm.run(credit.path, *TABLE)
    assert changed.code == 0, changed.said
    hashes = {each.data.tags["configuration.sha256"] for each in credit.runs("credit")}
    assert len(hashes) == 2
    watched = warm.run(credit.path, "run", "--pipelines", "credit_monitoring")
    assert watched.code == 0, watched.said
    rows = table.iloc[:40].drop(columns="repaid")
    (credit.path / "data/01_raw/credit_scoring").mkdir()
    rows.to_csv(credit.path / "data/01_raw/credit_scoring/rows.csv", index=False)
    scored = warm.run(credit.path, "run", "--pipelines", "credit_scoring")
    assert scored.code == 0, scored.said


def test_rows_after_a_date_change_nothing_as_of_that_date(credit, warm):
    found = []
    for ends in ("2025-08-01", "2025-10-28"):
        for name, time in (("credits", "asked"), ("orders", "day")):
            rows = raw_tables()[name]
            rows[rows[time] <= ends].to_csv(credit.path / f"data/01_raw/credit/{name}.csv", index=False)
        done = warm.run(credit.path, *TABLE, "--params", "credit.dataset.as_of=2025-08-01")
        assert done.code == 0, done.said
        found.append(credit.output("02_intermediate", "table.parquet", "credit").read_bytes())
    assert found[0] == found[1]


def test_a_mistake_is_one_message_with_its_exit_code(credit, warm):
    mistakes = {
        QUERY.replace("o.items", "o.itms"): (2, ", line 2: no column 'itms'; did you mean 'items'."),
        QUERY.replace("ORDER BY credit", ""): (
            2,
            " has no ORDER BY, so that chance would order its rows; end it with",
        ),
        QUERY.replace("FROM credits", "FROM read_csv('/etc/passwd')"): (
            2,
            ", line 3: /etc/passwd is not read: a query",
        ),
        QUERY.replace("GROUP", "WHERE false GROUP"): (
            3,
            " gives no row; the tables have rows: credits 300, orders 900.",
        ),
    }
    for query, (code, message) in mistakes.items():
        write(credit, query)
        done = warm.run(credit.path, "vertical", "check", "credit")
        assert done.code == code, done.said
        assert f"error: credit/table.sql{message}" in done.stderr
        assert "Traceback" not in done.said


def test_a_run_ends_with_the_same_message_and_without_a_table(credit, warm):
    write(credit, QUERY.replace("BY credit", "BY client"))
    done = warm.run(credit.path, *TABLE)
    assert done.code == 2
    assert "error: credit/table.sql: ORDER BY does not tell rows apart: " in done.stderr
    assert not credit.output("02_intermediate", "table.parquet", "credit").exists()


def test_a_query_of_an_environment_alone_is_refused(credit, warm):
    (credit.path / "conf/base/credit/table.sql").unlink()
    write(credit, QUERY, "local")
    done = warm.run(credit.path, *TABLE)
    assert done.code == 2
    assert "error: credit.tables: 'credits' is not read" in done.stderr
