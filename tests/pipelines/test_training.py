"""The whole way of the finance vertical, in processes of its own, as a user runs it."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from time import sleep
from unittest.mock import ANY

import pandas as pd
import pytest

from lepton_pipeline.datasets import FolderDataset
from lepton_pipeline.tracking.artefacts import read_artifact, read_facts

STAGES = [
    "ingest_table",
    "check_contract",
    "enforce_contract",
    "find_target",
    "split_rows",
    "find_copies",
    "encode_rows",
    "describe_columns",
    "train_model",
    "score_baselines",
    "score_rows",
    "evaluate",
    "keep_resamples",
    "measure_copies",
    "measure_alerts",
    "draw_figures",
    "find_doubts",
    "assemble_artefact",
    "explain_model",
    "measure_robustness",
    "draw_explanation",
    "describe_distributions",
    "register_model",
    "measure_drift",
    "gate_model",
    "write_report",
]
RUN = ("run", "--pipelines", "finance")
LINEAR = {"model": "linear", "epochs": 1}
ANY_BOUND = "finance.gate.at_least=0.0"
FIGURES = ["calibration.svg", "gain.svg", "precision_recall.svg", "roc.svg", "score_histogram.svg"]


def load(path: Path):
    return json.loads(path.read_text())


def shown(done):
    return " ".join(done.stdout.split())


def wait_for(folder, text):
    """Wait until a command that was started says something; gives its process id."""
    said = folder / "stderr"
    for _ in range(2400):
        if said.exists() and text in said.read_text():
            return int((folder / "pid").read_text())
        sleep(0.1)
    pytest.fail(f"{text!r} was never printed")


@pytest.fixture
def again(trained, tmp_path):
    """A copy of the trained project, free to be changed."""
    return trained[0].copy(tmp_path / "project")


@pytest.fixture
def small(make_small, tmp_path):
    return make_small(tmp_path / "project")


def test_the_run_is_finished_and_says_what_it_did(trained):
    project, printed = trained
    (run,) = project.runs()
    assert run.info.status == "FINISHED"
    seconds = json.loads(read_artifact(project.client(), run, "seconds.json"))
    for stage in STAGES:
        assert stage in printed
        assert seconds[stage] >= 0
    assert "1,500 in, 0 quarantined" in printed
    assert re.search(r"columns +\d+: \d+ numbers, .* not used", printed)
    assert "900 for training, 300 for validation, 300 for the test" in printed
    assert "finance: version 1, alias champion" in printed
    for row in ("model", "network alone", "logistic regression", "gradient boosting"):
        assert re.search(row + r" +0\.\d{4}  \[0\.\d{4}, 0\.\d{4}\]", printed)
    assert f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}" in printed


def test_a_run_prints_little_and_no_warning_of_a_library(trained):
    _, printed = trained
    assert len(printed.splitlines()) < 85
    assert not re.search(r"warnings?\.warn|Warning:|INFO|DEBUG|Traceback", printed)


def test_a_run_can_be_traced_to_data_configuration_code_and_environment(trained):
    project, _ = trained
    (run,) = project.runs()
    record = load(project.output("02_intermediate", "ingestion.json"))
    tags, facts = run.data.tags, read_facts(project.client(), run)
    assert facts["data.sha256"] == record["sha256"]
    assert facts["data.rows"] == "1500"
    assert facts["git.commit"] == "none"
    assert facts["seed"] == "7"
    assert facts["device"] in ("cpu", "cuda")
    assert {"environment.sha256", "python", "processor", "code.sha256", "kedro.run"} <= set(facts)
    assert facts["rows.sha256"] == load(project.output("03_primary", "test_rows.json"))["sha256"]
    filtered = {"configuration.sha256", "data.sha256", "git.commit", "rows.sha256", "seed"}
    told = {"kind": "training", "version": "1", "gate.decision": "promoted", "gate.reason": ANY}
    assert {name: tag for name, tag in tags.items() if not name.startswith(("mlflow.", "process."))} == {
        **{name: facts[name] for name in filtered},
        **told,
    }
    assert run.data.params["training.epochs"] == "4"
    assert run.data.params["dataset.target"] == "default payment next month"
    version = project.client().get_model_version("finance", "1")
    for key in ("data.sha256", "configuration.sha256", "git.commit", "seed", "data.rows", "weights.sha256"):
        assert version.tags[key] == facts[key]


def test_figures_and_epochs_are_in_mlflow(trained):
    project, _ = trained
    (run,) = project.runs()
    metrics = load(project.output("08_reporting", "metrics.json"))
    figures = {name: each["auc"]["value"] for name, each in metrics["test"].items()}
    ends = metrics["test"]["model"]["auc"]
    by_epoch = ("train.loss", "validation.auc", "validation.log_loss")
    assert {name: value for name, value in run.data.metrics.items() if name not in by_epoch} == {
        **{f"test.{metric}": each["value"] for metric, each in metrics["test"]["model"].items()},
        "test.auc.low": ends["low"],
        "test.auc.high": ends["high"],
        "network.auc": figures["network"],
        "baseline.logistic_regression.auc": figures["logistic_regression"],
        "baseline.hist_gradient_boosting.auc": figures["hist_gradient_boosting"],
    }
    history = pd.read_parquet(project.output("06_models", "history.parquet"))
    logged = project.client().get_metric_history(run.info.run_id, "validation.auc")
    assert history["network"].max() == 5
    first = history[history["network"] == 1]
    assert [(point.step, point.value) for point in logged] == list(
        first[["epoch", "validation_auc"]].itertuples(index=False, name=None)
    )
    stored = json.loads(read_artifact(project.client(), run, "training/history.json"))
    assert stored["train_loss"] == history["train_loss"].tolist()
    assert stored["network"] == history["network"].tolist()


def test_reports_are_on_disk_and_in_mlflow(trained):
    project, _ = trained
    (run,) = project.runs()
    client = project.client()
    stored = {
        file.path
        for folder in ("", "evaluation", "data_docs", "data", "gate", "report")
        for file in client.list_artifacts(run.info.run_id, folder)
    }
    assert {f"evaluation/{name}" for name in (*FIGURES, "copies.json", "costs.json", "slices.json")} < stored
    assert {
        "data_docs/index.html",
        "data/contract.json",
        "data/columns.json",
        "gate/decision.json",
        "evaluation/drift.json",
        "report/report.html",
        "report/model_card.md",
        "parameters.json",
        "environment.txt",
    } < stored
    assert sorted(FolderDataset(filepath=str(project.output("08_reporting", "figures"))).load()) == FIGURES
    assert "data_docs" in run.data.tags["mlflow.note.content"]
    kept, latest = (project.output("08_reporting", name) for name in ("champion", "report"))
    assert (kept / "report/report.html").read_bytes() == (latest / "report.html").read_bytes()
    assert {path.name for path in (kept / "evaluation").iterdir()} >= {*FIGURES, "metrics.json"}


def test_the_first_champion_is_the_version_that_passed_the_gate(trained):
    project, _ = trained
    version = project.client().get_model_version_by_alias("finance", "champion")
    assert version.version == 1
    assert version.tags["gate.decision"] == "promoted"
    assert version.tags["gate.reason"] == load(project.output("08_reporting", "decision.json"))["reason"]


def test_the_same_seed_gives_the_same_bits_and_changes_nothing(trained, again):
    first, _ = trained
    one = load(first.output("08_reporting", "registration.json"))
    same = again.run(*RUN, "--fail-on-refusal")
    assert same.returncode == 0, same.stderr
    two = load(again.output("08_reporting", "registration.json"))
    assert (one["version"], two["version"]) == (1, 2)
    assert one["weights_sha256"] == two["weights_sha256"]
    for name in ("metrics.json", "figures/roc.svg"):
        assert (
            first.output("08_reporting", name).read_bytes() == again.output("08_reporting", name).read_bytes()
        )
    assert "same as champion: it is the same model as champion version 1, so nothing changes" in shown(same)
    client = again.client()
    assert client.get_registered_model("finance").aliases == {"champion": 1}

    # Any other model will do, so one that trains at once.
    other = f"finance.training.seed=8,finance.training.model=linear,{ANY_BOUND}"
    refused = again.run(*RUN, "--fail-on-refusal", "--params", other)
    assert refused.returncode == 4, refused.stderr
    assert "is not significantly above" in refused.stderr
    assert "compare: kedro champion diff finance champion challenger" in refused.stderr
    assert client.get_registered_model("finance").aliases == {"champion": 1, "challenger": 3}


def test_the_gate_stands_by_its_decision_and_names_what_it_cannot_compare(again):
    project = again
    decided = project.run("run", "--from-nodes", "finance.gate_model")
    assert "version 1, alias champion" in decided.stdout
    assert project.client().get_registered_model("finance").aliases == {"champion": 1}

    project.declare("finance", lambda declared: declared.update(training=LINEAR))
    to_the_gate = (*RUN, "--to-nodes", "finance.gate_model")
    other_rows = project.run(*to_the_gate, "--params", f"finance.split.seed=8,{ANY_BOUND}")
    assert other_rows.returncode == 0, other_rows.stderr
    # Of another draw the champion has learnt from most test rows.
    checks = load(project.output("08_reporting", "decision.json"))["checks"]
    assert [check["rows"] < 100 for check in checks if check["name"] == "champion"] == [True]
    raw = project.path / "data/01_raw/finance/sample.csv.gz"
    pd.read_csv(raw).rename(columns={"PAY_0": "PAY_1"}).to_csv(raw, index=False)
    project.declare("finance", rename_pay)
    renamed = project.run(*to_the_gate)
    assert renamed.returncode == 0, renamed.stderr
    reason = project.runs()[0].data.tags["gate.reason"]
    assert "cannot be compared with champion version 1" in reason
    assert "PAY_0" in reason


def rename_pay(declared):
    declared["gate"]["at_least"] = 0.0
    declared["dataset"]["numeric"] = [
        {"PAY_0": "PAY_1"}.get(name, name) for name in declared["dataset"]["numeric"]
    ]
    for expectation in declared["contract"]["expectations"]:
        expectation["column"] = {"PAY_0": "PAY_1"}.get(expectation["column"], expectation["column"])


def break_validation(declared):
    declared["contract"]["expectations"].append(
        {"expect": "column_values_to_be_between", "column": "AGE", "min_value": 90, "on_failure": "stop"}
    )


def test_a_broken_contract_stops_the_run_and_keeps_its_evidence(project):
    project.declare("finance", break_validation)
    done = project.run(*RUN)
    assert done.returncode == 3
    assert "AGE" in done.stderr
    assert "data/08_reporting/finance/data_docs/index.html" in done.stderr
    assert "Traceback" not in done.stderr
    # Kedro's own hint would fail again on the same rows.
    assert "Once that is mended, run it again whole" in done.stderr
    assert "--from-nodes" not in done.stderr
    (run,) = project.runs()
    assert run.info.status == "FAILED"
    assert "ContractError" in run.data.tags["error"]
    assert project.output("08_reporting", "data_docs/index.html").exists()
    stored = project.client().list_artifacts(run.info.run_id, "data_docs")
    assert "data_docs/index.html" in {file.path for file in stored}
    assert not project.output("03_primary", "clean_table.parquet").exists()


def test_quarantined_rows_are_kept_with_their_values_and_left_out_of_training(project):
    raw = project.path / "data/01_raw/finance/sample.csv.gz"
    table = pd.read_csv(raw)
    table.loc[[3, 8], "AGE"] = [150, 7]
    table.loc[8, "LIMIT_BAL"] = 0
    table.to_csv(raw, index=False)
    done = project.run(*RUN, "--to-nodes", "finance.split_rows")
    assert done.returncode == 0, done.stderr
    quarantine = pd.read_parquet(project.output("02_intermediate", "quarantine.parquet"))
    assert quarantine["AGE"].to_dict() == {3: 150, 8: 7}
    assert [len(reasons) for reasons in quarantine["quarantine_reasons"]] == [1, 2]
    assert not {3, 8} & set(pd.read_parquet(project.output("03_primary", "split.parquet")).index)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--pipelines", "financ"], 2, "no pipeline 'financ'; did you mean 'finance'?"),
        (["--pipelines", "finance", "--params", "finance.training.epohs=3"], 2, "did you mean 'epochs'?"),
        (["--params", "finanse.training.epochs=3"], 2, "finanse: no such vertical; did you mean 'finance'?"),
        (["--pipelines", "finance", "--from-nodes", "finance.nope"], 2, "finance.nope"),
        (["--pipelines", "finance", "--env", "prod"], 2, "MLFLOW_TRACKING_URI"),
        (["--runner", "ParallelRunner"], 2, "bypasses hooks"),
        (["--pipelines", "finance", "--env", "prodd"], 2, "environments are base, "),
    ],
)
def test_bad_configuration_ends_before_any_data_is_loaded(trained, arguments, code, message):
    project, _ = trained
    done = project.run("run", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len(project.runs()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["registry", "describe", "financ"], "Error: 'financ' pipeline not found. Existing pipelines: ["),
        (
            ["catalog", "describe-datasets", "--pipeline", "financ"],
            "Error: no vertical 'financ'; did you mean 'finance'?",
        ),
    ],
)
def test_kedros_own_commands_end_with_one_message_too(trained, arguments, said):
    done = trained[0].run(*arguments)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.said
    assert "NoneType" not in done.said


def test_an_absent_column_is_a_data_error_and_debug_shows_the_traceback(project):
    done = project.run("run", "--debug", "--params", "finance.dataset.target=default payment next mouth")
    assert done.returncode == 3
    assert "did you mean 'default payment next month'" in done.stderr
    assert "Traceback" in done.stderr


def test_a_store_that_cannot_be_used_is_a_configuration_error(project):
    (project.path / "mlflow.db").write_text("not a database")
    done = project.run(*RUN)
    assert done.returncode == 2
    assert "mlflow.db is damaged: file is not a database. Put a backup of it there" in done.stderr
    assert "Traceback" not in done.stderr


CRASH = """
from lepton_pipeline.reporting.pictures import quality

