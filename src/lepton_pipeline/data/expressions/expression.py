"""The expression language of `features.derive` and `dataset.positive_when`.

Columns are written by name, or in backticks where the name is no identifier. Everything outside a short list
of syntax is refused before there is data; nothing is ever handed to Python's `eval`.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lepton_pipeline.data.expressions.functions import FUNCTIONS
from lepton_pipeline.data.expressions.values import (
    ARITHMETIC,
    COMPARISONS,
    EvaluationError,
    Value,
    arithmetic,
    combined,
    compared,
    constant,
    from_column,
    is_missing,
    opposite,
    to_column,
)
from lepton_pipeline.errors import ConfigurationError, DataError, closest, nearest

_SHOWN = 200
_LENGTH = 1000
_DEPTH = 100

_TOKENS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`([^`]*)`|[\s\S]""")
CONSTANTS = {"pi": math.pi, "missing": math.nan}
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
    ast.List: "a list is allowed only after in or not in",
    ast.Tuple: "a list is allowed only after in or not in",
    ast.JoinedStr: "texts with values in them are not allowed; join texts with +",
    ast.UAdd: "+ before a value is not allowed; leave it out",
}


@dataclass(frozen=True)
class Expression:
    """A checked expression, declared at `key`, with the columns it reads, in the order of their first use."""

    key: str
    text: str
    columns: tuple[str, ...]
    tree: ast.expr = field(repr=False, compare=False)

    def evaluate(self, table: pd.DataFrame) -> pd.Series:
        """Compute the value of every row, indexed as `table`.

        The result is int64 or float64 (missing is NaN, never infinity), bool, str or datetime64. Conditions
        on missing values are unknown to `and`, `or` and `not`; what is unknown in the end is False. Raises a
        DataError where a column is absent, or an operator or a function does not take values of a kind.
        """
        try:
            return to_column(self._value(table), table.index)
        except EvaluationError as error:
            raise DataError(f"{self.key}: {self.text!r} cannot be computed: {error}.") from error

    def unknown(self, table: pd.DataFrame) -> pd.Series:
        """Mark the rows where the expression is unknown, because a value is missing.

        >>> parse_expression("x > 1 or is_missing(y)", "").unknown(pd.DataFrame({"x": [2, None], "y": [1, 1]})).tolist()
        [False, True]
        """
        return pd.Series(np.broadcast_to(is_missing(self._value(table)), len(table)), index=table.index)

    def _value(self, table: pd.DataFrame) -> Value:
        self.check_columns([str(name) for name in table.columns])
        with np.errstate(all="ignore"):
            return self._node(self.tree, table)

    def _node(self, node: ast.expr, table: pd.DataFrame) -> Value:
        """The value of a node; errors name the columns of the smallest failing node."""
        try:
            return self._computed(node, table)
        except EvaluationError as error:
            names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
            read = [name for name in dict.fromkeys(names) if name in table]
            kinds = [f"column {name!r} holds {_described(table[name])}" for name in read]
            reasons = "; ".join([str(error), *kinds])
            raise DataError(f"{self.key}: {self.text!r} cannot be computed: {reasons}.") from error

    def _computed(self, node: ast.expr, table: pd.DataFrame) -> Value:
        def value(part: ast.expr) -> Value:
            return self._node(part, table)

        match node:
            case ast.Name(id=name):
                return from_column(table[name])
            case ast.Constant(value=str() | bool() | int() | float() as written):
                return constant(written)
            case ast.UnaryOp(op=ast.USub()):
                return arithmetic("*", value(node.operand), constant(-1))
            case ast.UnaryOp(op=ast.Not()):
                return opposite(value(node.operand))
            case ast.BinOp():
                return arithmetic(ARITHMETIC[type(node.op)][0], value(node.left), value(node.right))
            case ast.BoolOp(op=word, values=parts):
                return combined("and" if isinstance(word, ast.And) else "or", list(map(value, parts)))
            case ast.Compare():
                left, results = value(node.left), []
                for operation, other in zip(node.ops, node.comparators, strict=True):
                    if isinstance(other, (ast.List, ast.Tuple)):
                        found = combined("or", [compared("==", left, value(option)) for option in other.elts])
                        results.append(opposite(found) if isinstance(operation, ast.NotIn) else found)
                    else:
                        right = value(other)
                        results.append(compared(COMPARISONS[type(operation)][0], left, right))
                        left = right
                return combined("and", results)
            case ast.Call(func=ast.Name(id=name)):
                return FUNCTIONS[name].call(list(map(value, node.args)))
        raise AssertionError(f"{ast.dump(node)} passed the check")

    def check_columns(self, names: Sequence[str]) -> None:
        """Refuse a table without a column that the expression reads."""
        for column in self.columns:
            if column not in names:
                raise DataError(
                    f"{self.key}: {self.text!r} reads column {column!r}, which is not in the table; "
                    f"{closest(column, names)}."
                )


def parse_expression(text: str, key: str) -> Expression:
    """Check the expression declared at `key`, without data; a ConfigurationError says what is wrong."""
    try:
        tree, columns = _parse(text)
    except _RefusedError as refused:
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
        raise ConfigurationError(f"{key}: {shown!r} cannot be used: {refused}.") from refused
    return Expression(key, text, columns, tree)


def _described(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column.dtype):
        return "True and False"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return f"numbers ({column.dtype})"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return f"dates ({column.dtype})"
    return f"text ({column.dtype})" if pd.api.types.is_string_dtype(column) else f"{column.dtype} values"


