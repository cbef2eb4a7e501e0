"""The made-up fraud of docs/rare_positives.md, from its raw file to the gate, and what too few frauds do."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY, Project, copy_face

PAGE = REPOSITORY / "docs/rare_positives.md"
DAYS, A_DAY = 140, 300
QUICK = {
    "training": {"model": "linear", "epochs": 10, "learning_rate": 0.05},
    "evaluation": {"resamples": 100, "explained_rows": 100, "robustness": {"rows": 300, "columns": 1}},
}


def payments() -> pd.DataFrame:
    """42,000 payments of 140 days, some 0.2 % of them frauds, and twice as many in the last 42 days."""
    random = np.random.default_rng(13)
    rows = DAYS * A_DAY
    day = np.arange(rows) // A_DAY
    foreign, night = random.random(rows) < 0.1, random.random(rows) < 0.15
    amount = np.round(random.lognormal(3.5, 1.1, rows), 2)
    odds = 3.2 * foreign + 2 * night + 1.4 * (np.log(amount) - 3.5) - 9.4 + (day >= 0.7 * DAYS)
    return pd.DataFrame(
        {
            "payment": range(rows),
            "paid_at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows) * 86400 // A_DAY, "s"),
            "card": random.integers(0, 3000, rows),
            "amount": amount,
            "foreign": foreign.astype(int),
            "night": night.astype(int),
            "shop": random.choice(["food", "fuel", "travel", "games"], rows),
            "rule": (foreign & (amount > 100)).astype(int),
            "fraud": (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(int),
        }
    )


def declared(gate: dict[str, Any]) -> dict[str, Any]:
    """The declaration of the page, but for a quick training, with changes of its gate."""
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    own = dict(yaml.safe_load(block)["fraud"])
    own["evaluation"] |= QUICK["evaluation"]
    own["gate"] |= gate
    return own | {"training": QUICK["training"]}


def train(project: Project, rows: pd.DataFrame, gate: dict[str, Any] | None = None) -> str:
    """Run the vertical on these rows; returns what it printed, without line breaks."""
    raw, conf = project.path / "data/01_raw/fraud", project.path / "conf/base/fraud"
    for folder in (raw, conf):
        folder.mkdir(parents=True, exist_ok=True)
    rows.to_csv(raw / "payments.csv", index=False)
    (conf / "parameters.yml").write_text(yaml.safe_dump({"fraud": declared(gate or {})}))
    done = project.run("run", "--pipelines", "fraud")
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def result(project: Project, name: str) -> Any:
    return json.loads(project.output("08_reporting", f"{name}.json", "fraud").read_text())


def aliases(project: Project) -> dict[str, str]:
    return dict(project.client().get_registered_model("fraud").aliases)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, store: Path) -> tuple[Project, str]:
    project = Project(tmp_path_factory.mktemp("fraud") / "project")
    copy_face(project.path, [])
    shutil.copy(store, project.path / "mlflow.db")
    return project, train(project, payments())


def test_alerts_of_a_day_are_counted_on_the_test_days(run):
    project, printed = run
    found, table = result(project, "alerts"), payments()
    scores = pd.read_parquet(project.output("07_model_output", "scores.parquet", "fraud"))
    test = scores[scores["part"] == "test"]
    days = table.loc[test.index, "paid_at"].dt.date
    best = test["model"].groupby(days.to_numpy()).rank(method="first", ascending=False) <= 5
    # The first day of the test is cut by the split or by the delay of labels.
    whole = (
        (days != days.iloc[0]).to_numpy()
        if found["spans"] < days.nunique()
        else np.ones(len(test), dtype=bool)
    )
    assert found["spans"] == days[whole].nunique() > 20
    assert found["acted"] == 5 * found["spans"]
    assert found["found"] == int(test["label"][best & whole].sum())
    assert found["recall"]["value"] == found["found"] / found["positives"]
    # Five of 300 payments would find one in sixty frauds by chance.
    assert found["recall"]["low"] > 0.1
    assert found["precision"]["low"] > 3 * found["rate"]["value"]
    assert f"5 every day find {found['recall']['value']:.1%}" in printed
    metrics = project.runs("fraud")[0].data.metrics
    assert metrics["alerts.recall"] == found["recall"]["value"]


def test_the_rate_that_doubled_and_the_few_frauds_in_validation_are_told(run):
    project, printed = run
    found = result(project, "alerts")
    labels = pd.read_parquet(project.output("03_primary", "split.parquet", "fraud"))
    rates = labels["label"].groupby(labels["part"]).mean()
    assert rates["train"] < 0.003
    assert found["drift"]["low"] > 0
    assert "the rate of positive cases moved by +0." in printed
    assert re.search(r"the threshold was chosen on \d+ held-out positive rows, below 100", printed)
    page = project.output("08_reporting", "report/report.html", "fraud").read_text()
    assert "With a budget of alerts" in page
    assert "The rate of positive cases moved" in page


def test_a_day_of_alerts_costs_what_the_amounts_say(run):
    project, _ = run
    found, table = result(project, "alerts"), payments()
    scores = pd.read_parquet(project.output("07_model_output", "scores.parquet", "fraud"))
    test = scores[scores["part"] == "test"]
    days = table.loc[test.index, "paid_at"].dt.date.to_numpy()
    best = (test["model"].groupby(days).rank(method="first", ascending=False) <= 5).to_numpy()
    spans = found["spans"]
    kept = days != days[0] if spans < len(set(days)) else np.ones(len(test), dtype=bool)
    stopped = kept & best & (test["label"] == 1).to_numpy()
    saved = table.loc[test.index, "amount"].to_numpy()[stopped].sum() - 5 * (kept & best).sum()
    assert found["saving"]["value"] == pytest.approx(saved / spans)


def test_the_gate_judges_by_average_precision_and_alerts_and_columns(run):
    project, _ = run
    checks = {check["name"]: check for check in result(project, "decision")["checks"]}
    assert checks["bound average_precision"]["passed"]
    assert checks["alerts"]["passed"]
    assert checks["alerts"]["limit"] == 0.03
    robustness = result(project, "robustness")
    assert robustness["metric"] == "average_precision"
    # Rows are added until there are ten frauds.
    assert robustness["rows"] > 300


def test_too_few_frauds_promote_nothing(run, tmp_path):
    project = run[0].copy(tmp_path / "project")
    # A part of the first day is gone, or it would be the same model again.
    before, rows = aliases(project), payments().iloc[100:]
    late = rows["paid_at"] >= pd.Timestamp("2026-04-09")
    frauds = rows.index[late & (rows["fraud"] == 1)]
    rows.loc[frauds[6:], "fraud"] = 0
    # Bounds that any model passes.
    printed = train(
        project, rows, {"at_least": 0.0, "alerts_at_least": 0.0, "beat": [], "baseline_margin": 0.9}
    )
    decision = result(project, "decision")
    assert decision["promoted"] is False
    assert [check["name"] for check in decision["checks"]] == ["cases"]
    assert re.search(r"the model cannot be judged: only \d of [\d,]+ test rows are positive", printed)
    assert result(project, "alerts")["precision"].keys() == {"value"}
    assert aliases(project) == {"champion": before["champion"], "challenger": ANY}
    assert aliases(project)["challenger"] != before["champion"]
