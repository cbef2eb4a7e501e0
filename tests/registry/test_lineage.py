import subprocess

from lepton_pipeline.registry.lineage import code_tags, environment, sha256


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_outside_a_checkout_there_is_no_commit(tmp_path):
    assert code_tags(tmp_path) == {"git.commit": "none", "git.dirty": "unknown"}


def test_the_commit_and_a_changed_tree_are_told(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    tags = code_tags(tmp_path)
    assert len(tags["git.commit"]) == 40
    assert tags["git.dirty"] == "false"
    (tmp_path / "a").write_text("2")
    assert code_tags(tmp_path)["git.dirty"] == "true"


def test_the_environment_lists_versions_sorted():
    lines = environment().splitlines()
    assert lines == sorted(lines)
    assert any(line.startswith("kedro==") for line in lines)


def test_the_hash_of_a_mapping_does_not_depend_on_its_order():
    assert sha256({"a": 1, "b": {"c": 2, "d": 3}}) == sha256({"b": {"d": 3, "c": 2}, "a": 1})
    assert sha256({"a": 1}) != sha256({"a": 2})
