"""Names, values and parameters that mean something to a file system, SQL, HTML or a shell stay what they are: text."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import click
import pandas as pd
import pytest
import yaml
from bad_inputs import DECLARED, purchases
from conftest import REPOSITORY, Project, copy_face

from lepton_pipeline.cli import LazyCommand, cli
from lepton_pipeline.datasets import FolderDataset
from lepton_pipeline.errors import DataError

SCRIPT, IMAGE = "<script>alert(1)</script>", "<img src=x onerror=alert(1)>"
# An image that would be fetched, a cursor that moves and rings, and text that runs backwards.
LINKED, MOVING = "![x](http://127.0.0.1:1/x.png)", "\x1b[31mred\x1b[0m\x07 \u202etxt.exe\u2069"
NAMES = [
    "../escaped",
    "/tmp/escaped",
    "a/../../escaped",
    "x' OR '1'='1",
    'x"; DROP TABLE runs; --',
    "x`y",
    "two\nlines",
    "$(touch owned)",
    "; touch owned",
    SCRIPT,
    "%2e%2e%2fescaped",
]


@pytest.fixture(scope="module")
def project(tmp_path_factory, store) -> Project:
    path = tmp_path_factory.mktemp("injection") / "project"
    copy_face(path, [])
    (path / "data/01_raw/shop").mkdir(parents=True)
    table = purchases(120).rename(columns={"amount": SCRIPT})
    table["shop"] = [IMAGE, f"'; drop table runs; -- {LINKED}", "$(touch owned)", f"two\nlines {MOVING}"] * 30
    table[f"{LINKED} {MOVING}"] = range(120)
    table.to_csv(path / "data/01_raw/shop/purchases.csv", index=False)
    evil = {
        "expect": "column_values_to_be_in_set",
        "column": "shop",
        "value_set": ["A"],
        "on_failure": "warn",
    }
    between = {
        "expect": "column_values_to_be_between",
        "column": SCRIPT,
        "min_value": 3,
        "on_failure": "quarantine",
    }
    declared = {
        **DECLARED,
        "about": {"question": f"Who {SCRIPT}?", "caution": f"Synthetic {IMAGE} {LINKED} {MOVING}"},
        "dataset": {"target": "bought", "positive": "yes", "id": "id"},
        "contract": {"max_quarantined": 0.3, "expectations": [evil, between]},
        "features": {},
        "split": {"strategy": "stratified", "test": 0.4},
        "gate": {"at_least": 0.0, "margin": 0.99, "baseline_margin": 0.99},
    }
    (path / "conf/base/shop").mkdir()
    (path / "conf/base/shop/parameters.yml").write_text(yaml.safe_dump({"shop": declared}))
    shutil.copy(store, path / "mlflow.db")
    return Project(path)


def files(project: Project) -> set[Path]:
    """All files of the project and around it, without those of git's or Python's own."""
    return {
        path for path in project.path.parent.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }


def commands(group: click.Group, *before: str) -> list[tuple[tuple[str, ...], click.Command]]:
    """The commands of the project that take a name, and no file alone."""
    found = []
    for name, command in group.commands.items():
        if isinstance(command, LazyCommand):
            command = command.load()
        # What Kedro has of its own, or hands on to IPython, reads no names.
        if command.callback.__module__.startswith("kedro.") or name == "ipython":
            continue
        if isinstance(command, click.Group):
            found += commands(command, *before, name)
        elif any(isinstance(param, click.Argument) and not is_path(param) for param in command.params):
            found.append(((*before, name), command))
    return found


def is_path(param: click.Parameter) -> bool:
    return isinstance(param.type, click.Path)


def arguments(command: click.Command, evil: str) -> list[str]:
    """Its arguments, and the options that are required: all evil but paths, which must exist."""
    words: list[str] = []
    for param in command.params:
        value = "data/01_raw/shop/purchases.csv" if is_path(param) else evil
        if isinstance(param, click.Argument):
            words.append(value)
        elif param.required:
            words += [param.opts[0], value]
    return words


def test_no_command_follows_a_name_out_of_its_folder_or_into_a_query(warm, project, exhaustive):
    before = files(project)
    makers = [
        lambda evil, words=words, each=each: [*words, *arguments(each, evil)] for words, each in commands(cli)
    ]
    makers.append(lambda evil: ["run", "--pipelines", evil])
    # Each command and each name, or each command with each name.
    for number, make in enumerate(makers):
        for evil in NAMES if exhaustive else [NAMES[number % len(NAMES)]]:
            warm.start(project.path, *make(evil))
    ended = warm.wait()
    assert len(ended) >= len(NAMES)
    for done in ended:
        assert done.returncode == 2, done.said
        assert "Traceback" not in done.said
    lock = {project.path / "mlflow.db.lock"}
    assert files(project) - lock == before - lock
    assert not Path("/tmp/escaped").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x' OR '1'='1", ["run"]),
        ("<script>", ["vertical", "list"]),
        ("$(touch owned)", ["vertical", "check"]),
        ("two\nlines", ["run"]),
        ("UPPER", ["vertical", "list"]),
    ],
)
def test_a_folder_that_cannot_be_a_vertical_is_refused(warm, project, tmp_path, name, words):
    copy = Project(tmp_path / "project")
    shutil.copytree(project.path, copy.path, ignore=shutil.ignore_patterns("mlruns", "data"))
    shutil.copytree(copy.path / "conf/base/shop", copy.path / "conf/base" / name)
    done = warm.run(copy.path, *words)
    assert done.returncode == 2, done.said
    assert "cannot be a vertical" in done.stderr
    assert "Traceback" not in done.said


def test_reports_and_the_page_of_a_run_show_names_and_values_as_text(warm, project):
    done = warm.run(project.path, "run", "--pipelines", "shop")
    assert done.returncode == 0, done.said
    pages = [path for path in project.path.rglob("*.html") if path.is_file()]
    assert pages
    for page in pages:
        text = page.read_text()
        assert SCRIPT not in text, page
        assert IMAGE not in text, page
    assert (
        "&lt;script&gt;alert(1)" in (project.path / "data/08_reporting/shop/data_docs/index.html").read_text()
    )
    (run,) = project.runs("shop")
    assert run.info.status == "FINISHED"
    version = project.client().get_model_version_by_alias("shop", "champion")
    for text in (run.data.tags["mlflow.note.content"], version.description or ""):
        assert (
            r"Synthetic &lt;img src=x onerror=alert(1)> !\[x\](http://127.0.0.1:1/x.png) \\x1b\[31mred"
            in text
        )
        assert not re.search(r"<(script|img)|!\[", text)
    for moving in "\x1b\x07\u202e\u2069":
        assert moving not in done.said
    assert r"\x1b[31mred\x1b[0m\x07 \u202etxt.exe\u2069" in done.stdout
    assert not list(project.path.parent.rglob("owned"))


def test_parameters_of_the_command_line_are_text(warm, project, exhaustive):
    values = ("'; drop table runs; --", "$(touch owned)", "../../escaped", SCRIPT, "__import__('os')")
    keys = ("dataset.target", "training.device")
    for number, value in enumerate(values):
        for key in keys if exhaustive else [keys[number % 2]]:
            done = warm.run(project.path, "run", "--pipelines", "shop", "--params", f"shop.{key}={value}")
            assert done.returncode in (2, 3), done.said
            assert "Traceback" not in done.said
    assert project.runs("shop")
    assert not list(project.path.parent.rglob("owned"))


@pytest.mark.parametrize("name", ["../escaped.txt", "/tmp/escaped.txt", "a/../../escaped.txt"])
def test_a_file_of_a_folder_cannot_be_written_outside_of_it(tmp_path, name):
    folder = FolderDataset(filepath=str(tmp_path / "folder"))
    with pytest.raises(Exception, match="lies outside of") as caught:
        folder.save({"good.txt": b"1", name: b"2"})
    assert not isinstance(caught.value, DataError)
    assert not list(tmp_path.rglob("*.txt"))


def test_no_text_is_put_into_a_filter_or_a_shell():
    """MLflow's filters know no placeholders, so that a quote in a name would end it."""
    for file in (REPOSITORY / "src").rglob("*.py"):
        text = file.read_text()
        assert not re.search(r"(search_\w+\(|filter_string=)[^)]*f[\"'][^\"]*'\{", text), file
        assert not re.search(r"shell=True|os\.system|os\.popen", text), file


def test_columns_of_a_table_that_is_matched_are_text(warm, project):
    table = pd.DataFrame({SCRIPT: [1, 2], "x' OR '1'='1": [3, 4], "two\nlines": [5, 6]})
    table.to_csv(project.path / "odd.csv", index=False)
    done = warm.run(project.path, "vertical", "match", "odd.csv")
    assert done.returncode == 0, done.said
