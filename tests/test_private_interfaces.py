"""Private interfaces of other libraries that the package uses, each with the test that fails when it changes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from kedro.framework.context import KedroContext

ROOT = Path(__file__).parents[1]
# By library and name: the modules that use it, and the test that watches it.
USED: dict[str, tuple[set[str], str]] = {
    "fsspec _strip_protocol": (
        {"data/files.py", "data/raw_file.py"},
        "tests/data/test_files.py::test_remote_folders_follow_the_same_rule",
    ),
    "kedro _pipelines_to_validate": (
        {"onboarding/check.py", "operations/backfill/steps.py", "operations/retraining/steps.py"},
        "tests/test_private_interfaces.py::test_kedro_validates_the_pipelines_that_a_context_names",
    ),
    "kedro _requested_pipelines": (
        {"hooks/declaration.py", "project/config_loader.py"},
        "tests/project/test_config_loader.py::test_a_file_of_another_vertical_is_not_read",
    ),
    "mlflow _model_impl": (
        {"serving/requests.py"},
        "tests/serving/test_same_for_every_client.py::test_a_frame_gives_the_same_bits",
    ),
    "omegaconf _get_full_key": (
        {"system/variables.py"},
        "tests/project/test_config_loader.py::test_a_variable_of_alerts_is_read_and_is_a_secret_from_then_on",
    ),
    **{
        f"scikit-learn {name}": (
            {"model/boosting/trees.py"},
            "tests/model/boosting/test_trees.py::test_logits_are_those_of_the_model_for_codes_seen_unseen_and_beyond",
        )
        for name in ("_baseline_prediction", "_predictors", "_preprocessor")
    },
}
# What the language, or a named tuple, documents.
PUBLIC = {"_asdict", "_replace", "_fields", "_"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def own_names(trees: Iterable[ast.AST]) -> set[str]:
    """Private names that the package defines itself."""
    found = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
                found.add(node.attr)
    return found


def private_names(tree: ast.AST) -> Iterator[str]:
    """Private attributes read, by name or by `getattr`, and private names and modules imported from elsewhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"getattr", "hasattr"}
        ):
            yield from (each.value for each in node.args[1:2] if isinstance(each, ast.Constant))
        elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("lepton_pipeline"):
            yield from (each.name for each in node.names)
            yield from (node.module or "").split(".")
        elif isinstance(node, ast.Import):
            yield from (part for each in node.names for part in each.name.split("."))


def test_no_other_private_interface_is_used() -> None:
    sources = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "src").rglob("*.py")}
    own = own_names(sources.values())
    found: dict[str, set[str]] = {}
    for path, tree in sources.items():
        for name in filter(is_private, private_names(tree)):
            if name not in own:
                found.setdefault(name, set()).add(path.relative_to(ROOT / "src/lepton_pipeline").as_posix())
    assert found == {key.split()[1]: modules for key, (modules, _) in USED.items()}


@pytest.mark.parametrize("key", USED)
def test_each_is_watched(key: str) -> None:
    file, _, name = USED[key][1].partition("::")
    functions = ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))
    assert name in {node.name for node in functions if isinstance(node, ast.FunctionDef)}


def test_kedro_validates_the_pipelines_that_a_context_names() -> None:
    assert "for name in self._pipelines_to_validate" in inspect.getsource(KedroContext)
