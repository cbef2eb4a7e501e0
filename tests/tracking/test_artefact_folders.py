"""Folders of artefacts on this machine and elsewhere."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lepton_pipeline.errors import ConfigurationError, StoreError
from lepton_pipeline.tracking import artefact_folders
from lepton_pipeline.tracking.artefact_folders import folder_bytes, remove_folder, require_removable


def test_a_folder_here_is_measured_and_removed_with_its_own_folder(tmp_path):
    run = tmp_path / "mlruns/run"
    (run / "artifacts/deep").mkdir(parents=True)
    (run / "artifacts/one").write_text("x" * 10)
    (run / "artifacts/deep/two").write_text("x" * 5)
    outside = tmp_path / "outside"
    outside.write_text("x" * 100)
    (run / "artifacts/link").symlink_to(outside)
    address = (run / "artifacts").as_uri()
    size = folder_bytes(address)
    assert 15 < size < 115
    assert remove_folder(address) == size
    assert not run.exists()
    assert outside.exists()
    assert remove_folder(address) == folder_bytes(address) == 0


def test_other_files_of_a_run_stay(tmp_path):
    (tmp_path / "run/artifacts").mkdir(parents=True)
    (tmp_path / "run/notes").write_text("x")
    remove_folder(str(tmp_path / "run/artifacts"))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes"]


def test_a_folder_that_this_user_may_not_remove_is_told_before(tmp_path, monkeypatch):
    mine, gone, foreign = (tmp_path / name / "artifacts" for name in ("mine", "gone", "foreign"))
    for folder in (mine, foreign):
        folder.mkdir(parents=True)
    # Root may write everywhere.
    monkeypatch.setattr("os.access", lambda path, mode: "foreign" not in str(path))
    require_removable([mine.as_uri(), gone.as_uri(), "s3://bucket/artifacts"])
    with pytest.raises(ConfigurationError, match="foreign"):
        require_removable([mine.as_uri(), foreign.as_uri()])


class Listed:
    """A storage elsewhere, by the interface of MLflow."""

    def __init__(self, deletes):
        self.files = {"report/report.html": 30, "model": 5}
        self.deletes = deletes

    def list_artifacts(self, path):
        if path is not None:
            return [entry("report/report.html", 30), entry("report/unknown", None)]
        return [entry("report", None, is_dir=True), entry("model", 5)] if self.files else []

    def delete_artifacts(self):
        if self.deletes is None:
            raise NotImplementedError
        if self.deletes:
            self.files = {}


def entry(path, size, is_dir=False):
    return SimpleNamespace(path=path, file_size=size, is_dir=is_dir)


@pytest.mark.parametrize("deletes", [True, False, None])
def test_elsewhere_a_folder_is_gone_or_an_error_says_so(monkeypatch, deletes):
    storage = Listed(deletes)
    monkeypatch.setattr(artefact_folders, "_repository", lambda address: storage)
    address = "s3://bucket/run/artifacts"
    assert folder_bytes(address) == 35
    if deletes:
        assert remove_folder(address) == 35
        return
    with pytest.raises(StoreError, match="run/artifacts still holds 35 bytes: MLflow cannot delete"):
        remove_folder(address)
