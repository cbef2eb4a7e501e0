"""What is given to `make` names verticals and a port; it is never a command."""

import shutil
import subprocess

import pytest
from conftest import REPOSITORY


@pytest.fixture
def make(tmp_path):
    """Call make with a kedro that writes its arguments to standard output."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name in ("kedro", "mlflow"):
        (tmp_path / ".venv/bin" / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / ".venv/bin" / name).chmod(0o755)

    def call(*arguments):
        # What is installed counts as newer than everything.
        command = ["make", "--silent", "-o", ".venv/.installed", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert not (tmp_path / "owned").exists()
        return done

    return call


@pytest.mark.parametrize(
    ("given", "run"),
    [
        ([], "kedro run --pipelines finance"),
        (["VERTICAL=energy,retail"], "kedro run --pipelines energy,retail"),
        (["VERTICAL=all"], "kedro run"),
    ],
)
def test_verticals_are_run(make, given, run):
    assert make("run", *given).stdout == f"{run}\n"


@pytest.mark.parametrize(
    "value",
    [
        "x; touch owned",
        "x`touch owned`",
        '"; touch owned; "',
        "'; touch owned; '",
        "x\ntouch owned",
        "x -e p",
        "",
    ],
)
@pytest.mark.parametrize(("target", "name"), [("run", "VERTICAL"), ("ui", "PORT")])
def test_what_is_no_name_is_refused(make, target, name, value):
    done = make(target, f"{name}={value}")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{name} is no n" in done.stderr


@pytest.mark.parametrize("value", ["$(shell touch owned)", "$$(touch owned)", "${x}"])
def test_nor_is_it_expanded_by_make(make, value):
    assert "VERTICAL and PORT take names and a number" in make("run", f"VERTICAL={value}").stderr
