"""What keeps a run from being made again is said with values and remedy; figures are compared to the last bit."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from math import nextafter
from types import SimpleNamespace

import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.runs.checks import (
    check_code,
    check_data,
    check_device,
    check_environment,
    check_processor,
    check_run,
    compare_values,
    read_parameters,
)
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.system.records import to_json

CLEAN = {"git.commit": "1" * 40, "git.dirty": "false", "code.sha256": "a" * 64}
DIRTY = {**CLEAN, "git.dirty": "true", "git.diff.sha256": "d" * 64}
OUTSIDE = {"git.commit": "none", "git.dirty": "unknown", "code.sha256": "a" * 64}


def run_of(status="FINISHED", **tags):
    return SimpleNamespace(info=SimpleNamespace(status=status), data=SimpleNamespace(tags=tags))


def old(tags):
    """Tags of a run from before the package's hash was recorded."""
    return {key: value for key, value in tags.items() if key != "code.sha256"}


@pytest.mark.parametrize(
    ("run", "same", "text"),
    [
        (run_of(), True, "made in one go"),
        (run_of(resumed="true"), False, "resumed: results of earlier runs"),
        (run_of(kind="partial"), False, "only a part of what its pipeline makes"),
        (run_of("FAILED", error="DataError: gone"), False, r"failed \(DataError: gone\)"),
        (run_of("KILLED"), False, "killed: only what it recorded"),
    ],
)
def test_a_run_that_was_not_made_in_one_go_is_said(run, same, text):
    check = check_run(run)
    assert check.same is same
    assert re.search(text, check.text)


@pytest.mark.parametrize(
    ("then", "now", "same"),
    [
        (CLEAN, CLEAN, True),
        (OUTSIDE, OUTSIDE, True),
        # Another commit, the same package: a change of the documentation, say.
        (CLEAN, {**CLEAN, "git.commit": "2" * 40}, True),
        (CLEAN, {**CLEAN, "code.sha256": "b" * 64}, False),
        (OUTSIDE, {**OUTSIDE, "code.sha256": "b" * 64}, False),
        (old(CLEAN), CLEAN, True),
        (old(CLEAN), {**CLEAN, "git.commit": "2" * 40}, False),
        (old(DIRTY), DIRTY, True),
        (old(DIRTY), {**DIRTY, "git.diff.sha256": "e" * 64}, False),
        (old(DIRTY), CLEAN, False),
        (old(CLEAN), DIRTY, False),
        # A tree that differed, nobody knows how.
        ({**old(CLEAN), "git.dirty": "true"}, {**CLEAN, "git.dirty": "true"}, False),
        (old(OUTSIDE), OUTSIDE, False),
    ],
)
def test_the_same_package_or_the_same_commit_and_changes_are_the_same_code(then, now, same):
    assert check_code(then, now, "f" * 32).same is same


def test_other_code_is_told_with_the_commands_that_bring_it_back():
    check = check_code(DIRTY, {**CLEAN, "git.commit": "2" * 40, "code.sha256": "b" * 64}, "f" * 32)
    assert check.text == f"commit {'1' * 12} with changes {'d' * 12} then, commit {'2' * 12} now"
    assert check.remedy.startswith(
        f"git checkout {'1' * 40} && mlflow artifacts download --run-id {'f' * 32}"
    )
    assert check.remedy.endswith("git apply --allow-empty code.diff")
    too_large = check_code({**DIRTY, "git.diff.bytes": "2000000"}, {**CLEAN, "code.sha256": "b"}, "f" * 32)
    assert "2000000 bytes, were too many" in too_large.remedy


def test_other_packages_are_listed_one_by_one():
    then, now = "numpy==2.0\nold==1\ntorch==2.9\n", "new==3\nnumpy==2.1\ntorch==2.9\n"
    check = check_environment(then, now, {"python": "3.11.1"}, "3.12.0", "f" * 32)
    assert not check.same
    assert check.text == "numpy 2.0 then, 2.1 now; old 1 then, absent now; python 3.11.1 then, 3.12.0 now"
    assert "environment.txt" in check.remedy
    assert check_environment(then, then, {}, "3.12.0", "f" * 32).same
    added = check_environment(then, then + "pytest==9.0\n", {}, "3.12.0", "f" * 32)
    assert added.same
    assert added.text == "3 packages, all of the same version; new since then: pytest 9.0"
    assert not check_environment(None, now, {}, "3.12.0", "f" * 32).same


def test_other_data_are_told_with_rows_and_fingerprints():
    then = {"data.sha256": "a" * 64, "data.rows": "1500"}
    assert check_data(then, then).same
    other = check_data(then, {"data.sha256": "b" * 64, "data.rows": "1499"})
    assert not other.same
    assert other.text == f"1,500 rows, sha256 {'a' * 12} then; 1,499 rows, sha256 {'b' * 12} now"
    drawn = then | {"rows.sha256": "r"}
    assert check_data(drawn, drawn).same
    assert "told by data and split" in check_data(then, drawn).text
    shuffled = check_data(drawn, drawn | {"rows.sha256": "s"})
    assert (shuffled.same, "their order has changed" in shuffled.text) == (False, True)
    gone = check_data(then, None, "no table file at data/01_raw/shop")
    assert "cannot be read: no table file" in gone.text
    assert gone.remedy
    assert not check_data({}, then).same


def test_another_device_stops_and_another_processor_is_told():
    assert check_device({"device": "cpu"}, "cpu").same
    assert check_device({}, "cpu").same
    card = check_device({"device": "cuda"}, "cpu")
    assert (card.same, card.decisive, card.text) == (False, True, "cuda then, cpu now")
    processor = check_processor({"processor": "one"}, "other")
    assert (processor.same, processor.decisive) == (False, False)
    assert check_processor({}, "other").same


