"""The rooms of the package: imports run downwards only, and no modules import one another in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "lepton_pipeline"
# From the top: a module imports from its own line and from those below it.
LINES = (
    "cli notebook settings pipeline_registry",
    "pipelines hooks onboarding",
    "terminal",
    "operations runs",
    "reporting",
    "registry serving",
    "scoring evaluation export",
    "model",
    "features verticals recommendation datasets project",
    "tasks",
    "data tracking",
    "parameters system statistics errors",
)
LEVELS = {room: level for level, line in enumerate(LINES) for room in line.split()}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
    if path != PACKAGE / "__init__.py"
}


def imports(path: Path) -> Iterator[str]:
    """Modules of the package that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            module = name.removeprefix("lepton_pipeline.")
            if name != module:
                yield module if module in MODULES else module.rpartition(".")[0]


@cache
def imported(module: str) -> frozenset[str]:
    """Modules that a module imports."""
    return frozenset(imports(MODULES[module])) - {module, ""}


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downwards(module):
    def level(name: str) -> int:
        return LEVELS[name.partition(".")[0]]

    assert [name for name in imported(module) if level(name) < level(module)] == []


def test_no_modules_import_one_another_in_a_circle():
    try:
        TopologicalSorter({module: imported(module) for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_rooms_of_a_line_import_one_another():
    rooms: dict[str, set[str]] = {}
    for module in MODULES:
        room = module.partition(".")[0]
        rooms.setdefault(room, set()).update({name.partition(".")[0] for name in imported(module)} - {room})
    try:
        TopologicalSorter(rooms).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_root_keeps_only_what_kedro_and_every_room_need():
    assert {path.stem for path in PACKAGE.glob("*.py")} == {
        "__init__",
        "settings",
        "pipeline_registry",
        "datasets",
        "errors",
    }
