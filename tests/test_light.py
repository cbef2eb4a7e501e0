"""Light commands stay light: which modules they import, and which they do not."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from kedro.framework.cli.cli import KedroCLI

from lepton_pipeline.cli import cli

HEAVY = {"torch", "mlflow", "great_expectations", "matplotlib", "sklearn", "onnx", "onnxruntime", "optuna"}
TABLES = {"pandas", "numpy", "pyarrow", "scipy", "sqlalchemy", "rich"}
CODE = """
import sys
from kedro.framework.cli import main
sys.argv = ["kedro", *{arguments!r}]
try:
    main()
except SystemExit as exit:
    assert not exit.code, exit.code
print(*sys.modules)
"""


def modules(folder, *arguments):
    code = CODE.format(arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "command", ["run", "vertical", "champion", "retrain", "schedule", "status", "alerts", "export", "tune"]
)
def test_the_help_of_a_command_imports_no_library_for_data(trained, command):
    assert not modules(trained[0].path, command, "--help") & (HEAVY | TABLES)


def test_the_list_of_pipelines_imports_no_library_for_models(trained):
    assert not modules(trained[0].path, "registry", "list") & HEAVY


def test_the_list_of_commands_imports_none_of_them(trained):
    imported = modules(trained[0].path, "--help")
    assert not imported & (HEAVY | TABLES)
    rooms = {
        name.removeprefix("lepton_pipeline.") for name in imported if name.startswith("lepton_pipeline.")
    }
    assert {room for room in rooms if room.partition(".")[0] not in ("system", "tracking")} == {
        *("cli", "errors", "hooks", "project", "project.config_loader", "settings"),
    }
    assert {room for room in rooms if room.startswith("tracking")} == {
        *("tracking", "tracking.database", "tracking.local_store"),
    }


def groups(command, name):
    yield name, command
    for each in getattr(command, "commands", {}).values():
        yield from groups(each.load() if hasattr(each, "load") else each, f"{name} {each.name}")


GROUPS = [name for name, each in groups(cli, "kedro") if isinstance(each, click.Group)]


@pytest.mark.parametrize("name", GROUPS)
def test_help_names_every_command_once_with_its_first_line_whole(trained, monkeypatch, name):
    monkeypatch.chdir(trained[0].path)
    collection = KedroCLI(trained[0].path)
    help_text = CliRunner().invoke(collection, [*name.split()[1:], "--help"], terminal_width=80).output
    lines = help_text.partition("Commands:")[2].splitlines()
    names = [line.split()[0] for line in lines if line.startswith("  ")]
    assert len(names) == len(set(names))
    assert not [line for line in lines if line.endswith("...")]


@pytest.mark.parametrize(
    "name", [name for name, each in cli.commands.items() if "kedro." not in each._target]
)
def test_the_line_of_a_command_is_the_first_of_its_own_help(name):
    stub = cli.commands[name]
    assert stub.short_help == stub.load().help.partition("\n\n")[0]
    assert stub.load().name == name


@pytest.mark.parametrize("name", cli.commands)
def test_first_lines_of_help_fit_beside_the_names(name):
    stub = cli.commands[name]
    # Kedro's own have its words.
    parts = {} if "kedro." in stub._target else getattr(stub.load(), "commands", {})
    lines = {name: stub.short_help} | {part: each.help.partition("\n\n")[0] for part, each in parts.items()}
    assert {part: line for part, line in lines.items() if len(line) >= 45 or "\n" in line} == {}
