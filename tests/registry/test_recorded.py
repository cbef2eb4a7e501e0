"""A version of which a file was altered is found, and is not run."""

from __future__ import annotations

import shutil
from pathlib import Path

import mlflow
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import About
from lepton_pipeline.registry.publish import describe_model
from lepton_pipeline.registry.versions import FILES, load_artefact, verify_version

ALTERED = [
    "MLmodel",
    "requirements.txt",
    "input_example.json",
    "files.json",
    "code/lepton_pipeline/cli/run.py",
    "artifacts/artefact/artefact.json",
]


@pytest.fixture
def version(shop, request):
    """Folder of the files of version 1 of `base`, which are whole again afterwards."""
    # Tests in the same process register other models, too.
    model = shop.client.get_model_version("base", "1").source.rpartition("/")[2]
    folder = next((shop.folder / "mlruns").rglob(f"{model}/artifacts"))
    kept = shop.folder / "kept"
    shutil.copytree(folder, kept)
    yield folder
    shutil.rmtree(folder)
    kept.rename(folder)


def test_a_version_is_whole_as_it_was_registered_and_after_it_was_loaded(shop, version):
    assert verify_version(shop.client, "base", 1) == (True, "whole")
    loaded = mlflow.pyfunc.load_model("models:/base/1")
    assert loaded.predict(shop.table.head(2))["decision"].dtype == bool
    assert (version / "registered_model_meta").exists()
    assert not list(version.rglob("__pycache__"))
    assert verify_version(shop.client, "base", 1) == (True, "whole")


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_file_is_found_and_nothing_is_loaded(shop, version, name):
    (version / name).write_text((version / name).read_text() + "\n")
    assert verify_version(shop.client, "base", 1) == (False, f"altered: {name} was altered")
    with pytest.raises(DataError, match=f"its files are not those that were registered: {name} was altered"):
        load_artefact(shop.client, "base", 1)


def test_a_file_that_was_added_is_found(shop, version):
    (version / "code/pandas.py").write_text("")
    assert verify_version(shop.client, "base", 1) == (False, "altered: code/pandas.py was added")


def test_files_that_are_gone_are_told(shop, version):
    (version / "MLmodel").unlink()
    whole, found = verify_version(shop.client, "base", 1)
    assert whole is False
    assert found == "altered: MLmodel is missing"


def test_a_version_of_before_is_loaded_though_no_hash_was_recorded(shop):
    shop.version("before_files")
    shop.client.delete_model_version_tag("before_files", "1", FILES)
    assert load_artefact(shop.client, "before_files", 1).threshold > 0
    whole, found = verify_version(shop.client, "before_files", 1)
    assert whole is None
    assert found.startswith("no hash was recorded")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("code/lepton_pipeline/cli/run.py", "was altered"),
        ("code/lepton_pipeline/system/file_hashes.py", "was altered"),
        ("code/torch.py", "was added"),
        ("files.json", "is missing"),
    ],
)
def test_a_served_model_refuses_altered_files_before_it_runs_them(version, tmp_path, name, problem):
    marker = tmp_path / "ran"
    (version / name).write_text(f"open({str(marker)!r}, 'w')\n")
    if problem == "is missing":
        (version / name).unlink()
    with pytest.raises(mlflow.MlflowException, match=f"the registered model was altered: {name} {problem}"):
        mlflow.pyfunc.load_model(str(version))
    assert not marker.exists()


def test_nothing_of_a_version_names_the_machine(version):
    for name in ("MLmodel", "conda.yaml", "python_env.yaml", "input_example.json"):
        text = (version / name).read_text()
        assert "/tmp/" not in text
        assert str(Path(__file__).parents[2]) not in text


def test_a_registered_model_says_what_its_aliases_mean(shop):
    said = shop.client.get_registered_model("base").description
    assert said.startswith("The alias `champion` marks the version in use")
    assert "`kedro champion list base`" in said


def test_a_registered_model_says_what_it_answers():
    said = describe_model("finance", About(question="Who defaults?", caution="2005 only."))
    assert said.startswith("Who defaults? 2005 only.\n\nThe alias `champion`")
