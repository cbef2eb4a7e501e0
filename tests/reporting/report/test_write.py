import shutil
from dataclasses import fields, replace
from importlib.resources import files

import pytest
from made_up import make_contract, make_evidence

from lepton_pipeline.registry.publish import describe_version
from lepton_pipeline.reporting.report.write import write_report
from lepton_pipeline.tracking.lineage import environment, read_run
from lepton_pipeline.tracking.runs import RunLog, Tracking


@pytest.fixture(scope="module")
def registered(tmp_path_factory, store):
    """A run, and the version that it registered: the client and the registration."""
    folder = tmp_path_factory.mktemp("registered")
    shutil.copy(store, folder / "mlflow.db")
    log = RunLog(Tracking(tracking_uri="sqlite:///mlflow.db", artifact_root="mlruns"), folder)
    # Tags alone in an earlier release; a fact may be both.
    run_id = log.open("finance", "a run", {"git.commit": "8f" * 20, "git.dirty": "false", "kind": "training"})
    log.lineage(run_id, {"seed": "7"})
    log.lineage(run_id, {"device": "cpu", "git.commit": "8f" * 20})
    log.parameters(run_id, make_evidence().lineage.parameters)
    log.client.log_text(run_id, environment(), "environment.txt")
    log.client.log_dict(run_id, {"encode_rows": 0.1, "train_model": 41.5}, "seconds.json")
    log.client.create_registered_model("finance")
    version = log.client.create_model_version("finance", f"runs:/{run_id}/model", run_id, description="q")
    registration = {"name": "finance", "version": int(version.version), "run_id": run_id}
    return log.client, replace(make_evidence().registration, **registration)


def write(registration, **changes):
    evidence = make_evidence(registration=registration)
    parts = {field.name: getattr(evidence, field.name) for field in fields(evidence)}
    del parts["contracts"], parts["lineage"], parts["readings"]
    contracts = {
        "contract_result": make_contract(),
        "flights.contract_result": make_contract("s", "tables.flights"),
    }
    return write_report(**(parts | contracts | changes))


def test_report_and_card_are_written_and_the_card_describes_the_version(registered):
    client, registration = registered
    written = write(registration)
    assert set(written) == {"report.html", "model_card.md"}
    html = written["report.html"].decode()
    assert registration.run_id in html
    assert "8f" * 20 in html
    assert "torch 2." in html
    assert "<dt>Trained in</dt><dd>41.5 seconds</dd>" in html
    assert html.index("Raw table flights") < html.index("<li>30,000 rows were held")
    assert client.get_model_version("finance", "1").description == written["model_card.md"].decode()
    assert write(registration) == written


def test_a_stage_that_did_not_run_is_left_out(registered):
    _, registration = registered
    html = write(registration, costs=None, slices=None, explanation=None, drift=None)["report.html"].decode()
    assert html.count('class="absent"') == 4


def test_a_run_is_read_back(registered):
    _, registration = registered
    lineage = read_run(registration.run_id)
    assert lineage.run_id == registration.run_id
    assert lineage.facts == {"git.commit": "8f" * 20, "git.dirty": "false", "seed": "7", "device": "cpu"}
    assert lineage.parameters == make_evidence().lineage.parameters
    assert lineage.packages["kedro"].startswith("1.")
    assert lineage.started.endswith("+00:00")


def test_a_long_card_is_cut_at_a_line_and_points_to_the_rest(registered):
    client, registration = registered
    describe_version(registration, "\n".join(["a line of the card"] * 1000))
    description = client.get_model_version("finance", "1").description
    # What PostgreSQL's column of the registry holds.
    assert 4900 < len(description) <= 5000
    *lines, _, rest = description.splitlines()
    assert set(lines) == {"a line of the card"}
    assert rest == f"The rest is in `report/model_card.md` of run {registration.run_id}."


def test_templates_are_part_of_the_package():
    import tomllib
    from pathlib import Path

    declared = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert declared["tool"]["setuptools"]["package-data"]["lepton_pipeline.reporting.pages"] == [
        "templates/*",
        "templates/report/*",
    ]
    folder = files("lepton_pipeline.reporting.pages") / "templates"
    for name in ("report.html", "style.css", "model_card.md", "report/verdict.html"):
        assert (folder / name).is_file()
