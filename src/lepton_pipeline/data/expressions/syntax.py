"""Parse expressions, and refuse what is not allowed in them."""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Sequence

from lepton_pipeline.data.expressions.functions import FUNCTIONS
from lepton_pipeline.errors import nearest

_LENGTH = 1000
_DEPTH = 100

_TOKENS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`([^`]*)`|[\s\S]""")
CONSTANTS = {"pi": math.pi, "missing": math.nan}
ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_REFUSED: dict[type[ast.AST], str] = {
    ast.Attribute: "a dot after a name is not allowed; write a column name with a dot in backticks",
    ast.Subscript: "square brackets after a value are not allowed; write a column name with brackets in backticks, "
    "and cut texts with slice(text, start, stop)",
    ast.IfExp: "if .. else is not allowed; write where(condition, a, b)",
    ast.BitAnd: "& is not allowed; write and",
    ast.BitOr: "| is not allowed; write or",
    ast.Invert: "~ is not allowed; write not",
    ast.BitXor: "^ is not allowed; write ** for a power",
    ast.Is: "is is not allowed; write == or is_missing(x)",
    ast.IsNot: "is not is not allowed; write != or not is_missing(x)",
    ast.List: "a list stands only after in or not in",
    ast.Tuple: "a list stands only after in or not in",
    ast.JoinedStr: "texts with values in them are not allowed; join texts with +",
    ast.UAdd: "+ before a value is not allowed; leave it out",
}


class RefusedError(Exception):
    """Why an expression cannot be used."""


def parse(text: str) -> tuple[ast.expr, tuple[str, ...]]:
    """The syntax tree, whose names are columns and called functions, and the columns by first use."""
    if not text.strip():
        raise RefusedError("it is empty; write one such as amount / income")
    if len(text) > _LENGTH:
        raise RefusedError(
            f"it has {len(text):,} characters, more than {_LENGTH:,}; split it into several columns"
        )
    source, quoted = _without_backticks(text)
    try:
        # What Python finds odd, such as '\d' in a text, is no concern of who runs a pipeline.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise RefusedError(
            f"{error.msg}; write a column whose name is no identifier in backticks, such as `Torque [Nm]`"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise RefusedError(f"it cannot be read ({error or 'nested too deeply'}); simplify it") from error
    _check_depth(tree)
    names = _Names(quoted)
    tree = names.visit(tree)
    _check(tree)
    return tree, tuple(dict.fromkeys(names.columns))


def _without_backticks(text: str) -> tuple[str, dict[str, str]]:
    """Replace names in backticks by identifiers; the names by identifier."""
    prefix = "column_"
    while prefix in text:
        prefix += "_"
    quoted: dict[str, str] = {}
    parts: list[str] = []
    for token in _TOKENS.finditer(text.strip()):
        part = token.group()
        if part.startswith("`"):
            if not token.group(1):
                raise RefusedError("a backtick has no partner, or nothing between; write `column name`")
            part = f"{prefix}{len(quoted)}"
            quoted[part] = token.group(1)
            # A name directly beside another one must not become part of it.
            part = f" {part} "
        elif part == "#":
            raise RefusedError("# is not allowed; write comments outside of the expression")
        parts.append(" " if part.isspace() else part)
    return "".join(parts).strip(), quoted


def _check_depth(tree: ast.expr) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise RefusedError(f"it is nested deeper than {_DEPTH} levels; split it into several columns")


class _Names(ast.NodeTransformer):
    """Restore column names, and insert constants."""

    def __init__(self, quoted: dict[str, str]) -> None:
        self.quoted = quoted
        self.columns: list[str] = []

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name) or node.func.id in self.quoted:
            raise RefusedError(f"only functions can be called; they are {', '.join(FUNCTIONS)}")
        if node.keywords:
            raise RefusedError(f"arguments of {node.func.id} are given by position, without names")
        node.args = [self.visit(argument) for argument in node.args]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in CONSTANTS:
            return ast.Constant(CONSTANTS[node.id])
        name = self.quoted.get(node.id, node.id)
        self.columns.append(name)
        return ast.Name(name, node.ctx)


def _check(node: ast.AST) -> None:
    """Refuse everything but what `_Evaluation` knows."""
    match node:
        case ast.Name():
            return
        case ast.Constant():
            _check_constant(node)
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            _check(node.operand)
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            _check(node.left)
            _check(node.right)
        case ast.BoolOp():
            _check_all(node.values)
        case ast.Compare():
            _check_comparison(node)
        case ast.Call(func=ast.Name(id=name)):
            _check_call(name, node.args)
            _check_all(node.args)
        case _:
            refused = node.op if isinstance(node, (ast.BinOp, ast.UnaryOp)) else node
            raise RefusedError(_REFUSED.get(type(refused), f"{type(refused).__name__} is not allowed"))


def _check_all(nodes: Sequence[ast.AST]) -> None:
    for node in nodes:
        _check(node)


def _check_constant(node: ast.Constant) -> None:
    if node.value is None:
        raise RefusedError("None is not allowed; write missing for no value, and is_missing(x) to ask for it")
    if not isinstance(node.value, (bool, int, float, str)):
        raise RefusedError(f"{node.value!r} is not allowed; write a number, a text, True or False")
    # Compared, not converted: a long whole number does not fit into a float.
    if not isinstance(node.value, str) and abs(node.value) > 1e300:
        raise RefusedError("a number is too large; write one below 1e300")


def _check_comparison(node: ast.Compare) -> None:
    _check(node.left)
    constants = [side for side in [node.left, *node.comparators] if isinstance(side, ast.Constant)]
    if any(side.value != side.value for side in constants):
        raise RefusedError("no value is equal to missing; write is_missing(x)")
    for operation, other in zip(node.ops, node.comparators, strict=True):
        if type(operation) not in COMPARISONS:
            raise RefusedError(_REFUSED[type(operation)])
        if not isinstance(operation, (ast.In, ast.NotIn)):
            _check(other)
            continue
        if other is not node.comparators[-1]:
            raise RefusedError("nothing can be compared with a list; join two conditions with and")
        options = other.elts if isinstance(other, (ast.List, ast.Tuple)) else []
        if not options or not all(map(_is_constant, options)):
            raise RefusedError("in needs a list of constants, such as ['a', 'b']")
        _check_all(options)


def _check_call(name: str, arguments: Sequence[ast.expr]) -> None:
    if name not in FUNCTIONS:
        match = nearest(name, FUNCTIONS)
        hint = f"did you mean {match}? The" if match else "the"
        raise RefusedError(f"there is no function {name!r}; {hint} functions are {', '.join(FUNCTIONS)}")
    function = FUNCTIONS[name]
    if not function.accepts(len(arguments)):
        raise RefusedError(f"{name} is called with {len(arguments)} arguments; write {function.signature}")
    for position, argument in enumerate(arguments):
        wanted = function.parameter(position)
        value = ast.literal_eval(argument) if _is_constant(argument) else None
        text, whole = isinstance(value, str), type(value) is int and abs(value) <= _LENGTH
        if (wanted == "text constant" and not text) or (wanted == "whole constant" and not whole):
            example = "a text in quotes" if wanted == "text constant" else f"a whole number up to {_LENGTH:,}"
            raise RefusedError(f"argument {position + 1} of {function.signature} must be {example}")


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
        return isinstance(node, ast.Constant) and type(node.value) in (int, float)
    return isinstance(node, ast.Constant)