@pytest.fixture
def client(store, tmp_path):
    import mlflow

    shutil.copy(store, tmp_path / "mlflow.db")
    address = f"sqlite:///{tmp_path}/mlflow.db"
    made = mlflow.MlflowClient(address, address)
    made.create_experiment("shop", artifact_location=(tmp_path / "mlruns").as_uri())
    return made


def add_run(client, metrics, epochs=(), **tags):
    experiment = client.get_experiment_by_name("shop").experiment_id
    run_id = client.create_run(experiment, tags=tags).info.run_id
    for name, value in metrics.items():
        client.log_metric(run_id, name, value)
    for step, value in enumerate(epochs, 1):
        client.log_metric(run_id, "train.loss", value, step=step)
    return run_id


def test_one_bit_is_a_difference_and_seconds_are_none(client):
    metrics = {"test.auc": 0.8, "test.f1": float("nan"), "seconds.train_model": 3.0, "gate.difference": 0.1}
    one = add_run(client, metrics, [0.5, 0.4], **{"weights.sha256": "w", "configuration.sha256": "c"})
    same = add_run(client, {**metrics, "seconds.train_model": 9.0}, [0.5, 0.4], **{"weights.sha256": "w"})
    values = {value.name: value for value in compare_values((client, one), (client, same))}
    assert set(values) == {
        "configuration.sha256",
        "weights.sha256",
        "test.auc",
        "test.f1",
        "train.loss [epoch 1]",
        "train.loss [epoch 2]",
    }
    assert [name for name, value in values.items() if not value.equal] == ["configuration.sha256"]

    changed = {"test.auc": nextafter(0.8, 1), "test.f1": 0.5, "test.new": 1.0}
    other = add_run(client, changed, [0.5, 0.3, 0.2], **{"weights.sha256": "v", "configuration.sha256": "c"})
    differing = [value.name for value in compare_values((client, one), (client, other)) if not value.equal]
    assert differing == [
        "weights.sha256",
        "test.auc",
        "test.f1",
        "test.new",
        "train.loss [epoch 2]",
        "train.loss [epoch 3]",
    ]


METRICS = Metrics(
    0.3, {}, {}, 100, {"model": {"auc": Estimate(0.8, 0.7, 0.9)}, "network": {"auc": Estimate(0.6)}}
)
HISTORY = {
    "network": [1, 1, 2],
    "epoch": [1, 2, 1],
    "train_loss": [0.5, 0.4, 0.3],
    "validation_auc": [0.7, None, 0.8],
}


def add_stored_run(client, metrics=METRICS, history=HISTORY, **facts):
    run_id = add_run(client, {"test.auc": metrics.model["auc"].value}, [0.5])
    client.log_text(run_id, to_json(metrics), "evaluation/metrics.json")
    client.log_dict(run_id, history, "training/history.json")
    client.log_dict(run_id, {"weights.sha256": "w", **facts}, "lineage.json")
    return run_id


def test_what_is_not_logged_is_compared_by_the_artefacts(client):
    one, same = add_stored_run(client), add_stored_run(client)
    values = {value.name: value for value in compare_values((client, one), (client, same))}
    assert all(value.equal for value in values.values())
    assert list(values) == [
        "weights.sha256",
        "network.auc",
        "network_2.train.loss [epoch 1]",
        "network_2.validation.auc [epoch 1]",
        "test.auc",
        "test.auc.high",
        "test.auc.low",
        "threshold",
        "train.loss [epoch 1]",
        "train.loss [epoch 2]",
        "validation.auc [epoch 1]",
        "validation.auc [epoch 2]",
    ]
    test = {**METRICS.test, "network": {"auc": Estimate(nextafter(0.6, 1))}}
    changed = {**HISTORY, "train_loss": [0.5, 0.4, nextafter(0.3, 1)]}
    other = add_stored_run(client, replace(METRICS, test=test), changed, **{"weights.sha256": "v"})
    values = compare_values((client, one), (client, other))
    assert [value.name for value in values if not value.equal] == [
        "weights.sha256",
        "network.auc",
        "network_2.train.loss [epoch 1]",
    ]


def test_a_run_of_an_earlier_release_is_compared_by_what_it_logged(client):
    logged = {
        "test.auc": 0.8,
        "test.auc.low": 0.7,
        "test.auc.high": 0.9,
        "network.auc": 0.6,
        "threshold": 0.3,
    }
    losses = {"network_2.train.loss": 0.3, "network_2.validation.auc": 0.8, "validation.auc": 0.7}
    former = add_run(client, logged, **{"weights.sha256": "w"})
    for name, value in {"train.loss": 0.5, **losses}.items():
        client.log_metric(former, name, value, step=1)
    values = compare_values((client, former), (client, add_stored_run(client)))
    # It did not log the epoch that had no validation rows.
    assert len(values) == 1 + len(logged) + 4
    assert [value.name for value in values if not value.equal] == []


def test_parameters_come_from_the_run_or_their_lack_is_said(client):
    run = client.get_run(add_run(client, {}))
    with pytest.raises(ConfigurationError, match=r"has no parameters\.json"):
        read_parameters(client, run)
    client.log_dict(run.info.run_id, {"training": {"learning_rate": 1e-05}}, "parameters.json")
    assert read_parameters(client, run) == {"training": {"learning_rate": 1e-05}}
    client.log_text(run.info.run_id, "[1", "parameters.json")
    with pytest.raises(ConfigurationError, match="no JSON"):
        read_parameters(client, run)
    client.log_text(run.info.run_id, "[1]", "parameters.json")
    with pytest.raises(ConfigurationError, match="no declaration"):
        read_parameters(client, run)
