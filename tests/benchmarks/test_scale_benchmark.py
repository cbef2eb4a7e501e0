"""The made table, the record and the report of the benchmark of scale; no vertical is run."""

import json
from argparse import ArgumentTypeError
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.statistics.intervals import auc_interval

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ID, OUTCOME = "row", "outcome"


@pytest.fixture
def made(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("scale_table")


@pytest.fixture
def scale(made):
    return import_module("scale")


def measured(scale, rows, seconds, **changes):
    stages = [
        scale.Stage(scale.JOBS[0], "train_model", seconds, seconds, 800.0),
        scale.Stage(scale.JOBS[1], "score_input", 2.0, 1.0, 500.0),
    ]
    return replace(scale.Measured(rows, 50, "parquet", "", 0.75, 0.76, stages, "a day; a machine"), **changes)


def test_a_table_is_the_same_each_time_and_its_truth_is_the_best_score(made, monkeypatch):
    monkeypatch.setattr(made, "CHUNK", 3000)
    (first, truth), (second, _) = made.chunks(4000, 20, 0)
    again = next(made.chunks(4000, 20, 0))[0]
    pd.testing.assert_frame_equal(first, again)
    assert (len(first), len(second)) == (3000, 1000)
    assert first.shape[1] == 22
    assert first[ID].is_unique
    assert second[ID].iloc[0] == 3001
    assert first["number_1"].isna().mean() == pytest.approx(0.08, abs=0.02)
    assert first[f"level_{made.LEVELS[-1]}"].nunique() > 1000
    assert first[OUTCOME].mean() == pytest.approx(truth.mean(), abs=0.03)
    assert auc_interval(first[OUTCOME].to_numpy(), truth, 1.96).low > 0.7
    assert not first[ID].isin(next(made.chunks(3000, 20, 1))[0][ID]).any()


def test_too_few_columns_are_refused(made):
    with pytest.raises(ValueError, match="take 20 or more"):
        next(made.chunks(10, 19, 0))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_holds_what_is_known_of_its_rows(made, tmp_path, suffix):
    path = tmp_path / f"rows.{suffix}"
    known = made.write(path, 50, 20, 0)
    rows = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    assert rows[ID].tolist() == known[ID].tolist()
    assert rows[OUTCOME].tolist() == known[OUTCOME].tolist()
    made.write(path, 50, 20, 0, labelled=False)
    rows = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    assert OUTCOME not in rows


def test_a_stage_without_inputs_begins_when_it_runs(scale, tmp_path):
    hook = scale.StageHook("made", tmp_path / "stages.jsonl")
    for name in ("made.a.fetch", "made.b.train"):
        node = SimpleNamespace(name=name, outputs=["one", "two"])
        hook.before_node_run(node)
        hook.after_dataset_saved("one", node)
        hook.after_dataset_saved("two", node)
    stages = [json.loads(line) for line in (tmp_path / "stages.jsonl").read_text().splitlines()]
    assert [stage["name"] for stage in stages] == ["fetch", "train"]
    assert all(0 <= stage["seconds"] < 60 and stage["peak"] > 0 for stage in stages)


def test_the_record_grows_and_the_report_has_exponents_of_growth(scale, tmp_path):
    record = tmp_path / "scale.jsonl"
    scale.remember(record, measured(scale, 1_000_000, 40.0))
    scale.remember(record, measured(scale, 200_000, 99.0))
    scale.remember(record, measured(scale, 600, 5.0, columns=2000, format="csv"))
    found = scale.remember(record, measured(scale, 200_000, 8.0))
    assert [(each.rows, each.columns) for each in found] == [(600, 2000), (200_000, 50), (1_000_000, 50)]
    text = scale.report(found)
    (line,) = [line for line in text.splitlines() if "train_model" in line and line.count("|") == 7]
    assert [cell.strip() for cell in line.split("|")[2:-1]] == ["8.0", "40.0", "800", "800", "1.00"]
    assert "## 2000 columns, csv" in text
    assert "| 1,000,000 x 50 |" in text


def test_a_job_that_was_ended_goes_on_and_one_that_is_done_does_not_run_again(scale, tmp_path, monkeypatch):
    ran = []

    def run(command, **options):
        ran.append(command[command.index("--") + 1 :])
        return SimpleNamespace(returncode=1 if len(ran) == 1 else 0)

    monkeypatch.setattr(scale.subprocess, "run", run)
    with pytest.raises(SystemExit, match="made ended with exit code 1; call again to go on"):
        scale.run_job(tmp_path, "made", ["--x"])
    scale.run_job(tmp_path, "made", ["--x"])
    scale.run_job(tmp_path, "made", ["--x"])
    assert ran == [["--x"], ["--only-missing-outputs", "--x"]]


def test_numbers_of_rows_are_read_with_their_scale(scale):
    assert [scale.count(text) for text in ("600", "200K", "1.5m")] == [600, 200_000, 1_500_000]
    for text in ("0", "many", ""):
        with pytest.raises(ArgumentTypeError, match="is no number of rows; write 600"):
            scale.count(text)


def test_the_best_auc_is_that_of_the_test_rows(scale, tmp_path):
    for folder in ("data/07_model_output/made", "data/04_feature/made"):
        (tmp_path / folder).mkdir(parents=True)
    labels = np.array([0, 1, 0, 1])
    pd.DataFrame(
        {"part": ["train", *["test"] * 4], "label": [1, *labels], "model": [0, 0.1, 0.2, 0.3, 0.4]}
    ).to_parquet(tmp_path / "data/07_model_output/made/scores.parquet")
    pd.DataFrame({ID: [9, 8, 7, 6, 5]}).to_parquet(tmp_path / "data/04_feature/made/feature_table.parquet")
    known = pd.DataFrame({ID: [5, 6, 7, 8, 9], OUTCOME: [1, 0, 1, 0, 1], "truth": [0.9, 0.1, 0.8, 0.2, 0.5]})
    known.to_parquet(tmp_path / "truth.parquet")
    assert scale.reached(tmp_path) == (0.75, 1.0)
    known.assign(outcome=0).to_parquet(tmp_path / "truth.parquet")
    with pytest.raises(SystemExit, match="not those that were made"):
        scale.reached(tmp_path)
