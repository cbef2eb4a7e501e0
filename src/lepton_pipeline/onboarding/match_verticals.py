"""The columns that a vertical needs, their weights and expectations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lepton_pipeline.data.expressions.expression import parse_expression
from lepton_pipeline.data.raw import read_header, read_rows
from lepton_pipeline.data.values import typed_column
from lepton_pipeline.datasets import RawTableDataset
from lepton_pipeline.onboarding.match_columns import BETWEEN, IN_SET, Column, Kind, describe_column
from lepton_pipeline.onboarding.parameters_file import read_parameters
from lepton_pipeline.parameters import About, Expectation, Vertical

SAMPLE = 3000
TARGET, NAMED, PLAIN, IGNORED = 4.0, 2.0, 1.0, 0.25
_OTHER_TABLE = 0.25


@dataclass(frozen=True)
class Needs:
    """A vertical's columns with their weights, and by column the expectations that a sample can meet."""

    about: About
    columns: list[tuple[Column, float]]
    rules: dict[str, list[Expectation]]


def read_needs(project: Path, name: str) -> Needs:
    """Read a vertical's declaration and the first rows of its bundled raw tables.

    Raises:
        ConfigurationError: the declaration is invalid.
        DataError: a raw table cannot be read.
    """
    vertical = read_parameters(project / "conf" / "base", name)
    tables = _bundled(project / "data" / "01_raw" / name, vertical)
    return Needs(vertical.about, _weighted(vertical, tables), _rules(vertical))


def _bundled(folder: Path, vertical: Vertical) -> list[list[Column]]:
    """Columns of every bundled raw table; files with the same columns are one table."""
    if not folder.is_dir():
        return []
    tables: dict[frozenset[str], list[Column]] = {}
    for file in RawTableDataset(filepath=str(folder)).load():
        names = read_header(file, vertical.ingestion)
        if frozenset(names) not in tables:
            rows = read_rows(file, names, vertical.ingestion, SAMPLE)
            columns = [describe_column(typed_column(rows[name], vertical.ingestion)) for name in names]
            tables[frozenset(names)] = columns
    return list(tables.values())


def _weighted(vertical: Vertical, tables: list[list[Column]]) -> list[tuple[Column, float]]:
    """The columns of a vertical with their weights; without raw data, the declared ones."""
    importance = _importance(vertical)
    tables = tables or [_declared_columns(vertical, importance)]
    weighed = [[(column, importance.get(column.name, PLAIN)) for column in table] for table in tables]
    weighed.sort(key=lambda table: -sum(weight for _, weight in table))
    found = {column.name: (column, weight) for column, weight in weighed[0]}
    for table in weighed[1:]:
        for column, weight in table:
            found.setdefault(column.name, (column, weight * _OTHER_TABLE))
    return list(found.values())


def _importance(vertical: Vertical) -> dict[str, float]:
    roles, features = vertical.dataset.roles(), vertical.features
    expectations = [
        each for contract in (vertical.contract, *vertical.tables.values()) for each in contract.expectations
    ]
    named = [column for expectation in expectations for column in expectation.columns()]
    named += [
        column for role in ("time", "group", "sensitive", "numeric", "categorical") for column in roles[role]
    ]
    for name, text in features.derive.items():
        named += parse_expression(text, f"features.derive.{name}").columns
    for window in features.windows.values():
        named += [column for column in (window.of, window.known, *window.by) if column is not None]
    weights = dict.fromkeys(named, NAMED)
    weights |= dict.fromkeys([*roles["id"], *roles["exclude"]], IGNORED)
    return {**weights, vertical.dataset.target: TARGET}


def _declared_columns(vertical: Vertical, importance: Mapping[str, float]) -> list[Column]:
    kinds: dict[str, Kind] = {
        **dict.fromkeys(vertical.dataset.numeric, "number"),
        **dict.fromkeys(vertical.dataset.categorical, "text"),
        **dict.fromkeys(vertical.ingestion.dates, "date"),
    }
    made = vertical.features.names()
    return [Column(name, kinds.get(name, "unknown")) for name in importance if name not in made]


def _rules(vertical: Vertical) -> dict[str, list[Expectation]]:
    """By column, the expectations that a sample can be checked against."""
    rules: dict[str, list[Expectation]] = {}
    for contract in (vertical.contract, *vertical.tables.values()):
        for rule in contract.expectations:
            bounds = [bound for bound in (rule.min_value, rule.max_value) if bound is not None]
            numeric = all(isinstance(bound, int | float) for bound in bounds)
            numbers = rule.expect == BETWEEN and bounds and numeric
            if rule.column is not None and (numbers or (rule.expect == IN_SET and rule.value_set)):
                rules.setdefault(rule.column, []).append(rule)
    return rules