def crash(*arguments):
    raise RuntimeError("no space left for postgresql://user:secret@host/db")

quality._charts = crash
"""


def test_a_crash_is_recorded_and_the_command_that_kedro_prints_goes_on(small):
    project = small
    crashed = project.run(*RUN, before=CRASH)
    assert crashed.returncode == 1
    (run,) = project.runs()
    assert run.info.status == "FAILED"
    assert run.data.tags["error"] == "RuntimeError: no space left for postgresql://***@host/db"
    assert "secret" not in crashed.stderr.split("error:")[-1] or "Traceback" in crashed.stderr
    assert not project.output("08_reporting", "figures").exists()

    hint = re.search(r'--from-nodes "([^"]+)"', crashed.stderr + crashed.stdout)
    assert hint is not None
    resumed = project.run("run", "--from-nodes", hint.group(1))
    assert resumed.returncode == 0, resumed.stderr
    assert "train_model" not in resumed.stderr
    latest, _ = project.runs()
    assert latest.info.status == "FINISHED"
    assert (latest.data.tags["resumed"], latest.data.tags["kind"]) == ("true", "training")
    # The page of the run that went on is whole: it has what the first one made, too.
    assert {"data.sha256", "weights.sha256"} <= set(read_facts(project.client(), latest))
    assert {"validation.auc", "test.auc"} <= set(latest.data.metrics)


def test_a_run_that_is_told_to_stop_is_killed_and_goes_on_where_it_was(small, warm):
    project = small
    endless = {"model": "linear", "epochs": 100000, "patience": 100000}
    project.declare("finance", lambda declared: declared.update(training=endless))
    os.kill(wait_for(warm.start(project.path, *RUN), "epoch"), signal.SIGTERM)
    (stopped,) = warm.wait()
    assert stopped.returncode == 143
    assert "resume with: kedro run --pipelines finance --only-missing-outputs" in stopped.stderr
    (run,) = project.runs()
    assert run.info.status == "KILLED"
    assert run.info.end_time is not None

    project.declare("finance", lambda declared: declared.update(training=LINEAR))
    resumed = project.run(*RUN, "--only-missing-outputs")
    assert resumed.returncode == 0, resumed.stderr
    assert "ingest_table" not in resumed.stderr
    assert [run.info.status for run in project.runs()] == ["FINISHED", "KILLED"]

    nothing = project.run(*RUN, "--only-missing-outputs")
    assert nothing.returncode == 0, nothing.stderr
    assert "finance: no output is missing, nothing to run" in nothing.stderr
    assert len(project.runs()) == 2


@pytest.mark.exhaustive
def test_a_run_that_died_without_a_word_is_found_by_the_next(project, warm):
    os.kill(wait_for(warm.start(project.path, *RUN), "ingest_table"), signal.SIGKILL)
    warm.wait()
    assert project.runs()[0].info.status == "RUNNING"
    done = project.run(*RUN, "--to-nodes", "finance.ingest_table")
    assert done.returncode == 0, done.stderr
    latest, dead = project.runs()
    assert (latest.info.status, dead.info.status) == ("FINISHED", "KILLED")
    assert (latest.data.tags["kind"], dead.data.tags["kind"]) == ("partial", "training")
    assert "ingestion_record  data/02_intermediate/finance/ingestion.json" in done.stdout
    assert "900 for training" not in done.stdout


def test_a_new_result_removes_what_it_makes_stale(again):
    project = again
    assert project.output("05_model_input", "encoded.parquet").exists()
    assert project.run(*RUN, "--to-nodes", "finance.ingest_table").returncode == 0
    # Nor does the run of the new result take over what it made stale.
    assert "data.sha256" in project.runs()[0].data.tags
    assert "data/contract.json" not in {
        file.path for file in project.client().list_artifacts(project.runs()[0].info.run_id, "data")
    }
    files = [path for path in (project.path / "data").rglob("*") if path.is_file()]
    # The champion's report stays as long as it is in use.
    left = {path.name for path in files if not {"01_raw", ".locks", "champion"} & set(path.parts)}
    assert left == {"table.parquet", "ingestion.json"}


@pytest.mark.exhaustive
def test_verticals_in_one_command_have_a_run_each_and_one_failure_stops_no_other(small):
    project = small
    project.declare("aaa_broken", break_validation)
    done = project.run("run")
    assert done.returncode == 3
    assert "1 of 2 verticals failed: aaa_broken (exit code 3)" in done.stderr
    assert [run.info.status for run in project.runs("aaa_broken")] == ["FAILED"]
    assert [run.info.status for run in project.runs("finance")] == ["FINISHED"]


@pytest.mark.exhaustive
def test_two_verticals_at_the_same_time_on_a_new_store_lose_no_run(small, warm):
    project = small
    (project.path / "mlflow.db").unlink()
    project.declare("shop", lambda declared: None)
    for vertical in ("finance", "shop"):
        warm.start(project.path, "run", "--pipelines", vertical)
    for done in warm.wait():
        assert done.returncode == 0, done.stderr
    for vertical in ("finance", "shop"):
        (run,) = project.runs(vertical)
        assert run.info.status == "FINISHED"
        assert "test.auc" in run.data.metrics
        assert project.client().get_model_version_by_alias(vertical, "champion").version == 1


@pytest.mark.exhaustive
def test_costs_and_slices_are_measured_in_a_run(project):
    def price(declared):
        declared["features"] = {"derive": {"half_limit": "LIMIT_BAL / 2"}}
        declared["dataset"]["exclude"] = ["half_limit"]
        costs = {"false_negative": "half_limit", "false_positive": 3000, "unit": "TWD"}
        declared["evaluation"] |= {"costs": costs, "capacity": 100, "slices": ["LIMIT_BAL"]}
        declared["training"] = LINEAR

    project.declare("finance", price)
    done = project.run(*RUN)
    assert done.returncode == 0, done.stderr
    metrics, costs, slices = (
        load(project.output("08_reporting", f"{name}.json")) for name in ("metrics", "costs", "slices")
    )
    (run,) = project.runs()
    assert metrics["threshold_rule"] == "cost"
    assert run.data.metrics["cost.model"] == costs["policies"]["model"]["value"]
    assert "least cost on the validation rows" in done.stdout
    assert "TWD for 1,000 cases" in done.stdout
    assert costs["capacity"]["acted"] <= 100
    assert slices["columns"] == ["AGE", "LIMIT_BAL"]
    assert {each["column"] for each in slices["slices"] if each["sensitive"]} == {"AGE"}
    # The amounts are no input of the model.
    encoder = project.output("04_feature", "encoder") / "encoder.json"
    assert "LIMIT_BAL" in encoder.read_text()
    assert "half_limit" not in encoder.read_text()


def test_an_amount_that_is_missing_stops_the_run_before_training(project):
    def price(declared):
        declared["features"] = {"derive": {"per_payment": "ratio(BILL_AMT1, PAY_AMT1)"}}
        declared["dataset"]["exclude"] = ["per_payment"]
        declared["evaluation"]["costs"] = {"false_negative": "per_payment", "false_positive": 10}

    project.declare("finance", price)
    done = project.run(*RUN)
    assert done.returncode == 3
    assert "column 'per_payment' has no amount in" in done.stderr
    assert not project.output("06_models", "model").exists()
