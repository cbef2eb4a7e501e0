"""Atomic writes: whole or not at all, whoever is killed, whatever fails; and no module writes them by hand."""

from __future__ import annotations

import ast
import errno
import os
import stat
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from lepton_pipeline.system.files import remove, replacing, temporary_name, write_json, write_text

SOURCES = Path(__file__).parents[2] / "src" / "lepton_pipeline"
WRITE_AND_DIE = """
import os, sys
from pathlib import Path
from lepton_pipeline.system.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os._exit(9)
"""


def test_a_file_is_replaced_and_its_folder_made(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "er" / "a.json"
    for content in ({"a": "ä"}, [1]):
        write_json(file, content)
    assert {path.name: path.read_text() for path in file.parent.iterdir()} == {"a.json": "[\n  1\n]"}


def test_a_folder_is_replaced_with_all_that_it_holds(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with replacing(tmp_path / "models") as folder:
            folder.mkdir()
            (folder / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["models", "models/new"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path, error: BaseException) -> None:
    write_text(tmp_path / "t.txt", "before")

    def fill() -> None:
        with replacing(tmp_path / "t.txt") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fill()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"t.txt": "before"}


def test_a_killed_writer_leaves_the_file_as_it_was_and_the_next_one_removes_its_rest(tmp_path: Path) -> None:
    write_text(tmp_path / "t[1].txt", "before")
    killed = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(tmp_path / "t[1].txt")], check=False)
    assert killed.returncode == 9
    assert (tmp_path / "t[1].txt").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 2
    write_text(tmp_path / "t[1].txt", "after", alone=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"t[1].txt": "after"}


def test_writers_of_one_file_at_a_time_do_not_disturb_one_another(tmp_path: Path) -> None:
    with replacing(tmp_path / "t.txt") as first:
        first.write_text("first")
        write_text(tmp_path / "t.txt", "second")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"t.txt": "first"}


def test_a_group_may_write_to_folders_made_in_one_of_its_own(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    umask = os.umask(0o022)
    try:
        with replacing(tmp_path / "deep" / "models") as folder:
            (folder / "inner").mkdir(parents=True)
    finally:
        os.umask(umask)
    made = [tmp_path / "deep", tmp_path / "deep/models", tmp_path / "deep/models/inner"]
    assert all(path.stat().st_mode & stat.S_IWGRP for path in made)


def test_the_bytes_are_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append((tmp_path / "t.txt").exists()))
    write_text(tmp_path / "t.txt", "a")
    assert seen == [False]


def test_a_folder_is_removed_whole_and_what_is_absent_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "models/inner").mkdir(parents=True)
    (tmp_path / "t.txt").touch()
    for name in ("models", "t.txt", "absent"):
        remove(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_name_may_lie_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / ".0123abcd.shop").mkdir()
    with temporary_name(tmp_path / "base" / "shop", tmp_path) as temporary:
        assert (temporary.parent, list(tmp_path.iterdir())) == (tmp_path, [])


@cache
def called(module: Path) -> set[str]:
    """Names that a module calls as attributes of something, or imports."""
    tree = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    found = set()
    for node in tree:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            # The method of a path takes one argument, that of a text two, `dataclasses.replace` names its own.
            one = len(node.args) == 1 and not node.keywords
            found.add(f"{node.func.attr}()" if node.func.attr == "replace" and one else node.func.attr)
            if isinstance(node.func.value, ast.Name):
                found.add(f"{node.func.value.id}.{node.func.attr}")
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize(
    ("home", "names"),
    [
        (
            "files",
            {"replace()", "os.replace", "os.rename", "tempfile.NamedTemporaryFile", "tempfile.mkstemp"},
        ),
        ("locks", {"fcntl.flock", "fcntl.lockf"}),
        ("signals", {"signal.signal", "signal.setitimer", "signal.alarm"}),
    ],
)
def test_only_one_module_replaces_files_takes_locks_or_handles_signals(home: str, names: set[str]) -> None:
    # A damaged state is moved aside, which replaces nothing.
    others = set(SOURCES.rglob("*.py")) - {
        SOURCES / f"system/{home}.py",
        SOURCES / "operations/schedule/state.py",
    }
    assert {str(path): found for path in others if (found := called(path) & names)} == {}
