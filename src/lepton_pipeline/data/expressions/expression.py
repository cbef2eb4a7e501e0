"""The expression language of `features.derive` and `dataset.positive_when`.

Columns are written by name, or in backticks where the name is no identifier. Everything outside a short list
of syntax is refused before there is data; nothing is ever handed to Python's `eval`.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lepton_pipeline.data.expressions.functions import FUNCTIONS
from lepton_pipeline.data.expressions.operators import arithmetic, combined, compared, opposite
from lepton_pipeline.data.expressions.syntax import ARITHMETIC, COMPARISONS, RefusedError, parse
from lepton_pipeline.data.expressions.values import (
    EvaluationError,
    Value,
    constant,
    from_column,
    is_missing,
    to_column,
)
from lepton_pipeline.errors import ConfigurationError, DataError, closest

_SHOWN = 200


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
            return _Evaluation(self, table).value(self.tree)

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
        tree, columns = parse(text)
    except RefusedError as refused:
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
        raise ConfigurationError(f"{key}: {shown!r} cannot be used: {refused}.") from refused
    return Expression(key, text, columns, tree)


class _Evaluation:
    """Evaluates the syntax tree on the columns of a table."""

    def __init__(self, expression: Expression, table: pd.DataFrame) -> None:
        self.expression = expression
        self.table = table

    def value(self, node: ast.expr) -> Value:
        """The value of a node; errors name the columns of the smallest failing node."""
        try:
            return self._value(node)
        except EvaluationError as error:
            names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
            read = [name for name in dict.fromkeys(names) if name in self.table]
            kinds = [f"column {name!r} holds {_described(self.table[name])}" for name in read]
            key, text = self.expression.key, self.expression.text
            reasons = "; ".join([str(error), *kinds])
            raise DataError(f"{key}: {text!r} cannot be computed: {reasons}.") from error

    def _value(self, node: ast.expr) -> Value:
        match node:
            case ast.Name(id=name):
                return from_column(self.table[name])
            case ast.Constant(value=str() | bool() | int() | float() as written):
                return constant(written)
            case ast.UnaryOp(op=ast.USub()):
                return arithmetic("*", self.value(node.operand), constant(-1))
            case ast.UnaryOp(op=ast.Not()):
                return opposite(self.value(node.operand))
            case ast.BinOp():
                return arithmetic(ARITHMETIC[type(node.op)], self.value(node.left), self.value(node.right))
            case ast.BoolOp(op=word, values=parts):
                both = isinstance(word, ast.And)
                return combined("and" if both else "or", [self.value(part) for part in parts])
            case ast.Compare():
                return self._comparison(node)
            case ast.Call(func=ast.Name(id=name)):
                return FUNCTIONS[name].call([self.value(argument) for argument in node.args])
        raise AssertionError(f"{ast.dump(node)} passed the check")

    def _comparison(self, node: ast.Compare) -> Value:
        left = self.value(node.left)
        results: list[Value] = []
        for operation, other in zip(node.ops, node.comparators, strict=True):
            if isinstance(other, (ast.List, ast.Tuple)):
                found = combined("or", [compared("==", left, self.value(option)) for option in other.elts])
                results.append(opposite(found) if isinstance(operation, ast.NotIn) else found)
            else:
                right = self.value(other)
                results.append(compared(COMPARISONS[type(operation)], left, right))
                left = right
        return combined("and", results)


def _described(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column.dtype):
        return "True and False"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return f"numbers ({column.dtype})"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return f"dates ({column.dtype})"
    return f"text ({column.dtype})" if pd.api.types.is_string_dtype(column) else f"{column.dtype} values"
