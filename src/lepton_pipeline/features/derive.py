"""Derived columns: expressions over a row, and windows over earlier rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

import pandas as pd

from lepton_pipeline.data.as_of import existing_rows, labelled_rows, recent_rows
from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.data.expressions.dates import UNKNOWN, on_clock, read_dates
from lepton_pipeline.data.expressions.expression import Expression, parse_expression
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.features.windows import window_feature
from lepton_pipeline.parameters import Dataset, Duration, Features, Ingestion

_NEVER_FEATURES = ("target", "id", "time", "group", "exclude", "sensitive", "weight", "scale")


def derive_features(clean_table: pd.DataFrame, dataset: Dataset, features: Features) -> pd.DataFrame:
    """Add the declared columns, and keep the rows that a model can learn from.

    Returns the rows of `derive_all` whose label is known at present; `DataError` if no label is.
    """
    return labelled_rows(derive_all(clean_table, dataset, features), dataset)


def derive_all(clean_table: pd.DataFrame, dataset: Dataset, features: Features) -> pd.DataFrame:
    """Add the declared columns and keep rows between `dataset.since` and `dataset.as_of`, labelled or not.

    Rows before `since` still count in windows. Raises as `add_features`, and `DataError` if no row is left.
    """
    # A time that is derived is known only here.
    return recent_rows(existing_rows(add_features(clean_table, dataset, features), dataset), dataset)


def add_features(clean_table: pd.DataFrame, dataset: Dataset, features: Features) -> pd.DataFrame:
    """Append the derived columns and windows in the order of declaration; each may use the others.

    Raises ConfigurationError for an invalid declaration (see `check_features_declared`), DataError if a name
    is taken, a column is absent, or values are of the wrong kind.
    """
    if problems := check_features_declared(features, dataset):
        raise ConfigurationError("\n".join(problems))
    if not features.names():
        return clean_table
    if taken := [name for name in features.names() if name in clean_table.columns]:
        raise DataError(
            f"{_key(taken[0], features)}: the table has a column {taken[0]!r} already; give the new one another name."
        )
    columns = [*map(str, clean_table.columns), *features.names()]
    expressions = {
        name: parse_expression(text, _key(name, features)) for name, text in features.derive.items()
    }
    reads = columns_read(features, dataset)
    for expression in expressions.values():
        expression.check_columns(columns)
    check_columns(columns, {_key(name, features): reads[name] for name in features.windows}, "the table")
    delays = window_delays(features, dataset)
    made: dict[str, pd.Series] = {}
    for name in in_order(reads):
        table = _with_columns(clean_table, made, reads[name])
        if name in expressions:
            made[name] = expressions[name].evaluate(table)
        else:
            made[name] = window_feature(table, name, features.windows[name], dataset, delays[name])
    added = pd.DataFrame({name: made[name] for name in features.names()}, index=clean_table.index)
    return pd.concat([clean_table, added], axis="columns")


def check_features_declared(features: Features, dataset: Dataset) -> list[str]:
    """Check the declaration without data; one line a problem, which begins with its key.

    Problems: an invalid expression, a cycle, a feature computed from the target of its own row, a window over
    an excluded column without `known`.
    """
    problems = []
    texts = {_key(name, features): text for name, text in features.derive.items()}
    if dataset.positive_when is not None:
        texts["dataset.positive_when"] = dataset.positive_when
    for key, text in texts.items():
        try:
            columns = parse_expression(text, key).columns
            problems += _rule_problems(columns, features, dataset) if key == "dataset.positive_when" else []
        except ConfigurationError as error:
            problems.append(str(error))
    if dataset.target in features.names():
        problems.append(
            f"{_key(dataset.target, features)}: the target must be a column of the table; declare dataset.target as "
            "the column it is made of, and dataset.positive_when as the expression."
        )
    if problems:
        return problems
    reads = columns_read(features, dataset)
    try:
        in_order(reads)
    except CycleError as error:
        # graphlib lists what is needed before what needs it.
        circle = list(reversed(error.args[1]))
        return [
            f"{_key(circle[0], features)}: it needs itself ({' <- '.join(map(repr, circle))}); "
            "break the circle, or rename a column that should not have the name of one it reads."
        ]
    return _target_problems(reads, features, dataset) + _window_problems(reads, features, dataset)


def window_delays(features: Features, dataset: Dataset) -> dict[str, Duration]:
    """Delay after which each window's row is known: `dataset.label_delay` if it follows from the target."""
    label, delay = _label_columns(columns_read(features, dataset), dataset), dataset.label_delay
    return {name: delay if window.of in label else 0 for name, window in features.windows.items()}


