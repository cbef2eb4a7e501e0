from __future__ import annotations

from pathlib import Path

import pytest

from lepton_pipeline.system.file_hashes import RECORD, find_altered, record_files


@pytest.fixture
def version(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    for name in ("MLmodel", "served_model.py", "code/a.py", "code/b.py", "input_example.json"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_what_was_recorded_is_whole(version):
    sha256 = record_files(version)
    assert len(sha256) == 64
    assert find_altered(version, sha256) is None
    assert find_altered(version) is None


@pytest.mark.parametrize("name", ["MLmodel", "served_model.py", "code/a.py", "input_example.json"])
def test_an_altered_file_is_named(version, name):
    sha256 = record_files(version)
    (version / name).write_text("x")
    assert find_altered(version, sha256) == f"{name} was altered"
    (version / name).unlink()
    assert find_altered(version, sha256) == f"{name} is missing"


def test_a_file_more_is_named(version):
    sha256 = record_files(version)
    (version / "code/torch.py").write_text("")
    assert find_altered(version, sha256) == "code/torch.py was added"


def test_an_altered_record_is_noticed_by_its_hash_only(version):
    sha256 = record_files(version)
    (version / "code/a.py").write_text("x")
    record_files(version)
    assert find_altered(version, sha256) == f"{RECORD} was altered"
    assert find_altered(version) is None
    (version / RECORD).unlink()
    assert find_altered(version, sha256) == f"{RECORD} is missing"


def test_what_mlflow_and_python_write_on_load_is_no_alteration(version):
    sha256 = record_files(version)
    (version / "registered_model_meta").write_text("model_name: x")
    (version / "code/__pycache__").mkdir()
    (version / "code/__pycache__/a.cpython-313.pyc").write_text("x")
    assert find_altered(version, sha256) is None


def test_of_many_alterations_three_are_named(version):
    sha256 = record_files(version)
    for at in range(5):
        (version / f"{at}.py").write_text("")
    assert find_altered(version, sha256) == "0.py was added, 1.py was added, 2.py was added, and 2 more"
