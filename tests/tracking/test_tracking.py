import json
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.system.processes import _started
from lepton_pipeline.system.records import to_json
from lepton_pipeline.tracking.artefacts import read_artifact, read_facts, read_metrics
from lepton_pipeline.tracking.flat import (
    flat_intervals,
    flat_metrics,
    flatten,
    interval_tags,
    log_epoch,
    logged_metrics,
)
from lepton_pipeline.tracking.runs import RunLog, read_tracking


def test_parameters_are_flat_and_without_the_vertical():
    assert flatten({"a": {"b": 1, "c": {"d": [1, 2]}}, "e": None}) == {"a.b": 1, "a.c.d": [1, 2], "e": None}


def test_figures_of_model_and_baselines_have_names_of_their_own():
    figure = Estimate(0.8, 0.7, 0.9)
    test = {"model": {"auc": figure}, "network": {"auc": figure}, "logistic_regression": {"auc": figure}}
    flat = flat_metrics(Metrics(0.3, {}, {}, 100, test, uncalibrated={"ece": 0.04}))
    assert flat == {
        "threshold": 0.3,
        "test.auc": 0.8,
        "test.auc.low": 0.7,
        "test.auc.high": 0.9,
        "uncalibrated.ece": 0.04,
        "network.auc": 0.8,
        "network.auc.low": 0.7,
        "network.auc.high": 0.9,
        "baseline.logistic_regression.auc": 0.8,
        "baseline.logistic_regression.auc.low": 0.7,
        "baseline.logistic_regression.auc.high": 0.9,
    }


def test_a_run_logs_each_figure_of_its_model_and_the_headline_of_the_others():
    figures = {"ece": Estimate(0.1, 0.0, 0.2), "auc": Estimate(0.8, 0.7, 0.9), "f1": Estimate(0.5, 0.4, 0.6)}
    metrics = Metrics(0.3, {}, {}, 100, {"model": figures, "network": figures, "today": figures})
    logged = logged_metrics(metrics, "f1")
    assert next(iter(logged)) == "test.f1"
    assert logged == {
        "test.f1": 0.5,
        "test.f1.low": 0.4,
        "test.f1.high": 0.6,
        "test.auc": 0.8,
        "test.ece": 0.1,
        "network.f1": 0.5,
        "baseline.today.f1": 0.5,
    }
    # Of a run that does not say what decides.
    assert logged_metrics(metrics, None).keys() >= {"test.auc.low", "baseline.today.auc"}


def test_figures_of_policies_are_named_by_policy():
    flat = flat_intervals("cost", {"none": Estimate(3, 2, 4)})
    assert flat == {"cost.none": 3, "cost.none.low": 2, "cost.none.high": 4}


def test_what_cannot_be_judged_has_no_ends_and_what_is_approximate_has_a_tag():
    assert flat_intervals("test", {"auc": Estimate(0.8)}) == {"test.auc": 0.8}
    for approximate in (True, False):
        figures = {"auc": Estimate(0.8, 0.7, 0.9, approximate), "f1": Estimate(0.5)}
        tags = interval_tags(Metrics(0.3, {}, {}, 100, {"model": figures}))
        assert tags == ({"intervals": "approximate"} if approximate else {})


@pytest.mark.parametrize(
    "declared", [{}, {"tracking_uri": ""}, {"tracking_uri": "x", "uri": "y"}, {"tracking_uri": 1}]
)
def test_a_wrong_address_file_is_explained(declared):
    with pytest.raises(
        ConfigurationError, match=r"mlflow\.yml: .*valid keys are tracking_uri, artifact_root"
    ):
        read_tracking(declared)


@pytest.fixture
def run_log(store, tmp_path):
    shutil.copy(store, tmp_path / "mlflow.db")
    declared = {"tracking_uri": "sqlite:///mlflow.db", "artifact_root": "mlruns"}
    return RunLog(read_tracking(declared), tmp_path)


def test_a_run_of_a_process_that_had_the_number_of_this_one_is_dead(run_log):
    dead = run_log.open("shop", "first", {})
    elsewhere = run_log.client.create_run(run_log.client.get_run(dead).info.experiment_id).info.run_id
    run_log.tag(elsewhere, {"process.host": "another host' or '1'='1", "process.id": "1"})
    other = run_log.open("shop", "third", {})
    parent = str(os.getppid())
    run_log.tag(other, {"process.id": parent, "process.started": _started(parent)})
    run_log.close_orphans("shop")
    statuses = [run_log.client.get_run(each).info.status for each in (dead, elsewhere, other)]
    assert statuses == ["KILLED", "RUNNING", "RUNNING"]


