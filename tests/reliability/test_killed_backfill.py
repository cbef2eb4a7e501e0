"""`kedro backfill`, killed and whole, on a shop whose customers change their minds at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
from time import sleep

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from conftest import Project, copy_face

from lepton_pipeline.cli.backfill import backfill
from lepton_pipeline.system.locks import JobLock

pytestmark = pytest.mark.exhaustive

COMMAND = ["backfill", "shop", "--from", "2025-03-01", "--every", "1mo"]
TURN = "2025-04-01"
DECLARED = {
    "dataset": {"target": "y", "positive": "yes", "time": "day"},
    "ingestion": {"dates": {"day": "%Y-%m-%d %H:%M:%S"}},
    "split": {"strategy": "time", "test": 0.2, "validation": 0.2},
    "training": {"model": "linear", "epochs": 12, "device": "cpu", "learning_rate": 0.01},
    "evaluation": {"resamples": 100},
    "gate": {"margin": 0.05, "baseline_margin": 0.5},
    "monitoring": {"window": "15d", "sample": 400},
    "retraining": {"on_decay": {"at_least": 0.7, "windows": 1, "of": 3}, "window": "60d"},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory, store):
    """A column that speaks for buying until April speaks against it from then on."""
    path = tmp_path_factory.mktemp("backfill") / "project"
    copy_face(path, [])
    rng = np.random.default_rng(7)
    day = pd.date_range("2025-01-01", "2025-06-30 20:00", freq="4h")
    sign = np.where(day < TURN, 1, -1)
    liking, other = rng.normal(size=(2, len(day)))
    bought = 2 * sign * liking + other + 0.5 * rng.normal(size=len(day)) > 0
    table = pd.DataFrame({"day": day, "liking": liking, "other": other, "y": np.where(bought, "yes", "no")})
    (path / "data/01_raw/shop").mkdir(parents=True)
    table.to_csv(path / "data/01_raw/shop/table.csv", index=False)
    (path / "conf/base/shop").mkdir()
    (path / "conf/base/shop/parameters.yml").write_text(yaml.safe_dump({"shop": DECLARED}))
    shutil.copy(store, path / "mlflow.db")
    return Project(path)


@pytest.fixture(scope="module")
def resumed(shop, warm):
    """A backfill that was killed after its first date, and then went on; with what it printed."""
    warm.start(shop.path, *COMMAND, "--to", "2025-06-01")
    first = shop.output("06_models", "backfill/dates/2025-03-01", "shop")
    for _ in range(2000):
        if first.is_dir():
            break
        sleep(0.1)
    holder = json.loads((shop.path / "data/.locks/shop_backfill.json").read_text())
    os.kill(holder["pid"], signal.SIGKILL)
    (killed,) = warm.wait()
    assert killed.returncode == -signal.SIGKILL, killed.said
    done = warm.run(shop.path, *COMMAND, "--to", "2025-06-01")
    assert done.returncode == 0, done.said
    return shop, done.stdout


def result(project):
    return json.loads(project.output("08_reporting", "backfill/backfill.json", "shop").read_text())


def weights(project, date):
    folder = project.output("06_models", f"backfill/models/{date}/artefact", "shop")
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_killed_backfill_goes_on_and_shows_what_the_policy_was_worth(resumed):
    project, printed = resumed
    assert "2025-03-01  due (champion): version 1 promoted (finished before)" in printed
    # In May most rows are still of before; the gate refuses what was learnt from them.
    assert "2025-05-01  due (on_decay): version 2 refused; alarms: refused, decay\n" in printed
    assert "2025-06-01  due (on_decay): version 3 promoted; alarms: decay\n" in printed
    found = result(project)
    realised = {
        name: [each["realised"][name]["value"] for each in found["dates"]]
        for name in ("policy", "never", "always")
    }
    # After the turn the first model is worse than guessing; models of later rows are good again.
    assert realised["never"][0] > 0.9
    assert max(realised["never"][1:]) < 0.4
    assert min(realised["always"][3:]) > 0.9
    assert min(realised["policy"][3:]) > 0.9
    assert found["summary"]["difference"]["never"]["low"] > 0.1
    assert project.output("08_reporting", "backfill/backfill.svg", "shop").read_bytes().startswith(b"<svg")


def test_nothing_of_the_project_but_an_experiment_of_its_own_is_touched(resumed):
    project, _ = resumed
    client = project.client()
    assert client.search_registered_models() == []
    assert {each.name for each in client.search_experiments()} == {"Default", "shop_backfill"}
    assert [run.info.status for run in project.runs("shop_backfill")] == ["FINISHED", "KILLED"]
    run = project.runs("shop_backfill")[0]
    assert run.data.metrics["mean.always"] == pytest.approx(
        result(project)["summary"]["mean"]["always"]["value"]
    )
    steps = client.get_metric_history(run.info.run_id, "realised.auc.never")
    assert [each.step for each in steps] == [0, 1, 2, 3]
    written = {
        path.relative_to(project.path / "data")
        for path in (project.path / "data").rglob("*")
        if path.is_file()
    }
    own = ("06_models/shop/backfill", "08_reporting/shop/backfill", "01_raw", ".locks")
    assert [path for path in written if not str(path).startswith(own)] == []


def test_rows_after_a_date_change_neither_its_model_nor_what_was_decided_until_then(resumed, warm, tmp_path):
    done, _ = resumed
    project = done.copy(tmp_path / "project", "backfill")
    raw = project.path / "data/01_raw/shop/table.csv"
    table = pd.read_csv(raw)
    later = table["day"] > f"{TURN} 00:00:00"
    columns = ["liking", "other", "y"]
    table.loc[later, columns] = table.loc[later, columns].sample(frac=1, random_state=7).to_numpy()
    table[~later].to_csv(raw, index=False)
    table[later].sample(frac=1, random_state=7).to_csv(raw, index=False, header=False, mode="a")
    again = warm.run(project.path, *COMMAND, "--to", TURN)
    assert again.returncode == 0, again.said
    decided = (
        "date",
        "due",
        "triggers",
        "why",
        "version",
        "promoted",
        "gate",
        "alarms",
        "drifted",
        "champion",
    )
    one, other = (
        [{key: each[key] for key in decided} for each in result(each)["dates"]] for each in (done, project)
    )
    assert other == one[:2]
    for date in ("2025-03-01", TURN):
        assert weights(project, date) == weights(done, date)
    # What came afterwards was shuffled, and only that.
    assert result(project)["dates"][1]["realised"] != result(done)["dates"][1]["realised"]
    assert result(project)["dates"][0]["realised"] == result(done)["dates"][0]["realised"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["shopp", "--from", "2025-01-01", "--to", "2025-02-01"],
            "no vertical 'shopp'; did you mean 'shop'?",
        ),
        (["shop", "--from", "2025-03-01", "--to", "2025-02-01"], "--from: 2025-03-01 is later than --to"),
        (
            ["shop", "--from", "2025-03-01", "--to", "2025-04-01", "--every", "moon"],
            "--every: 'moon' is no distance",
        ),
        (
            ["shop", "--from", "2025-03-01", "--to", "2025-04-01", "--params", "shop"],
            "must contain a key and a value",
        ),
    ],
)
def test_wrong_usage_is_said_before_anything_is_locked(shop, monkeypatch, arguments, message):
    monkeypatch.chdir(shop.path)
    done = CliRunner().invoke(backfill, arguments)
    assert done.exit_code == 2
    assert message in done.output


def test_a_second_backfill_says_who_is_at_work(shop, warm):
    with JobLock(shop.path / "data/.locks", "shop_backfill", "kedro backfill"):
        done = warm.run(shop.path, *COMMAND, "--to", "2025-04-01")
    assert done.returncode == 0, done.said
    assert f"shop: another backfill is at work (kedro backfill, process {os.getpid()} " in done.stdout


def test_without_a_column_of_time_there_is_nothing_to_walk_along(trained, warm):
    project, _ = trained
    done = warm.run(project.path, "backfill", "finance", "--from", "2025-03-01", "--to", "2025-04-01")
    assert done.returncode == 2
    assert "finance.dataset.time: a backfill needs it" in done.stderr
    assert project.runs("finance_backfill") == []
