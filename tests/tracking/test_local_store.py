import shutil
from pathlib import Path

import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.tracking.local_store import local_store
from lepton_pipeline.tracking.runs import RunLog, existing_store, read_tracking

LOCAL = read_tracking({"tracking_uri": "sqlite:///mlflow.db", "artifact_root": "mlruns"})


@pytest.fixture
def project(store, tmp_path):
    """A project with one run that has stored a file, in a folder whose name is no plain address."""
    folder = tmp_path / "the [first] one"
    folder.mkdir()
    shutil.copy(store, folder / "mlflow.db")
    log = RunLog(LOCAL, folder)
    run_id = log.open("shop", "first", {})
    log.client.log_text(run_id, "kept", "note.txt")
    return folder, run_id


def note(client, run_id, folder):
    return Path(client.download_artifacts(run_id, "note.txt", str(folder))).read_text()


def test_a_moved_store_finds_its_files_and_writes_beside_them(project, tmp_path, caplog):
    first, run_id = project
    second = tmp_path / "second ü"
    first.rename(second)
    assert RunLog(LOCAL, second, "view").client.get_run(run_id).info.artifact_uri.startswith(first.as_uri())
    log = RunLog(LOCAL, second)
    assert f"moved from {first}" in caplog.text
    assert note(log.client, run_id, tmp_path) == "kept"
    log.client.log_text(log.open("shop", "second", {}), "new", "new.txt")
    assert not first.exists()
    assert len(list(second.glob("mlruns/shop/*/artifacts/new.txt"))) == 1
    caplog.clear()
    RunLog(LOCAL, second)
    assert not caplog.text


@pytest.mark.parametrize("access", ["write", "load"])
def test_a_copy_is_refused_before_anything_is_written(project, tmp_path, access):
    first, run_id = project
    second = tmp_path / "second"
    shutil.copytree(first, second)
    before = (second / "mlflow.db").read_bytes()
    with pytest.raises(ConfigurationError) as told:
        RunLog(LOCAL, second, access)
    assert f"{second / 'mlflow.db'} is a copy: its runs and models lie in {first / 'mlruns'}" in str(
        told.value
    )
    assert "kedro adopt makes the copy a project of its own" in str(told.value)
    assert (second / "mlflow.db").read_bytes() == before
    # Only to list what there is does no harm.
    assert existing_store(LOCAL, second, "view").get_run(run_id)


def test_an_adopted_copy_leaves_the_original_alone(project, tmp_path):
    first, run_id = project
    second = tmp_path / "second"
    shutil.copytree(first, second)
    home = local_store(LOCAL.tracking_uri, LOCAL.artifact_root, second)
    former = home.former()
    assert former == [first]
    shutil.move(second / "mlruns", second / "elsewhere")
    assert home.missing(former) == [first / "mlruns" / "shop"]
    shutil.move(second / "elsewhere", second / "mlruns")
    assert home.missing(former) == []
    home.rewrite(former)
    assert home.former() == []
    (second / "mlruns" / "shop" / run_id / "artifacts" / "note.txt").write_text("of the copy")
    assert note(RunLog(LOCAL, second).client, run_id, tmp_path) == "of the copy"
    assert note(RunLog(LOCAL, first).client, run_id, tmp_path) == "kept"


def test_a_project_that_is_reached_by_another_name_is_no_copy(project, tmp_path):
    first, _ = project
    (tmp_path / "link").symlink_to(first)
    assert local_store(LOCAL.tracking_uri, LOCAL.artifact_root, tmp_path / "link").former() == []


@pytest.mark.parametrize(
    ("uri", "root"),
    [("https://example.org", None), ("sqlite:///mlflow.db", "/artefacts"), ("postgresql://x", "a")],
)
def test_a_store_of_others_is_none_of_the_project(tmp_path, uri, root):
    assert local_store(uri, root, tmp_path) is None


@pytest.mark.parametrize("name", ["why?", "a%20b"])
def test_a_folder_that_no_address_can_name_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigurationError, match="rename the folder"):
        RunLog(LOCAL, tmp_path / name)
    assert [each.name for each in tmp_path.rglob("*")] == [name]