class _RefusedError(Exception):
    """Why an expression cannot be used."""


def _parse(text: str) -> tuple[ast.expr, tuple[str, ...]]:
    """The syntax tree, whose names are columns and called functions, and the columns by first use."""
    if not text.strip():
        raise _RefusedError("it is empty; write one such as amount / income")
    if len(text) > _LENGTH:
        raise _RefusedError(
            f"it has {len(text):,} characters, more than {_LENGTH:,}; split it into several columns"
        )
    source, quoted = _without_backticks(text)
    try:
        # Python's warnings, about '\d' in a text, say, do not concern the user.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise _RefusedError(
            f"{error.msg}; write a column whose name is no identifier in backticks, such as `Torque [Nm]`"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise _RefusedError(f"it cannot be read ({error or 'nested too deeply'}); simplify it") from error
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
                raise _RefusedError("a backtick has no partner, or nothing between; write `column name`")
            part = f"{prefix}{len(quoted)}"
            quoted[part] = token.group(1)
            # A name directly beside another one must not become part of it.
            part = f" {part} "
        elif part == "#":
            raise _RefusedError("# is not allowed; write comments outside of the expression")
        parts.append(" " if part.isspace() else part)
    return "".join(parts).strip(), quoted


def _check_depth(tree: ast.expr) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise _RefusedError(f"it is nested deeper than {_DEPTH} levels; split it into several columns")


class _Names(ast.NodeTransformer):
    """Restore column names, and insert constants."""

    def __init__(self, quoted: dict[str, str]) -> None:
        self.quoted = quoted
        self.columns: list[str] = []

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name) or node.func.id in self.quoted:
            raise _RefusedError(f"only functions can be called; they are {', '.join(FUNCTIONS)}")
        if node.keywords:
            raise _RefusedError(f"arguments of {node.func.id} are given by position, without names")
        node.args = [self.visit(argument) for argument in node.args]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in CONSTANTS:
            return ast.Constant(CONSTANTS[node.id])
        name = self.quoted.get(node.id, node.id)
        self.columns.append(name)
        return ast.Name(name, node.ctx)


def _check(*nodes: ast.AST) -> None:
    """Refuse everything but what `Expression` evaluates."""
    for node in nodes:
        match node:
            case ast.Name():
                pass
            case ast.Constant():
                _check_constant(node)
            case ast.UnaryOp(op=ast.USub() | ast.Not()):
                _check(node.operand)
            case ast.BinOp() if type(node.op) in ARITHMETIC:
                _check(node.left, node.right)
            case ast.BoolOp(values=parts):
                _check(*parts)
            case ast.Compare():
                _check_comparison(node)
            case ast.Call(func=ast.Name(id=name)):
                _check_call(name, node.args)
                _check(*node.args)
            case _:
                refused = node.op if isinstance(node, (ast.BinOp, ast.UnaryOp)) else node
                raise _RefusedError(_REFUSED.get(type(refused), f"{type(refused).__name__} is not allowed"))


def _check_constant(node: ast.Constant) -> None:
    if node.value is None:
        raise _RefusedError(
            "None is not allowed; write missing for no value, and is_missing(x) to ask for it"
        )
    if not isinstance(node.value, (bool, int, float, str)):
        raise _RefusedError(f"{node.value!r} is not allowed; write a number, a text, True or False")
    # Compared, not converted: a long whole number does not fit into a float.
    if not isinstance(node.value, str) and abs(node.value) > 1e300:
        raise _RefusedError("a number is too large; write one below 1e300")


def _check_comparison(node: ast.Compare) -> None:
    _check(node.left)
    constants = [side for side in [node.left, *node.comparators] if isinstance(side, ast.Constant)]
    if any(side.value != side.value for side in constants):
        raise _RefusedError("no value is equal to missing; write is_missing(x)")
    for operation, other in zip(node.ops, node.comparators, strict=True):
        if type(operation) in COMPARISONS:
            _check(other)
            continue
        if not isinstance(operation, (ast.In, ast.NotIn)):
            raise _RefusedError(_REFUSED[type(operation)])
        if other is not node.comparators[-1]:
            raise _RefusedError("nothing can be compared with a list; join two conditions with and")
        options = other.elts if isinstance(other, (ast.List, ast.Tuple)) else []
        if not options or not all(map(_is_constant, options)):
            raise _RefusedError("in needs a list of constants, such as ['a', 'b']")
        _check(*options)


def _check_call(name: str, arguments: Sequence[ast.expr]) -> None:
    if name not in FUNCTIONS:
        match = nearest(name, FUNCTIONS)
        hint = f"did you mean {match}? The" if match else "the"
        raise _RefusedError(f"there is no function {name!r}; {hint} functions are {', '.join(FUNCTIONS)}")
    function = FUNCTIONS[name]
    if not function.accepts(len(arguments)):
        raise _RefusedError(f"{name} is called with {len(arguments)} arguments; write {function.signature}")
    for position, argument in enumerate(arguments):
        wanted = function.parameter(position)
        value = ast.literal_eval(argument) if _is_constant(argument) else None
        text, whole = isinstance(value, str), type(value) is int and abs(value) <= _LENGTH
        if (wanted == "text constant" and not text) or (wanted == "whole constant" and not whole):
            example = "a text in quotes" if wanted == "text constant" else f"a whole number up to {_LENGTH:,}"
            raise _RefusedError(f"argument {position + 1} of {function.signature} must be {example}")


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
        return isinstance(node, ast.Constant) and type(node.value) in (int, float)
    return isinstance(node, ast.Constant)
