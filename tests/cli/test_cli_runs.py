"""`kedro compare` and `kedro reproduce` as a user runs them, and what a run leaves in MLflow for them."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from lepton_pipeline.reporting.report.formats import interval
from lepton_pipeline.tracking.artefacts import read_facts, read_metrics


def contents(folder):
    """Every file below a folder with its bytes, but for the lock that a reader takes."""
    return {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"
    }


def test_a_run_says_what_it_is_and_its_experiment_how_to_read_it(trained):
    project, _ = trained
    (run,) = project.runs()
    assert run.info.run_name == "v1 as declared"
    assert "resumed" not in run.data.tags
    assert not any(name.startswith("about.") for name in run.data.params)
    assert max(map(len, run.data.params.values())) <= 100
    tags = project.client().get_experiment_by_name("finance").tags
    assert tags["mlflow.experiment.primaryMetric.name"] == "test.auc"
    assert json.loads(tags["mlflow.sharedViewState.overview"])["name"] == "Overview"


def test_runs_are_compared_on_the_terminal_and_as_a_page(trained, tmp_path):
    project, _ = trained
    page = tmp_path / "pages" / "compare.html"
    done = project.run("compare", "finance", "--html", str(page))
    assert done.returncode == 0, done.stderr
    (run,) = project.runs()
    assert "v1 champion" in done.stdout
    assert f"{run.data.metrics['test.auc']:.4f}" in done.stdout
    assert "finance: runs compared" in page.read_text()
    assert f"{run.data.metrics['test.ece']:.4f}" in page.read_text()
    # Not logged, but recorded.
    measured = read_metrics(project.client(), run).model["f1"]
    assert interval("f1", measured).replace(" to ", "–") in done.stdout
    assert "1,500 rows" in done.stdout


@pytest.mark.exhaustive
def test_a_run_is_made_again_to_the_last_bit_and_leaves_the_project_as_it_was(trained, tmp_path):
    project, _ = trained
    (run,) = project.runs()
    before = contents(project.path)
    # A warm process knows its folder for temporary files already.
    done = project.run_cold("reproduce", run.info.run_id[:12], environment={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "differs" not in done.stdout
    assert read_facts(project.client(), run)["weights.sha256"][:16] in done.stdout
    assert "is reproduced" in done.stdout
    assert "train_model" in done.stderr
    assert not list(tmp_path.glob("kedro-reproduce-*"))
    assert contents(project.path) == before
    assert len(project.runs()) == 1


@pytest.fixture
def altered(trained, tmp_path):
    """A copy of the trained project whose raw data lacks a row."""
    project = trained[0].copy(tmp_path / "project")
    raw = project.path / "data/01_raw/finance/sample.csv.gz"
    pd.read_csv(raw).iloc[:-1].to_csv(raw, index=False)
    return project


@pytest.mark.exhaustive
def test_other_data_stop_before_training_with_both_fingerprints(altered, tmp_path):
    (run,) = altered.runs()
    done = altered.run_cold("reproduce", run.info.run_id, environment={"TMPDIR": str(tmp_path)})
    assert done.returncode == 5, done.stdout + done.stderr
    assert f"1,500 rows, sha256 {run.data.tags['data.sha256'][:12]} then; 1,499 rows" in " ".join(
        done.stdout.split()
    )
    assert "data changed" in done.stderr
    assert "train_model" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("kedro-reproduce-*"))
