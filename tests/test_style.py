"""What crosses rooms is a record, and only nodes take many arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "src/lepton_pipeline"
MOST_ARGUMENTS = 7
# It only falls: a result that becomes a record lowers it.
MOST_DICTIONARIES_OF_ANYTHING = 59
WIRING = ("pipelines", "verticals")


@cache
def trees() -> dict[Path, ast.Module]:
    return {
        path.relative_to(PACKAGE): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, tree in trees().items():
        for each in ast.walk(tree):
            if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield path, each


def nodes() -> set[str]:
    """Names of the functions that the wiring hands to `Node` or `stages`, or that a function makes for that."""
    names = set()
    for path, tree in trees().items():
        if path.parts[0] in WIRING:
            made = {each.name: each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
            for call in ast.walk(tree):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Node":
                    name = ast.unparse(call.args[0]).partition("(")[0]
                    inner = made[name].body if isinstance(call.args[0], ast.Call) else []
                    names |= {name} | {each.name for each in inner if isinstance(each, ast.FunctionDef)}
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "stages":
                    names |= {ast.unparse(each.elts[0]) for each in call.args if isinstance(each, ast.Tuple)}
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "_named_whole":
                    names.add(ast.unparse(call.args[1]))
    return names


def test_only_nodes_take_more_than_seven_arguments():
    wired = nodes()
    assert {"gate_model", "register_model"} <= wired
    found = []
    for path, function in functions():
        given = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        names = {each.arg for each in given} - {"self", "cls"}
        if len(names) > MOST_ARGUMENTS and function.name not in wired:
            found.append(f"{path}: {function.name}")
    assert found == []


def test_dictionaries_of_anything_become_fewer():
    assert (
        sum(ast.unparse(tree).count("dict[str, Any]") for tree in trees().values())
        <= MOST_DICTIONARIES_OF_ANYTHING
    )


def test_no_two_test_modules_share_a_name() -> None:
    """Pytest imports them by their name alone, so the second one would be the first."""
    names = [path.name for path in Path(__file__).parent.rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