def test_only_the_first_network_has_curves_and_the_record_has_all(run_log):
    run = run_log.open("shop", "first", {})
    losses = {"train_loss": [0.1 + 0.2, 0.5, 0.6], "validation_log_loss": [0.25, 0.5, np.nan]}
    history = pd.DataFrame({"network": [1, 2, 1], "epoch": [1, 1, 2], **losses})
    history["validation_auc"] = [0.75, 0.5, np.nan]
    marks = SimpleNamespace(metadata={"mlflow": {"epochs": True}})
    run_log.record(run, marks, history, earlier=True)
    assert run_log.client.get_run(run).data.metrics == {
        "train.loss": 0.1 + 0.2,
        "validation.log_loss": 0.25,
        "validation.auc": 0.75,
    }
    log_epoch(run, 2, 1, (0.5, 0.5, 0.5), ("log_loss", "auc"))
    assert len(run_log.client.get_metric_history(run, "train.loss")) == 1
    assert json.loads(
        read_artifact(run_log.client, run_log.client.get_run(run), "training/history.json")
    ) == {
        "network": [1, 2, 1],
        "epoch": [1, 1, 2],
        "train_loss": [0.1 + 0.2, 0.5, 0.6],
        "validation_log_loss": [0.25, 0.5, None],
        "validation_auc": [0.75, 0.5, None],
    }


def test_a_lineage_grows_without_losing_facts_and_holds_no_secret(run_log):
    run = run_log.open("shop", "first", {"seed": "7", "git.dirty": "true"})
    assert read_facts(run_log.client, run_log.client.get_run(run)) == {"seed": "7", "git.dirty": "true"}
    run_log.lineage(run, {"git.dirty": "false", "data.files": "https://me:secret@example.org/x"})
    run_log.lineage(run, {"device": "cpu"})
    assert read_facts(run_log.client, run_log.client.get_run(run)) == {
        "seed": "7",
        "git.dirty": "false",
        "data.files": "https://***@example.org/x",
        "device": "cpu",
    }


def test_a_record_of_another_release_is_none(run_log):
    run = run_log.open("shop", "first", {})
    stored = run_log.client.get_run(run)
    assert read_metrics(run_log.client, stored) is None
    run_log.client.log_text(run, '{"auc": 0.7}', "evaluation/metrics.json")
    assert read_metrics(run_log.client, stored) is None
    measured = Metrics(0.3, {"model": 0.3}, {}, 100, {"model": {"auc": Estimate(0.1 + 0.2, 0.2, 0.4)}})
    run_log.client.log_text(run, to_json(measured), "evaluation/metrics.json")
    assert read_metrics(run_log.client, stored).model["auc"] == Estimate(0.1 + 0.2, 0.2, 0.4)


def test_a_deleted_experiment_is_explained(run_log):
    run = run_log.client.get_run(run_log.open("shop", "first", {}))
    run_log.client.delete_experiment(run.info.experiment_id)
    with pytest.raises(ConfigurationError, match="'shop' was deleted in MLflow; restore it with"):
        run_log.open("shop", "second", {})


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://me:secret@host:5000/", "http://***@host:5000/#/experiments/"),
        (
            "postgresql+psycopg://me:secret@host/db",
            "mlflow ui --backend-store-uri 'postgresql+psycopg://***@host/db'",
        ),
    ],
)
def test_where_a_run_is_says_no_password(run_log, address, shown):
    run = run_log.open("shop", "first", {})
    run_log.uri = address
    assert run_log.where(run).startswith(shown)
    assert run_log.where(run).endswith(f"/runs/{run}?workflowType=machine_learning")


def test_the_links_to_artefacts_open_the_pages_for_machine_learning(run_log):
    run = run_log.open("shop", "first", {})
    run_log.describe(run, "done", {"report": "report/report.html"})
    note = run_log.client.get_run(run).data.tags["mlflow.note.content"]
    assert f"/runs/{run}/artifacts/report/report.html?workflowType=machine_learning)" in note


def test_experiments_of_a_vertical_are_told_apart_by_tags(run_log):
    # One of an earlier release has no tags.
    run_log.client.create_experiment("finance_scoring")
    for name, purpose in (("finance", "training"), ("finance_scoring", "scoring")):
        run_log.open(name, "a run", {})
        tags = run_log.client.get_experiment_by_name(name).tags
        assert (tags["vertical"], tags["purpose"]) == ("finance", purpose)
