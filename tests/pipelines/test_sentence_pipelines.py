"""A vertical whose texts are encoded as sentences, from its declaration to the scores of a version."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import Project, copy_face
from tiny_encoder import BAD, GOOD, save_encoder

DECLARED = {
    "dataset": {"target": "kind", "positive": "good", "id": "number", "text": ["review"]},
    "training": {"model": "linear", "epochs": 5, "learning_rate": 0.05, "device": "cpu"},
    "evaluation": {"resamples": 100, "explained_rows": 50},
    # Sentences settle all that words leave open.
    "leaks": {"on_leak": "warn"},
    "gate": {"at_least": 0.0, "margin": 0.9, "baseline_margin": 0.9},
}


def reviews(rows: int, first: int) -> pd.DataFrame:
    random = np.random.default_rng(first)
    kind = random.choice(["good", "bad"], rows)
    told = [random.choice(GOOD if each == "good" else BAD) for each in kind]
    texts = [f"the room {random.integers(10)} was {word} on day {random.integers(10)}" for word in told]
    return pd.DataFrame({"number": range(first, first + rows), "review": texts, "kind": kind})


@pytest.fixture
def project(tmp_path, store) -> Project:
    made = Project(tmp_path / "project")
    copy_face(made.path, [])
    shutil.copy(store, made.path / "mlflow.db")
    (made.path / "data/01_raw/reviews").mkdir(parents=True)
    reviews(400, 0).to_csv(made.path / "data/01_raw/reviews/first.csv", index=False)
    return made


def declare(project: Project, encoder: dict[str, object]) -> None:
    folder = project.path / "conf/base/reviews"
    folder.mkdir(exist_ok=True)
    declared = {"reviews": {**DECLARED, "features": {"text": encoder}}}
    (folder / "parameters.yml").write_text(yaml.safe_dump(declared))


def test_an_absent_encoder_ends_the_run_before_any_row_is_read(project):
    declare(project, {"encoder": "models/absent"})
    done = project.run("run", "--pipelines", "reviews")
    assert done.returncode == 2, done.stderr
    assert "reviews.features.text.encoder: 'models/absent' " in " ".join(done.stderr.split())
    assert not (project.path / "data/02_intermediate").exists()


def test_a_version_names_its_encoder_and_scores_with_these_files_only(project):
    encoder = save_encoder(project.path / "models" / "tiny")
    declare(project, {"encoder": "models/tiny"})
    done = project.run("run", "--pipelines", "reviews")
    assert done.returncode == 0, done.stderr
    assert "review: the sentence has the weight" in done.stderr + done.stdout
    output = project.path / "data/08_reporting/reviews"
    accuracy = json.loads((output / "metrics.json").read_text())["test"]["model"]["auc"]["value"]
    assert accuracy > 0.95
    assert "encoded by models/tiny" in " ".join((output / "report/report.html").read_text().split())
    kept = list((project.path / "data/04_feature/.embeddings").iterdir())
    assert len(kept) == 1
    (run,) = project.runs("reviews")
    assert run.data.params["features.text.encoder"] == "models/tiny"
    sha256 = run.data.params["features.text.sha256"]
    assert len(sha256) == 64
    assert "features.text.cache" not in run.data.params

    rows = reviews(60, 5000).drop(columns="kind")
    (project.path / "data/01_raw/reviews_scoring").mkdir()
    rows.to_csv(project.path / "data/01_raw/reviews_scoring/new.csv", index=False)
    score = ("run", "--pipelines", "reviews_scoring", "--params", "reviews.scoring.version=1")
    done = project.run(*score)
    assert done.returncode == 0, done.stderr
    scores = pd.read_parquet(project.path / "data/07_model_output/reviews/batch_scores.parquet")
    assert scores["reasons"].str.contains("the sentence as a whole").any()

    (encoder / "config_sentence_transformers.json").unlink()
    done = project.run(*score)
    assert done.returncode == 2, done.stderr
    assert f"not {sha256} as declared or trained with" in " ".join(done.stderr.split())
    shutil.rmtree(encoder)
    done = project.run(*score)
    assert done.returncode == 2, done.stderr
    said = " ".join(done.stderr.split())
    assert (
        "version 1 of reviews cannot score: features.text.encoder: 'models/tiny' is neither a folder" in said
    )


def test_a_version_that_carries_its_encoder_needs_no_other_files(project):
    encoder = save_encoder(project.path / "models" / "tiny")
    declare(project, {"encoder": "models/tiny", "carry": True})
    done = project.run("run", "--pipelines", "reviews")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(encoder)
    (project.path / "data/01_raw/reviews_scoring").mkdir()
    rows = reviews(60, 5000).drop(columns="kind")
    rows.to_csv(project.path / "data/01_raw/reviews_scoring/new.csv", index=False)
    done = project.run("run", "--pipelines", "reviews_scoring", "--params", "reviews.scoring.version=1")
    assert done.returncode == 0, done.stderr
    carried = list(Path(project.path / "mlruns").rglob("sentence_encoder/model.safetensors"))
    assert carried
