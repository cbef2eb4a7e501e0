"""A vertical of texts from its raw file to monitoring, as a user runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import Project, copy_face

WORDS = {"bad": ["awful", "dreadful", "poor"], "fair": ["plain", "usual"], "good": ["splendid", "lovely"]}
DECLARED: dict[str, dict[str, object]] = {
    "dataset": {"target": "opinion", "classes": "all", "id": "number", "text": ["review"]},
    "training": {"model": "linear", "epochs": 20, "learning_rate": 0.05},
    "evaluation": {"resamples": 100, "explained_rows": 100},
    "monitoring": {"index": {"values": {"good": 1, "bad": -1}}},
    "gate": {"metric": "accuracy", "at_least": 0.5, "margin": 0.5, "baseline_margin": 0.99},
}


def reviews(rows: int, first: int, about: list[str]) -> pd.DataFrame:
    random = np.random.default_rng(first)
    said = random.choice(list(WORDS), rows)
    # Some say what they do not mean: texts that settled the target would be a leak.
    opinion = np.where(random.random(rows) < 0.2, random.choice(list(WORDS), rows), said)
    texts = [
        f"{random.choice(about)} {random.choice(about)} secret{first + row}: it was {random.choice(WORDS[of])}"
        for row, of in enumerate(said)
    ]
    return pd.DataFrame(
        {
            "number": range(first, first + rows),
            "review": texts,
            "nights": random.integers(1, 9, rows),
            "opinion": opinion,
        }
    )


ROOMS = ["room", "bed", "breakfast", "view", "staff", "pool"]
CARS = ["engine", "clutch", "wheel", "brake", "mirror", "seat"]


@pytest.fixture(scope="module")
def trained_reviews(tmp_path_factory, store) -> Project:
    project = empty(tmp_path_factory.mktemp("reviews"), store)
    declare(project, {})
    put(project, reviews(600, 0, ROOMS), "first.csv")
    done = project.run("run", "--pipelines", "reviews")
    assert done.returncode == 0, done.stderr
    return project


def empty(folder: Path, store: Path) -> Project:
    """A project without verticals."""
    project = Project(folder / "project")
    copy_face(project.path, [])
    shutil.copy(store, project.path / "mlflow.db")
    return project


def declare(project: Project, changes: dict[str, dict[str, object]]) -> None:
    folder = project.path / "conf/base/reviews"
    folder.mkdir(exist_ok=True)
    stages = {stage: {**declared, **changes.get(stage, {})} for stage, declared in DECLARED.items()}
    rest = {stage: changed for stage, changed in changes.items() if stage not in stages}
    (folder / "parameters.yml").write_text(yaml.safe_dump({"reviews": {**stages, **rest}}))


def put(project: Project, rows: pd.DataFrame, name: str, folder: str = "reviews") -> None:
    path = project.path / "data/01_raw" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(path, index=False)


@pytest.fixture
def own(trained_reviews, tmp_path) -> Project:
    """A copy with its models."""
    return trained_reviews.copy(tmp_path / "project")


def test_it_learns_from_the_texts_and_keeps_none(trained_reviews):
    output = trained_reviews.path / "data"
    metrics = json.loads((output / "08_reporting/reviews/metrics.json").read_text())
    assert metrics["test"]["model"]["accuracy"]["value"] > 0.75
    kept = [
        path
        for path in output.rglob("*.json")
        if path.name in ("reference.json", "artefact.json", "features.json", "drift.json", "encoder.json")
    ]
    assert len({path.name for path in kept}) >= 4
    for path in kept:
        assert "secret" not in path.read_text(), path


def test_new_rows_are_scored_with_the_same_bits_twice(own):
    rows = reviews(60, 5000, ROOMS).drop(columns="opinion")
    put(own, rows, "a.csv", "reviews_scoring")
    done = own.run("run", "--pipelines", "reviews_scoring")
    assert done.returncode == 0, done.stderr
    scores = pd.read_parquet(own.path / "data/07_model_output/reviews/batch_scores.parquet")
    assert (scores["decision"] == reviews(60, 5000, ROOMS)["opinion"].to_numpy()).mean() > 0.7
    shutil.rmtree(own.path / "data/01_raw/reviews_scoring")
    put(own, rows.iloc[::-1], "b.csv", "reviews_scoring")
    assert own.run("run", "--pipelines", "reviews_scoring").returncode == 0
    again = pd.read_parquet(own.path / "data/07_model_output/reviews/batch_scores.parquet")
    columns = [name for name in scores if name.startswith(("decision", "probability"))]
    assert again.iloc[::-1][columns].to_numpy().tolist() == scores[columns].to_numpy().tolist()


@pytest.mark.parametrize(("about", "drifted"), [(ROOMS, False), (CARS, True)])
def test_monitoring_tells_another_topic_from_more_of_the_same(own, about, drifted):
    put(own, reviews(200, 7000, about), "later.csv")
    done = own.run("run", "--pipelines", "reviews_monitoring")
    assert done.returncode == 0, done.stderr
    file = own.path / "data/08_reporting/reviews/monitoring/result.json"
    found = json.loads(file.read_text())
    columns = {each["column"]: each for each in found["columns"]}
    (period,) = found["index"]["periods"]
    assert (period["rows"], period["flagged"]) == (200, False)
    assert "no turn: " in done.stdout
    assert columns["review"]["flagged"] is drifted, columns["review"]
    assert not columns["nights"]["flagged"]
    # What the texts say of rows that were learnt from is surer than of any new row.
    assert not found["domain"]["flagged"]
    assert "secret" not in file.read_text()
    assert ("engine" in columns["review"]["new_levels"]) is drifted


def test_a_batch_of_bad_reviews_turns_the_index(own):
    rows = reviews(600, 7000, ROOMS)
    bad = (rows["opinion"] == "bad").to_numpy()
    chosen = pd.concat([rows[bad][:120], rows[~bad][:30]])
    put(own, chosen, "later.csv")
    done = own.run("run", "--pipelines", "reviews_monitoring")
    assert done.returncode == 0, done.stderr
    assert "turned: -" in done.stdout
    page = own.path / "data/08_reporting/reviews/monitoring/monitoring.html"
    assert "The index has turned" in page.read_text()


def test_an_index_of_an_unknown_class_ends_the_training_early(tmp_path, store):
    project = empty(tmp_path, store)
    declare(project, {"monitoring": {"index": {"values": {"goood": 1}}}})
    put(project, reviews(120, 0, ROOMS), "first.csv")
    done = project.run("run", "--pipelines", "reviews", "--to-nodes", "reviews.find_target")
    assert done.returncode == 2, done.stderr
    assert "monitoring.index.values: 'goood' is no class; did you mean 'good'?" in done.stderr


@pytest.mark.exhaustive
def test_versions_are_compared(own):
    assert own.run("run", "--pipelines", "reviews", "--params", "reviews.training.seed=1").returncode == 0
    done = own.run("champion", "diff", "reviews", "1", "2")
    assert done.returncode == 0, done.stderr


@pytest.mark.exhaustive
def test_a_retraining_goes_on(own):
    put(own, reviews(200, 7000, CARS), "later.csv")
    done = own.run("retrain", "reviews", "--force")
    assert done.returncode == 0, done.stderr
    assert own.client().get_model_version("reviews", "2")


@pytest.mark.exhaustive
def test_a_backfill_trains_and_judges(tmp_path, store):
    project = empty(tmp_path, store)
    own = DECLARED["dataset"]
    declare(project, {"dataset": {**own, "time": "day"}, "split": {"strategy": "time"}, **DATES})
    rows = reviews(900, 0, ROOMS)
    put(project, rows.assign(day=pd.date_range("2025-01-01", periods=900, freq="8h")), "first.csv")
    done = project.run("backfill", "reviews", "--from", "2025-08-01", "--to", "2025-09-01")
    assert done.returncode == 0, done.stderr
    assert Path(project.path / "data/08_reporting/reviews/backfill/backfill.json").exists()


DATES = {"ingestion": {"dates": {"day": "ISO8601"}}}


@pytest.mark.parametrize(
    ("change", "dataset", "code", "said"),
    [
        (
            lambda rows: rows.drop(columns="review"),
            {},
            3,
            "has no column 'review', which dataset.text declares",
        ),
        (
            lambda rows: rows,
            {"text": ["nights"]},
            3,
            "column 'nights' is declared in dataset.text, but holds int64",
        ),
        (
            lambda rows: rows.assign(review=[f"2024-01-{1 + row % 28:02}" for row in range(len(rows))]),
            {},
            3,
            "column 'review' is declared in dataset.text, but holds no letter, first '2024-01-",
        ),
        (
            lambda rows: rows,
            {"text": ["review"], "categorical": ["review"]},
            2,
            "column 'review' is declared as categorical and text; keep one",
        ),
        (
            lambda rows: rows,
            {"text": ["opinion"]},
            2,
            "column 'opinion' is declared as target and text; keep one",
        ),
        (lambda rows: rows, {"text": "review"}, 2, "text"),
    ],
)
def test_a_column_that_is_no_text_ends_the_command_with_the_reason(
    tmp_path, store, change, dataset, code, said
):
    project = empty(tmp_path, store)
    declare(project, {"dataset": dataset})
    put(project, change(reviews(120, 0, ROOMS)), "first.csv")
    done = project.run("run", "--pipelines", "reviews", "--to-nodes", "reviews.encode_rows")
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("texts", [["same"] * 120, [None] * 120])
def test_texts_of_no_use_are_left_out(tmp_path, store, texts):
    project = empty(tmp_path, store)
    declare(project, {})
    put(project, reviews(120, 0, ROOMS).assign(review=texts), "first.csv")
    done = project.run("run", "--pipelines", "reviews", "--to-nodes", "reviews.encode_rows")
    assert done.returncode == 0, done.stderr
    (described,) = Path(project.path / "data").rglob("encoder.json")
    dropped = {each["name"]: each["reason"] for each in json.loads(described.read_text())["dropped"]}
    assert dropped["review"] == f"every text is {'the same' if texts[0] else 'empty'}"


def test_a_derived_column_may_be_a_text(tmp_path, store):
    project = empty(tmp_path, store)
    dataset = {**DECLARED["dataset"], "text": ["told"], "exclude": ["review"]}
    declare(project, {"dataset": dataset, "features": {"derive": {"told": "slice(review, 0, 200)"}}})
    put(project, reviews(120, 0, ROOMS), "first.csv")
    done = project.run("run", "--pipelines", "reviews", "--to-nodes", "reviews.encode_rows")
    assert done.returncode == 0, done.stderr
    (described,) = Path(project.path / "data").rglob("encoder.json")
    kinds = {each["name"]: each["kind"] for each in json.loads(described.read_text())["columns"]}
    assert kinds == {"nights": "numeric", "told": "text"}
