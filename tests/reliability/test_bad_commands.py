"""Generated bad inputs to the whole command: never a traceback, always a documented exit code and a message."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from bad_inputs import COMMANDS, DECLARATIONS, DECLARED, TABLES, UP_TO_THE_ENCODING, Input, purchases
from conftest import Project, copy_face
from hypothesis import HealthCheck, Phase, Verbosity, given
from hypothesis import settings as tried

EXAMPLES, EXHAUSTIVE = 6, 40
DOCUMENTED = {0, 2, 3}


@pytest.fixture(scope="module")
def face(tmp_path_factory) -> Path:
    """A project with one vertical, to be copied."""
    path = tmp_path_factory.mktemp("face") / "project"
    copy_face(path, [])
    (path / "conf/base/shop").mkdir()
    (path / "conf/base/shop/parameters.yml").write_text(yaml.safe_dump({"shop": DECLARED}))
    (path / "data/01_raw/shop").mkdir(parents=True)
    purchases().to_csv(path / "data/01_raw/shop/purchases.csv", index=False)
    return path


@pytest.mark.exhaustive
def test_what_is_spoiled_is_right_by_itself(warm, face, store, tmp_path):
    project = Project(tmp_path / "project")
    shutil.copytree(face, project.path)
    shutil.copy(store, project.path / "mlflow.db")
    done = warm.run(project.path, *UP_TO_THE_ENCODING)
    assert done.returncode == 0, done.said


def test_two_thousand_columns_are_no_error(warm, face, store, tmp_path):
    project = Project(tmp_path / "project")
    shutil.copytree(face, project.path)
    shutil.copy(store, project.path / "mlflow.db")
    more = pd.DataFrame({f"x{n}": [n % 7] * 60 for n in range(2_000)})
    table = pd.concat([purchases(), more], axis=1)
    table.to_csv(project.path / "data/01_raw/shop/purchases.csv", index=False)
    # To search them all for leaks takes minutes.
    done = warm.run(project.path, *UP_TO_THE_ENCODING[:-1], "shop.split_rows")
    assert done.returncode == 0, done.said


@pytest.mark.parametrize(
    "inputs", [TABLES, DECLARATIONS, COMMANDS], ids=["tables", "declarations", "command lines"]
)
def test_bad_input_ends_in_a_message_and_a_documented_exit_code(
    inputs, warm, face, store, tmp_path, exhaustive, record_property
):
    """Many inputs, the same every time."""
    problems: list[str] = []
    seen: dict[int, int] = {}

    @tried(
        max_examples=EXHAUSTIVE if exhaustive else EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        # Each is a process: what is found is shown as it is.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(inputs)
    def try_one(given: Input) -> None:
        project = Project(tmp_path / "project")
        shutil.rmtree(project.path, ignore_errors=True)
        shutil.copytree(face, project.path)
        shutil.copy(store, project.path / "mlflow.db")
        put(project, given)
        done = warm.run(project.path, *given.arguments)
        seen[done.returncode] = seen.get(done.returncode, 0) + 1
        problem = wrong(project, done)
        if problem:
            shown = {name: content and content[:300] for name, content in given.files.items()}
            problems.append(f"{problem}\n{given.arguments}\n{shown}\n{done.said[-1500:]}")

    try_one()
    record_property("exit codes", seen)
    assert sum(seen.values()) >= (EXHAUSTIVE if exhaustive else EXAMPLES) // 2, seen
    assert (3 if inputs is TABLES else 2) in seen, f"no input was bad: {seen}"
    assert not problems, f"{len(problems)} of {seen}:\n\n" + "\n\n".join(problems)


def put(project: Project, given: Input) -> None:
    """Put the files of an input into the project, in the place of those that are there."""
    for name, content in given.files.items():
        file = project.path / name
        shutil.rmtree(file.parent)
        file.parent.mkdir()
        if content is None:
            file.mkdir()
        else:
            file.write_bytes(content)


def wrong(project: Project, done) -> str:
    """What is wrong about how a command ended, or nothing."""
    if "Traceback" in done.said or re.search(r'File ".*", line \d', done.said):
        return f"a traceback, exit code {done.returncode}"
    if done.returncode not in DOCUMENTED:
        return f"exit code {done.returncode}"
    message = re.search(r"[Ee]rror: (.*)", done.stderr, re.DOTALL)
    if done.returncode and (message is None or len(message[1].strip()) < 15):
        return f"exit code {done.returncode} without a message"
    if [each for each in (project.path / "data").rglob(".*") if each.name != ".locks"]:
        return "a half-written file"
    if any((folder / "owned").exists() for folder in (project.path, project.path.parent)):
        return "a command of the input was executed"
    if {run.info.status for run in project.runs("shop")} & {"RUNNING"}:
        return "a run that is still open"
    return ""
