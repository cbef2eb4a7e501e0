"""What the package imports is declared, what is declared is imported, and each is pinned."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Named in conf/, by the catalog.
BY_CONFIGURATION = {"kedro-datasets"}


def plain(name: str) -> str:
    """A requirement's name, as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", name, maxsplit=1)[0]).lower()


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


DECLARED = {plain(each) for each in PROJECT["dependencies"]}
EXTRAS = {
    plain(each) for name, extra in PROJECT["optional-dependencies"].items() if name != "dev" for each in extra
}


@pytest.fixture(scope="module")
def brought_by() -> dict[str, set[str]]:
    """Distributions by the modules that are imported: one such as mlflow is brought by several."""
    names = {name for path in (ROOT / "src").rglob("*.py") for name in imported(path)}
    # To read what is installed takes a while.
    distributions = packages_distributions()
    return {
        name: {plain(each) for each in distributions.get(name, [name])}
        for name in names - {*sys.stdlib_module_names, "lepton_pipeline"}
    }


def test_what_is_imported_is_declared(brought_by: dict[str, set[str]]) -> None:
    assert {name for name, brought in brought_by.items() if not brought & (DECLARED | EXTRAS)} == set()


def test_what_is_declared_is_imported(brought_by: dict[str, set[str]]) -> None:
    assert DECLARED - set().union(*brought_by.values()) == BY_CONFIGURATION


def test_what_is_declared_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert DECLARED - {plain(line) for line in lines if "==" in line} == set()
