"""Secrets are planted wherever one may stand, and nothing that a run leaves behind or says has one."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import Project
from servers import holding

pytestmark = pytest.mark.exhaustive

CANARY = "c4n4ry"
# Where secrets may stand: what the user wrote, and git's own copies of it.
_GIVEN = ("conf", "src", ".git")


def plant(project: Project) -> dict[str, str]:
    """Plant canaries in declaration, catalog and working tree; give those for the environment."""

    def declare(declared):
        declared["about"]["limits"] = (
            f"See https://me:{CANARY}/with@signs@wiki.example/limits?token={CANARY}."
        )
        declared["alerts"] = {
            "webhook": f"https://chat.example/{CANARY}?k={CANARY}",
            "file": "${oc.env:ALERTS_FILE}",
        }

    git(project.path, "init")
    git(project.path, "remote", "add", "origin", f"https://me:{CANARY}@git.example/x.git")
    git(project.path, "add", "conf", "pyproject.toml")
    git(project.path, "commit", "-m", "clean")
    project.declare("orders", declare)
    project.declare("finance", declare)
    local = {"type": "lepton_pipeline.datasets.RawTableDataset", "filepath": "data/01_raw/finance"}
    base = project.path / "conf/base"
    catalog = {"finance.raw": {**local, "credentials": {"key": f"{CANARY}-key", "secret": CANARY}}}
    (base / "finance/catalog.yml").write_text(yaml.safe_dump(catalog, default_flow_style=True))
    far = {"type": local["type"], "filepath": f"http://me:{CANARY}@127.0.0.1:1/x.csv?token={CANARY}"}
    (base / "orders/catalog.yml").write_text(yaml.safe_dump({"orders.raw": far}))
    code = f"""
WAREHOUSE = "postgresql://me:{CANARY}/with@signs@db/x"
password, options = "{CANARY}", {{"api_key": '{CANARY}'}}
# Until May: https://files.example/x.csv?sig={CANARY}&a=1, then https://hooks.example.org/services/{CANARY}.
"""
    (project.path / "src/warehouse.py").write_text(code)
    (project.path / "src/notes.md").write_text(
        f"- me:{CANARY}@db\n- token: {CANARY}\n- run --password={CANARY}\n"
    )
    return {
        "LEPTON_SMTP_PASSWORD": f"{CANARY}-smtp",
        "ALERTS_FILE": "data/alerts.jsonl",
        "SHOP_API_KEY": f"{CANARY}-key",
        "MLFLOW_TRACKING_URI": f"postgresql:me:{CANARY}@127.0.0.1:1/runs",
    }


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def told(database: Path) -> str:
    """All that stands in the tables of a SQLite file; a long value is not in one piece in its bytes."""
    with sqlite3.connect(database) as connection:
        tables = [
            name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")
        ]
        return "".join(str(row) for name in tables for row in connection.execute(f'select * from "{name}"'))


def test_no_secret_is_in_what_runs_leave_behind_or_say(warm, make_small, tmp_path):
    project = make_small(tmp_path / "project")
    environment = plant(project)

    def run(*arguments: str):
        return warm.run(project.path, *arguments, environment=environment)

    webhook = f"finance.alerts.webhook=https://other.example/{CANARY}/x"
    trained = run("run", "--pipelines", "finance,orders", "--params", f"{webhook},finance.training.seed=7")
    away = run("run", "--pipelines", "finance", "--env", "prod")
    refused = run(
        "run", "--pipelines", "finance", "--params", "finance.about.question=${oc.env:SHOP_API_KEY}"
    )
    shown = run("compare", "finance")
    said = "".join(done.said for done in (trained, away, refused, shown))
    assert [done.returncode for done in (trained, away, refused, shown)] == [3, 2, 2, 0], said
    assert "mlflow.yml: the store '***@127.0.0.1:1/runs' cannot be used" in away.stderr
    assert "finance.about.question: ${oc.env:SHOP_API_KEY} is not read here" in refused.stderr

    (run_of_finance,), (run_of_orders,) = project.runs("finance"), project.runs("orders")
    assert run_of_finance.info.run_name == "v1 alerts.webhook=https://other.example/*** seed=7"
    assert run_of_finance.data.params["alerts.webhook"] == "https://other.example/***"
    assert run_of_finance.data.params["alerts.file"] == "data/alerts.jsonl"
    assert "127.0.0.1" in run_of_orders.data.tags["error"]
    patch = next(
        project.path.glob(f"mlruns/finance/{run_of_finance.info.run_id}/artifacts/code.diff")
    ).read_text()
    for line in (
        'WAREHOUSE = "postgresql://***@db/x"',
        'password, options = "',
        "https://files.example/x.csv?sig=***&a=1",
        "webhook: https://chat.example/***",
        "token: ***",
    ):
        assert line in patch
    report = (project.output("08_reporting", "report") / "report.html").read_text()
    assert "https://***@wiki.example/limits?token=***" in report

    assert CANARY not in said
    assert CANARY not in told(project.path / "mlflow.db")
    found = {path.relative_to(project.path) for path in holding(project.path, CANARY)}
    assert {path for path in found if path.parts[0] not in _GIVEN} == set()
