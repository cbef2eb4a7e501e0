"""The champion's report stays until another version becomes champion, whatever later runs do to the working folder."""

from __future__ import annotations

import shutil

import pytest

from lepton_pipeline.registry.champion import REPORT_RUN, keep_champion_pages


@pytest.fixture
def client(store, tmp_path):
    import mlflow

    shutil.copy(store, tmp_path / "mlflow.db")
    address = f"sqlite:///{tmp_path}/mlflow.db"
    made = mlflow.MlflowClient(address, address)
    made.create_experiment("shop", artifact_location=(tmp_path / "mlruns").as_uri())
    made.create_registered_model("shop")
    return made


def add_run(client, *artefacts):
    run_id = client.create_run(client.get_experiment_by_name("shop").experiment_id).info.run_id
    for path in artefacts:
        client.log_text(run_id, f"{path} of {run_id}", path)
    return run_id


def add_version(client, run_id, tmp_path):
    return int(client.create_model_version("shop", source=tmp_path.as_uri(), run_id=run_id).version)


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def test_the_folder_is_replaced_whole_by_what_belongs_to_the_version(client, tmp_path):
    first = add_run(
        client, "report/report.html", "report/model_card.md", "evaluation/roc.png", "data/contract.json"
    )
    second = add_run(client, "report/report.html")
    one, two = (add_version(client, run_id, tmp_path) for run_id in (first, second))
    folder = tmp_path / "data/08_reporting/shop/champion"
    assert keep_champion_pages(client, "shop", one, tmp_path, first) == folder / "report/report.html"
    kept = ("report/report.html", "report/model_card.md", "evaluation/roc.png")
    assert files(folder) == {name: f"{name} of {first}" for name in kept}
    # By hand, as the registry alone tells it.
    keep_champion_pages(client, "shop", two, tmp_path)
    assert files(folder) == {"report/report.html": f"report/report.html of {second}"}


def test_a_report_of_a_run_that_went_on_after_a_crash_is_found_again(client, tmp_path):
    crashed, resumed = add_run(client, "evaluation/roc.png"), add_run(client, "report/report.html")
    version = add_version(client, crashed, tmp_path)
    keep_champion_pages(client, "shop", version, tmp_path, resumed)
    assert client.get_model_version("shop", str(version)).tags[REPORT_RUN] == resumed
    shutil.rmtree(tmp_path / "data")
    assert keep_champion_pages(client, "shop", version, tmp_path) is not None
    assert files(tmp_path / "data/08_reporting/shop/champion") == {
        "report/report.html": f"report/report.html of {resumed}"
    }


def test_a_version_without_a_report_leaves_none_of_another(client, tmp_path):
    whole, bare = add_run(client, "report/report.html"), add_run(client)
    one, two = (add_version(client, run_id, tmp_path) for run_id in (whole, bare))
    keep_champion_pages(client, "shop", one, tmp_path)
    assert keep_champion_pages(client, "shop", two, tmp_path) is None
    assert not (tmp_path / "data/08_reporting/shop/champion").exists()
