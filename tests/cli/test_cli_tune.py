"""`kedro tune` as a user gives it."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner
from conftest import REPOSITORY

from lepton_pipeline.cli.tune import tune
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.tuning import study
from lepton_pipeline.operations.tuning.inputs import refuse_untunable
from lepton_pipeline.project.declaration import read_parameters

COMMAND = ["tune", "finance", "--keys", "learning_rate,batch_size", "--seeds", "2"]


@pytest.fixture(scope="module")
def tuned(trained, tmp_path_factory):
    """A search of three trials that was made by two commands, with what they printed."""
    project = trained[0].copy(tmp_path_factory.mktemp("tuned") / "project")
    # A rate that is far too low, so that there is something to gain.
    low = {"model": "linear", "epochs": 6, "learning_rate": 1e-5, "device": "cpu"}
    project.declare("finance", lambda declared: declared.update(training=low))
    file = project.path / "conf/base/finance/parameters.yml"
    file.write_text(f"# Kept.\n{file.read_text()}")
    printed = []
    for trials in (2, 6):
        done = project.run(*COMMAND, "--trials", str(trials), "--apply")
        assert done.returncode == 0, done.said
        printed.append(done.stdout)
    return project, printed


def result(project):
    return json.loads(project.output("08_reporting", "tuning/tuning.json").read_text())


def test_a_search_is_resumed_and_what_is_gained_is_applied_with_the_comments_kept(tuned):
    project, (first, second) = tuned
    assert "2 trials, kept in" in first
    assert "as declared" in first
    found = result(project)
    assert found["changes"]
    assert (
        found["rows"] == {"learnt_from": 960, "chosen_by": 240, "judged_by": 0}
        or sum(found["rows"].values()) < 1500
    )
    text = (project.path / "conf/base/finance/parameters.yml").read_text()
    assert text.startswith("# Kept.\n")
    assert "learning_rate" in yaml.safe_load(text)["finance"]["training"]
    # Either the first or the second one found a better rate for certain.
    assert "written into conf/base/finance/parameters.yml" in first + second
    assert "advice  take the patch: the gain is above 0 for certain" in first + second


def test_trials_are_nested_runs_of_an_experiment_that_no_list_of_trainings_reads(tuned):
    project, _ = tuned
    runs = project.runs("finance_tuning")
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    nested = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(parents) == 2
    assert {run.data.tags["mlflow.parentRunId"] for run in nested} <= {run.info.run_id for run in parents}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert {run.data.tags["kind"] for run in runs} == {"tuning"}
    declared = next(run for run in nested if run.data.tags["trial"] == "0")
    assert declared.data.params["training.learning_rate"] == "1e-05"
    history = project.client().get_metric_history(declared.info.run_id, "validation.log_loss")
    assert [each.step for each in history] == [1, 2, 3, 4, 5, 6]
    assert len(project.runs("finance")) == 1
    assert len(project.client().search_model_versions("name = 'finance'")) == 1
    compared = project.run("compare", "finance")
    assert compared.returncode == 0, compared.said
    assert "trial" not in compared.stdout


def test_what_was_measured_is_not_measured_again(tuned, tmp_path):
    project = tuned[0].copy(tmp_path / "project")
    first = project.run(*COMMAND, "--trials", "3")
    assert first.returncode == 0, first.said
    again = project.run(*COMMAND, "--trials", "3")
    assert again.returncode == 0, again.said
    assert "3 of 3 trials are made" in again.stdout
    assert "comparing" not in again.stdout
    assert "advice" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["finence"], "no vertical 'finence'; did you mean 'finance'?"),
        (["finance", "--keys", "epochs"], "--keys: 'epochs' cannot be tuned for training.model 'default'"),
        (["finance", "--storage", "nonsense"], "--storage: nonsense is no address of a database"),
        (["finance", "--trials", "1"], "1 is not in the range x>=2"),
        (
            ["finance", "--apply", "--params", "finance.training.epochs=9"],
            "--apply: finance.training is overridden by --params or --env",
        ),
    ],
)
def test_wrong_usage_is_one_message_before_the_data_are_read(trained, arguments, message):
    done = trained[0].run("tune", *arguments)
    assert done.returncode == 2, done.said
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert trained[0].runs("finance_tuning") == []


def test_without_the_extra_there_is_one_message(trained, monkeypatch):
    monkeypatch.chdir(trained[0].path)
    monkeypatch.setattr(study, "find_spec", lambda name: None)
    done = CliRunner().invoke(tune, ["finance"])
    assert done.exit_code == 2
    assert "kedro tune needs optuna, not installed here: pip install -e '.[tune]'" in done.output


def test_a_recommendation_is_refused_with_the_reason():
    declared = read_parameters(REPOSITORY / "conf/base", "retail_discovery")
    with pytest.raises(ConfigurationError, match=r"recommends items: .*tune it by hand"):
        refuse_untunable("retail_discovery", declared)
