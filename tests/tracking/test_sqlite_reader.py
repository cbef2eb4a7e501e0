"""A local store that is read without MLflow tells what MLflow's client tells."""

from __future__ import annotations

import pytest

from lepton_pipeline.registry.versions import name_filter
from lepton_pipeline.tracking.runs import RunLog, Tracking
from lepton_pipeline.tracking.sqlite_reader import MissingError, open_reader

LATEST = ["attributes.start_time DESC"]
TRACKING = Tracking(tracking_uri="sqlite:///mlflow.db", artifact_root="mlruns")


@pytest.fixture
def stores(tmp_path):
    log = RunLog(TRACKING, tmp_path)
    client = log.client
    client.create_registered_model("shop")
    for number in ("1", "2", "3"):
        run = log.open("shop", number, {"due": "true", "number": number})
        log.parameters(run, {"training": {"seed": number}})
        log.close(run, "FAILED" if number == "2" else "FINISHED", "no luck" if number == "2" else None)
        client.create_model_version("shop", f"runs:/{run}/model", run_id=run, tags={"data.rows": number})
    client.set_registered_model_alias("shop", "champion", "2")
    client.delete_model_version("shop", "3")
    client.delete_run(client.get_model_version("shop", "1").run_id)
    # The test of the tables that are known here: another release of MLflow may have others.
    reader = open_reader(TRACKING, tmp_path)
    assert reader is not None
    return client, reader


def told(run):
    info = run.info
    return (
        info.run_id,
        info.experiment_id,
        info.status,
        info.start_time,
        info.end_time,
        run.data.tags,
        run.data.params,
    )


def test_runs_are_those_of_the_client(stores):
    experiments = [each.get_experiment_by_name("shop").experiment_id for each in stores]
    assert experiments[0] == experiments[1]
    by_client, by_reader = (
        [told(run) for run in each.search_runs([experiments[0]], "", order_by=LATEST, max_results=9)]
        for each in stores
    )
    assert by_client == by_reader
    assert [run[2] for run in by_reader] == ["FINISHED", "FAILED"]
    gone = stores[0].get_model_version("shop", "1").run_id
    assert told(stores[0].get_run(gone)) == told(stores[1].get_run(gone))
    assert [each.get_experiment_by_name("other") for each in stores] == [None, None]


def test_models_are_those_of_the_client(stores):
    aliases = [
        [model.aliases for model in each.search_registered_models(name_filter("shop"))] for each in stores
    ]
    assert aliases[0] == [{"champion": 2}]
    assert [{name: int(version) for name, version in each[0].items()} for each in aliases] == [
        {"champion": 2}
    ] * 2
    versions = [
        sorted(
            (int(found.version), found.run_id, found.creation_timestamp, found.tags)
            for found in each.search_model_versions(name_filter("shop"))
        )
        for each in stores
    ]
    assert versions[0] == versions[1]
    assert [version[0] for version in versions[1]] == [1, 2]


def test_what_is_not_there_is_missing_as_for_the_client(stores):
    _, reader = stores
    for ask in (lambda: reader.get_run("0b1f"), lambda: reader.get_model_version("shop", "3")):
        with pytest.raises(MissingError) as missing:
            ask()
        assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("content", [b"", b"no database"])
def test_another_file_is_left_to_mlflow(tmp_path, content):
    (tmp_path / "mlflow.db").write_bytes(content)
    assert open_reader(TRACKING, tmp_path) is None
    assert open_reader(Tracking(tracking_uri="https://mlflow.example.org"), tmp_path) is None