def columns_read(features: Features, dataset: Dataset) -> dict[str, list[str]]:
    """Name the source columns of each declared feature; `ConfigurationError` on an invalid expression."""
    texts = features.derive.items()
    reads = {name: list(parse_expression(text, _key(name, features)).columns) for name, text in texts}
    for name, window in features.windows.items():
        columns = (window.of, *window.by, window.known, dataset.time)
        reads[name] = list(dict.fromkeys(column for column in columns if column is not None))
    return reads


def in_order(reads: Mapping[str, Sequence[str]]) -> list[str]:
    """Sort features so that each comes after those it reads; `CycleError` if they read each other."""
    links = {name: [column for column in columns if column in reads] for name, columns in reads.items()}
    return list(TopologicalSorter(links).static_order())


@dataclass(frozen=True)
class Derivation:
    """Row-wise part of a vertical's features, saved with a model and applied to the rows it scores."""

    dates: dict[str, str]  # format of each date column
    expressions: dict[str, str]  # expression of each derived column
    # time zone of each date column, None for times without one; any zone without an entry
    zones: dict[str, str | None] = field(default_factory=dict)
    two_digit_years: dict[str, int] = field(default_factory=dict)  # see `Ingestion`

    @classmethod
    def of(cls, features: Features, ingestion: Ingestion, table: pd.DataFrame) -> Derivation:
        """Take the declared expressions and date formats; other date columns are ISO 8601."""
        dates = [str(name) for name in table.select_dtypes(["datetime", "datetimetz"])]
        made = dict.fromkeys((name for name in dates if name not in features.derive), "ISO8601")
        zones = {name: None if table[name].dt.tz is None else str(table[name].dt.tz) for name in made}
        return cls(made | ingestion.dates, dict(features.derive), zones, dict(ingestion.two_digit_years))

    def inputs(self, wanted: Iterable[str]) -> list[str]:
        """Name the columns that `apply` needs for the wanted ones, each once, in the order of first use.

        Only expressions are computed from a row; windows and columns of the table must be given.
        """
        wanted = list(wanted)
        computed = self._needed(wanted)
        found: dict[str, None] = {}
        waiting = wanted[::-1]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = None
                waiting += computed[name].columns[::-1] if name in computed else []
        return [name for name in found if name not in computed]

    def apply(self, rows: pd.DataFrame, wanted: Iterable[str]) -> pd.DataFrame:
        """Compute the derived columns among the wanted ones; returns `rows` itself if there is nothing to do.

        Dates may be text in the declared format or in ISO 8601. A column with the name of a computed one is
        overwritten. Raises `DataError` for an absent column, an unreadable date, or a value of the wrong
        kind.
        """
        wanted = list(wanted)
        computed = self._needed(wanted)
        names = [str(name) for name in rows.columns]
        for expression in computed.values():
            expression.check_columns([*names, *computed])
        made = self.read_dates(rows, wanted)
        for name, expression in computed.items():
            made[name] = expression.evaluate(_with_columns(rows, made, expression.columns))
        if not made:
            return rows
        kept = rows.drop(columns=[name for name in made if name in names])
        return pd.concat([kept, pd.DataFrame(made, index=rows.index)], axis="columns")

    def read_dates(self, rows: pd.DataFrame, wanted: Iterable[str]) -> dict[str, pd.Series]:
        """Parse the date columns that `apply` needs; `DataError` on an unreadable date."""
        dates = [name for name in self.inputs(wanted) if name in self.dates and name in rows.columns]
        return {name: self._as_dates(rows[name], name) for name in dates}

    def _as_dates(self, column: pd.Series, name: str) -> pd.Series:
        zone = self.zones.get(name, UNKNOWN)
        try:
            if not len(column) and not pd.api.types.is_datetime64_any_dtype(column):
                return read_dates(column.astype("str"), self.dates[name], zone=zone)
            if column.isna().all():
                return column
            if pd.api.types.is_datetime64_any_dtype(column):
                return on_clock(column, zone)
            # Rows that come as JSON carry dates in ISO 8601, whatever the files have.
            latest = self.two_digit_years.get(name)
            return read_dates(column, self.dates[name], or_iso=True, zone=zone, latest_year=latest)
        except ValueError as error:
            raise DataError(f"column {name!r} cannot be read as dates (ingestion.dates): {error}.") from error

    def _needed(self, wanted: Iterable[str]) -> dict[str, Expression]:
        """Expressions behind the wanted columns in topological order."""
        parsed: dict[str, Expression] = {}
        waiting = list(wanted)
        while waiting:
            name = waiting.pop()
            if name in self.expressions and name not in parsed:
                parsed[name] = parse_expression(self.expressions[name], f"features.derive.{name}")
                waiting += parsed[name].columns
        order = in_order({name: expression.columns for name, expression in parsed.items()})
        return {name: parsed[name] for name in order}


