import hashlib
import subprocess

import pytest

from lepton_pipeline.system.credentials import masked
from lepton_pipeline.tracking.lineage import (
    code_diff,
    code_facts,
    environment,
    machine_facts,
    package_sha256,
    sha256,
)


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_outside_a_checkout_there_is_no_commit(tmp_path):
    assert code_facts(tmp_path) == {"git.commit": "none", "git.dirty": "unknown"}


def test_the_commit_and_a_changed_tree_are_told(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    tags = code_facts(tmp_path)
    assert len(tags["git.commit"]) == 40
    assert tags["git.dirty"] == "false"
    (tmp_path / "a").write_text("2")
    assert code_facts(tmp_path)["git.dirty"] == "true"


@pytest.mark.parametrize("tracked", [False, True])
def test_a_folder_of_a_repository_has_its_commit_only_where_it_is_tracked(tmp_path, tracked):
    git(tmp_path, "init")
    project = tmp_path / "lepton"
    (project / "src").mkdir(parents=True)
    (project / "src" / "stage.py").write_text("rows = 1\n")
    if tracked:
        git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--allow-empty", "-m", "other")
    (project / "src" / "stage.py").write_text("rows = 2\n")
    (tmp_path / "else.bin").write_text("nothing of the project\n")
    tags = code_facts(project)
    assert len(tags["git.commit"]) == (40 if tracked else len("none"))
    assert tags["git.dirty"] == ("true" if tracked else "unknown")
    assert (b"rows = 2" in code_diff(project)) == tracked
    if tracked:
        git(project, "commit", "-am", "mine")
        assert code_facts(project)["git.dirty"] == "false"


def test_the_environment_lists_versions_sorted():
    lines = environment().splitlines()
    assert lines == sorted(lines)
    assert any(line.startswith("kedro==") for line in lines)


def test_the_hash_of_a_mapping_does_not_depend_on_its_order():
    assert sha256({"a": 1, "b": {"c": 2, "d": 3}}) == sha256({"b": {"d": 3, "c": 2}, "a": 1})
    assert sha256({"a": 1}) != sha256({"a": 2})


@pytest.fixture
def checkout(tmp_path):
    """A project with code, configuration and secrets, committed as far as one commits them."""
    git(tmp_path, "init")
    files = {
        ".gitignore": "conf/local/*\n*.secret\n",
        "src/shop/stage.py": "rows = 1\n",
        "conf/base/shop/parameters.yml": "shop: {}\n",
        "conf/base/mlflow.yml": "tracking_uri: x\n",
        "README.md": "read me\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "a")
    return tmp_path


def test_the_stored_difference_brings_the_code_back(checkout, tmp_path_factory):
    assert code_diff(checkout) == b""
    (checkout / "src/shop/stage.py").write_text("rows = 2\n")
    (checkout / "src/shop/new stage.py").write_text("new = 'ä'\n")
    (checkout / "src/shop/picture.bin").write_bytes(bytes(range(256)))
    (checkout / "conf/base/shop/parameters.yml").unlink()
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=checkout, capture_output=True, check=True
    ).stdout
    diff = code_diff(checkout)
    assert code_facts(checkout)["git.diff.sha256"] == hashlib.sha256(diff).hexdigest()
    # The user's index is as it was.
    after = subprocess.run(
        ["git", "status", "--porcelain"], cwd=checkout, capture_output=True, check=True
    ).stdout
    assert after == status

    clone = tmp_path_factory.mktemp("clone") / "project"
    subprocess.run(["git", "clone", "--quiet", str(checkout), str(clone)], check=True)
    (clone.parent / "code.diff").write_bytes(diff)
    git(clone, "apply", str(clone.parent / "code.diff"))
    assert (clone / "src/shop/stage.py").read_text() == "rows = 2\n"
    assert (clone / "src/shop/new stage.py").read_text() == "new = 'ä'\n"
    assert (clone / "src/shop/picture.bin").read_bytes() == bytes(range(256))
    assert not (clone / "conf/base/shop/parameters.yml").exists()
    assert code_diff(clone) == diff


def test_no_secret_is_in_the_difference(checkout):
    canary = "canary"
    for name in (
        "conf/local/parameters.yml",
        "conf/base/credentials.yml",
        "conf/prod/shop/credentials_db.yml",
        "conf/base/mlflow.yml",
        "src/shop/key.secret",
        "notes.txt",
    ):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(canary)
    git(checkout, "add", "--force", "conf/local/parameters.yml")
    assert code_diff(checkout) == b""
    (checkout / "src/shop/stage.py").write_text("con = 'postgresql://me:canary@db/x'\n")
    assert b"postgresql://***@db/x" in masked(code_diff(checkout))
    assert b"canary" not in masked(code_diff(checkout))


def test_a_users_own_settings_of_git_do_not_change_the_difference(checkout):
    (checkout / "src/shop/stage.py").write_text("rows = 2\n")
    before = code_diff(checkout)
    for key, value in (
        ("diff.noprefix", "true"),
        ("color.ui", "always"),
        ("diff.external", "false"),
        ("diff.context", "9"),
    ):
        git(checkout, "config", key, value)
    assert code_diff(checkout) == before


def test_the_package_has_one_hash_and_python_and_processor_have_names():
    assert package_sha256() == package_sha256()
    assert len(package_sha256()) == 64
    tags = machine_facts()
    assert tags["python"].count(".") == 2
    assert tags["processor"].strip(", ")
