"""Personal data is planted in every row, and no file that training, scoring or monitoring writes has any of it."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from conftest import Project

pytestmark = pytest.mark.exhaustive

TARGET = "default payment next month"
# What the user wrote.
GIVEN = ("conf", "01_raw")
MISSED = "c4n4ry"


def card(number: int) -> str:
    body = f"4{number:014d}"
    doubled = [int(sign) * (2 - at % 2) for at, sign in enumerate(body)]
    return body + str(-sum(sum(divmod(each, 10)) for each in doubled) % 10)


def iban(number: int) -> str:
    body = f"37040044{number:010d}"
    return f"DE{98 - int(f'{body}131400') % 97:02d}{body}"


def planted(rows: pd.DataFrame) -> pd.DataFrame:
    """With a category and a text, of values that stand in no other row."""
    at = rows["ID"]
    ways = [lambda n: f"u{n}@{MISSED}.example", card, iban]
    return rows.assign(
        channel=[ways[n % 3](n) for n in at],
        comment=[f"to u{n}@{MISSED}.example from {iban(n)} or {card(n)} by Mr {MISSED}" for n in at],
    )


def declare(declared: dict[str, Any]) -> None:
    declared["dataset"] |= {"exclude": ["comment"], "categorical": ["channel"]}
    declared["dataset"].pop("sensitive")
    declared["ingestion"] = {"mask": {"columns": ["channel", "comment"], "patterns": {"NAME": r"Mr \w+"}}}
    declared["contract"] = {
        "max_quarantined": 0.5,
        "expectations": [
            {
                "expect": "column_values_to_be_between",
                "column": "LIMIT_BAL",
                "min_value": 50000,
                "on_failure": how,
            }
            for how in ("quarantine", "warn")
        ]
        + [
            {
                "expect": "column_values_to_match_regex",
                "column": "comment",
                "regex": "^x",
                "on_failure": "warn",
            }
        ],
    }


def content(path: Path) -> bytes:
    """What a file holds, unpacked."""
    if path.suffix == ".parquet":
        return path.read_bytes() + pd.read_parquet(path).to_csv().encode()
    if path.suffix == ".db":
        with sqlite3.connect(path) as connection:
            return path.read_bytes() + "".join(connection.iterdump()).encode()
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def leaks(project: Project, rows: pd.DataFrame) -> set[str]:
    wanted = [each.encode() for each in (MISSED, *map(iban, rows["ID"]), *map(card, rows["ID"]))]
    found = set()
    for path in project.path.rglob("*"):
        name = path.relative_to(project.path)
        if path.is_file() and not set(GIVEN) & set(name.parts):
            held = content(path)
            found |= {f"{name}: {each.decode()}" for each in wanted if each in held}
    return found


# MLflow infers no types of a model that reads its own requests.
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")
def test_no_personal_data_is_in_what_runs_write_or_say(make_small, tmp_path):
    project = make_small(tmp_path / "project")
    project.declare("finance", declare)
    raw = project.path / "data/01_raw"
    rows = planted(pd.read_csv(raw / "finance/sample.csv.gz"))
    (raw / "finance/sample.csv.gz").unlink()
    rows.to_csv(raw / "finance/rows.csv", index=False)
    with (raw / "finance/rows.csv").open("a") as file:
        file.write(f"1,u1@{MISSED}.example,{iban(1)},Mr {MISSED}\n")
    trained = project.run("run", "--pipelines", "finance")
    assert trained.returncode == 0, trained.stderr
    said = " ".join(trained.stdout.split())
    assert "comment: masked: 400 [EMAIL], 400 [IBAN], 400 [CARD], 400 [NAME]" in said
    assert "channel: masked: 134 [CARD], 133 [IBAN], 133 [EMAIL]" in said
    table = pd.read_parquet(project.output("02_intermediate", "table.parquet"))
    assert set(table["channel"]) == {"[EMAIL]", "[IBAN]", "[CARD]"}
    assert set(table["comment"]) == {"to [EMAIL] from [IBAN] or [CARD] by [NAME]"}

    (raw / "finance_scoring").mkdir()
    new = planted(rows.assign(ID=rows["ID"] + 5000).drop(columns=["channel", "comment"]))
    new.drop(columns=TARGET).to_csv(raw / "finance_scoring/new.csv", index=False)
    scored = project.run("run", "--pipelines", "finance_scoring")
    assert scored.returncode == 0, scored.stderr
    quarantine = pd.read_parquet(project.output("07_model_output", "batch_quarantine.parquet"))
    assert len(quarantine)
    assert set(quarantine["comment"]) == set(table["comment"])

    new.to_csv(raw / "finance/further.csv", index=False)
    watched = project.run("run", "--pipelines", "finance_monitoring")
    assert watched.returncode == 0, watched.stderr
    page = project.output("08_reporting", "monitoring/monitoring.html")
    assert page.exists()

    # The served version gives each row the score of the batch.
    mlflow.set_tracking_uri(f"sqlite:///{project.path}/mlflow.db")
    mlflow.set_registry_uri(f"sqlite:///{project.path}/mlflow.db")
    served = mlflow.pyfunc.load_model("models:/finance@champion")
    scores = pd.read_parquet(project.output("07_model_output", "batch_scores.parquet"))
    of_clients = served.predict(new.drop(columns=TARGET).iloc[scores["input_row"]])
    assert of_clients["probability"].tolist() == scores["probability"].tolist()

    assert MISSED not in trained.said + scored.said + watched.said
    assert leaks(project, pd.concat([rows, new])) == set()