def _rule_problems(columns: Sequence[str], features: Features, dataset: Dataset) -> list[str]:
    if made := [name for name in columns if name in features.names()]:
        problem = f"reads {made[0]!r}, which is made later than labels are; use columns of the table only."
    elif dataset.target not in columns:
        problem = (
            f"does not read the target {dataset.target!r}; declare as dataset.target the column that decides, so that "
            "it is never a feature."
        )
    else:
        return []
    return [f"dataset.positive_when: {dataset.positive_when!r} {problem}"]


def _target_problems(reads: dict[str, list[str]], features: Features, dataset: Dataset) -> list[str]:
    roles = dataset.roles()
    no_features = {column for role in _NEVER_FEATURES for column in roles.get(role, ())}
    told = {dataset.target}
    problems = []
    for name in in_order(reads):
        window = features.windows.get(name)
        # What a window takes from earlier rows was known; what it takes from the row itself is `by`.
        sources = reads[name] if window is None else window.by
        source = next((column for column in sources if column in told), None)
        if source is None:
            continue
        told.add(name)
        if name not in no_features:
            text = repr(features.derive[name]) if name in features.derive else f"by: {source}"
            through = "" if source == dataset.target else f" through {source!r}"
            problems.append(
                f"{_key(name, features)}: {text} is computed from the target {dataset.target!r}{through} of its own "
                "row, which is unknown when the model is used; leave the target out, take it from earlier rows with "
                f"features.windows, or list {name!r} in dataset.exclude."
            )
    return problems


def _window_problems(reads: dict[str, list[str]], features: Features, dataset: Dataset) -> list[str]:
    """Windows over an excluded column, whose values may become known at any time."""
    unclear = set(dataset.exclude) - _label_columns(reads, dataset)
    return [
        f"{_key(name, features)}: of: {window.of!r} is excluded (dataset.exclude), and nothing says when its values "
        f"are known; declare known: the column with that time, or known: {dataset.time} if they are known at the row's "
        "own time."
        for name, window in features.windows.items()
        if window.of in unclear and window.known is None
    ]


def _label_columns(reads: Mapping[str, list[str]], dataset: Dataset) -> set[str]:
    """The target, the other columns of `positive_when`, and all columns computed from them."""
    found = {dataset.target}
    if dataset.positive_when is not None:
        found |= {*parse_expression(dataset.positive_when, "dataset.positive_when").columns} - {dataset.time}
    for name in in_order(reads):
        if found.intersection(reads[name]):
            found.add(name)
    return found


def _key(name: str, features: Features) -> str:
    return f"features.{'derive' if name in features.derive else 'windows'}.{name}"


def _with_columns(table: pd.DataFrame, made: Mapping[str, pd.Series], columns: Iterable[str]) -> pd.DataFrame:
    """Select columns, computed ones before those of the table."""
    chosen = {name: made[name] if name in made else table[name] for name in columns}
    return pd.DataFrame(chosen, index=table.index)
