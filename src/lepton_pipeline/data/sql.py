"""Several tables -> one, by a declared query that DuckDB runs."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lepton_pipeline.data.kinds import EXACT
from lepton_pipeline.data.values import arrow_table
from lepton_pipeline.errors import ConfigurationError, DataError, LeptonError, did_you_mean, nearest
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.durations import as_timedelta

_PARAMETERS = ("as_of", "label_delay")
# Functions that differ from run to run; some are written without brackets, as columns are.
_CHANGING = re.compile(
    r"now|random|today|(get_)?current_\w+|localtime\w*|transaction_timestamp|(gen_random_)?uuid(v\d)?",
    re.IGNORECASE,
)
_WITHOUT_BRACKETS = re.compile(r"current_\w+|localtime\w*", re.IGNORECASE)
# One thread adds in one order. No Python variable is a table, and no extension is fetched.
_SETTINGS = {
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}
_LOCKED = ("SET enable_external_access = false", "SET lock_configuration = true")
_KEY = "order by "


@dataclass(frozen=True)
class _Query:
    """A parsed query; `keys` are positions, or names with those of their tables (None: order by all)."""

    text: str
    name: str
    parameters: frozenset[str]
    keys: list[int | list[str]] | None
    distinct: bool


def check_query(text: str, name: str, given: Collection[str] = ()) -> None:
    """Refuse a query that is no SELECT, has no ORDER BY over columns, or is not reproducible.

    `given` are names of declared parameters, each of which it must use.
    """
    import duckdb

    with duckdb.connect(":memory:") as own:
        _parse(own, text, name, given)


def run_query(
    text: str,
    tables: Mapping[str, pd.DataFrame],
    dataset: Dataset,
    name: str,
    given: Mapping[str, object] = MappingProxyType({}),
) -> pd.DataFrame:
    """Make one table of several by one SELECT that ends in ORDER BY over columns that identify the rows.

    The query sees the tables by their names, no file, no network and no clock. It runs in one thread, so that
    sums keep their last bit. Times with a zone are on the clock of the tables, or of UTC where these have
    several. `$as_of` is `Dataset.known_at`, `$label_delay` is `dataset.label_delay`; `given` are further ones.

    Rows are indexed from 0, with the types of pandas' own joins: whole numbers are int64, or float64 with
    missing values (Int64 beyond 2^53), as are their sums; dates have times.

    Raises:
        ConfigurationError: the query cannot be followed, with its line; or rows repeat an ORDER BY key.
        DataError: it gives no row, or a value that its expressions cannot take.
    """
    import duckdb

    zoned = [kind for rows in tables.values() for kind in rows.dtypes if isinstance(kind, pd.DatetimeTZDtype)]
    zones = {str(kind.tz): kind.tz for kind in zoned}
    zone = next(iter(zones.values())) if len(zones) == 1 else "UTC"
    with (
        TemporaryDirectory() as spill,
        duckdb.connect(":memory:", config={**_SETTINGS, "temp_directory": spill}) as own,
    ):
        query = _parse(own, text, name, given)
        values = _values(query, dataset, given, zoned=bool(zones))
        for table, rows in tables.items():
            own.register(table, _arrow(rows))
        for setting in (f"SET TimeZone = '{zone}'", *_LOCKED):
            own.execute(setting)
        try:
            # Only here does DuckDB name the line of a mistake.
            own.execute(f"EXPLAIN {text}", values).fetchall()
            columns = own.sql(text, params=values).columns
            _require_distinct(columns, name)
            keys, ordered = _keys(query, columns)
            result = own.sql(ordered, params=values).to_arrow_table()
        except duckdb.Error as error:
            raise _explained(error, query, tables) from error
    if not len(result):
        counts = ", ".join(f"{table} {len(rows):,}" for table, rows in tables.items())
        raise DataError(
            f"{name} gives no row; the tables have rows: {counts}. Look at its joins and its WHERE."
        )
    made = pd.DataFrame({each: _plain(result[each], each, zone, name) for each in result.column_names})
    _require_unique(made, keys, name)
    return made.drop(columns=[key for key in keys if key.startswith(_KEY)])


def _arrow(rows: pd.DataFrame) -> Any:
    zoned = [str(column) for column in rows.select_dtypes("datetimetz")]
    table = arrow_table(rows.assign(**{column: rows[column].dt.tz_convert(None) for column in zoned}))
    for column in zoned:
        instants = table[column].cast(pa.timestamp("us", "UTC"))
        table = table.set_column(table.column_names.index(column), column, instants)
    return table


def _parse(connection: Any, text: str, name: str, given: Collection[str]) -> _Query:
    ((reply,),) = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()
    parsed = json.loads(reply)
    if parsed["error"] and "position" in parsed:
        line = 1 + text.encode()[: int(parsed["position"])].count(b"\n")
        raise ConfigurationError(f"{name}, line {line}: {parsed['error_message']}; correct the SQL.")
    statements = parsed.get("statements", [])
    if len(statements) != 1:
        found = "another statement" if parsed["error"] else f"{len(statements)} queries"
        raise ConfigurationError(f"{name} holds {found}; write one SELECT .. ORDER BY (WITH may precede it).")
    node = statements[0]["node"]
    for what in map(_changing, _parts(node)):
        if what:
            raise ConfigurationError(f"{name}: {what} differs from run to run; use $as_of for the present.")
    (statement,) = connection.extract_statements(text)
    known = [*_PARAMETERS, *given]
    for unknown in sorted(statement.named_parameters - set(known)):
        raise ConfigurationError(
            f"{name}: ${unknown} is no parameter; there are {', '.join(f'${each}' for each in known)}. Declare others "
            "in query, such as query: {day: 28}."
        )
    for unused in sorted(set(given) - statement.named_parameters):
        hint = did_you_mean(unused, statement.named_parameters)
        raise ConfigurationError(f"{name} does not use ${unused}, which query declares; {hint}take it out.")
    distinct = any(each["type"] == "DISTINCT_MODIFIER" for each in node["modifiers"])
    orders = [order["expression"] for each in node["modifiers"] for order in each.get("orders", [])]
    if not orders:
        raise ConfigurationError(
            f"{name} has no ORDER BY, so that chance would order its rows; end it with ORDER BY and columns that tell "
            "all rows apart, such as ORDER BY customer, day."
        )
    everything = any(order["class"] == "STAR" for order in orders)
    keys = None if everything else [_key_of(order, text, name) for order in orders]
    return _Query(text, name, frozenset(statement.named_parameters), keys, distinct)


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _parts(each)


def _changing(part: dict[str, Any]) -> str | None:
    """The part of a query that differs from run to run."""
    function, columns = part.get("function_name", ""), part.get("column_names", [])
    if _CHANGING.fullmatch(function) or (function == "age" and len(part["arguments"]) == 1):
        return str(function)
    if len(columns) == 1 and _WITHOUT_BRACKETS.fullmatch(columns[0]):
        return str(columns[0])
    return "a sample" if part.get("sample") else None


def _key_of(order: dict[str, Any], text: str, name: str) -> int | list[str]:
    if order["class"] == "COLUMN_REF":
        return list(order["column_names"])
    if order["class"] == "CONSTANT" and order["literal"]["kind"] == "INTEGER":
        return int(order["literal"]["text"])
    line = 1 + text.encode()[: order["query_location"]].count(b"\n")
    raise ConfigurationError(f"{name}, line {line}: ORDER BY holds an expression; name columns only.")


def _values(
    query: _Query, dataset: Dataset, given: Mapping[str, object], *, zoned: bool
) -> dict[str, object] | None:
    """Values of the parameters that the query uses; DuckDB refuses others."""
    present: Any = dataset.known_at
    delay: Any = dataset.label_delay
    if isinstance(present, str):
        try:
            moment = pd.Timestamp(present)
        except ValueError as error:
            raise ConfigurationError(
                f"dataset.as_of: {present!r} is no ISO date such as 2026-01-31, which {query.name} needs; write one."
            ) from error
        utc = moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
        present = (utc if zoned else utc.tz_localize(None)).to_pydatetime()
        delay = delay or "0s"
    delay = as_timedelta(delay).to_pytimedelta() if isinstance(delay, str) else delay
    values = {"as_of": present, "label_delay": delay, **given}
    return {name: values[name] for name in sorted(query.parameters)} or None


def _require_distinct(columns: list[str], name: str) -> None:
    folded = [column.lower() for column in columns]
    for column in columns:
        if folded.count(column.lower()) > 1:
            raise ConfigurationError(
                f"{name}: column {column!r} stands twice in the result; leave one out (EXCLUDE, or JOIN .. USING), or "
                "name it otherwise (AS)."
            )


def _keys(query: _Query, columns: list[str]) -> tuple[list[str], str]:
    """Columns that order the result, and a query that gives those, too, that it orders by and does not select."""
    if query.keys is None:
        return columns, query.text
    own = {column.lower(): column for column in columns}
    keys, added = [], []
    for key in query.keys:
        if isinstance(key, int):
            keys.append(columns[key - 1])
        elif len(key) == 1 and key[0].lower() in own:
            keys.append(own[key[0].lower()])
        else:
            keys.append(f"{_KEY}{'.'.join(key)}")
            added.append(f"{'.'.join(map(_quoted, key))} AS {_quoted(keys[-1])}, ")
    start = _after_select(query.text)
    if added and (start is None or query.distinct):
        raise ConfigurationError(
            f"{query.name}: ORDER BY {keys[-1].removeprefix(_KEY)} must be a column of the result; select it, too."
        )
    if not added:
        return keys, query.text
    text = query.text.encode()
    return keys, b"".join([text[:start], f" {''.join(added)}".encode(), text[start:]]).decode()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _after_select(text: str) -> int | None:
    """Where the columns of the outer SELECT begin, in bytes: those of WITH are in brackets."""
    import duckdb

    depth, whole = 0, text.encode()
    for start, _ in duckdb.tokenize(text):
        depth += {b"(": 1, b")": -1}.get(whole[start : start + 1], 0)
        if depth == 0 and whole[start : start + 6].lower() == b"select":
            return start + 6
    return None


def _plain(values: Any, column: str, zone: Any, name: str) -> pd.Series:
    """A column of the result with the type that pandas gives it."""
    kinds = pa.types
    if kinds.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if kinds.is_decimal(values.type):
        largest = pc.max(pc.abs(values)).as_py() or 0
        values = values.cast(pa.int64() if values.type.scale == 0 and largest < 2**63 else pa.float64())
    if kinds.is_integer(values.type):
        whole = values if kinds.is_uint64(values.type) else values.cast(pa.int64())
        bounds = [abs(bound) for bound in pc.min_max(whole).as_py().values() if bound is not None]
        wide = pd.UInt64Dtype() if kinds.is_uint64(whole.type) else pd.Int64Dtype()
        beyond = whole.null_count and bounds and max(bounds) > EXACT
        return pd.Series(whole.to_pandas(types_mapper=lambda kind: wide if beyond else None))
    if kinds.is_boolean(values.type) and values.null_count:
        return pd.Series(values.to_pandas(), dtype="boolean")
    if kinds.is_date(values.type) or kinds.is_timestamp(values.type):
        times = pd.Series(values.cast(pa.timestamp("us", getattr(values.type, "tz", None))).to_pandas())
        return times if times.dt.tz is None else times.dt.tz_convert(zone)
    if kinds.is_null(values.type):
        values = values.cast(pa.string())
    supported = (kinds.is_floating, kinds.is_boolean, kinds.is_string, kinds.is_large_string)
    if not any(check(values.type) for check in supported):
        raise ConfigurationError(
            f"{name}: column {column!r} holds values of type {values.type}, which features cannot use; give "
            "numbers, texts, dates or truth values (epoch(x) makes seconds of an interval)."
        )
    return pd.Series(values.to_pandas())


def _require_unique(made: pd.DataFrame, keys: list[str], name: str) -> None:
    again = made.duplicated(keys, keep=False)
    if not again.any():
        return
    first = made.loc[again, keys].iloc[0]
    alike = made[keys].eq(first) | (made[keys].isna() & first.isna())
    shown = ", ".join(f"{key.removeprefix(_KEY)} {first[key]}" for key in keys)
    raise ConfigurationError(
        f"{name}: ORDER BY does not tell rows apart: {int(alike.all(axis='columns').sum()):,} rows have {shown}, and "
        f"{int(again.sum()):,} of {len(made):,} repeat a key. Add columns to it, or join each row to one at most."
    )


def _explained(error: Exception, query: _Query, tables: Mapping[str, pd.DataFrame]) -> LeptonError:
    """An error of DuckDB in one message: of the query (2), or of the values (3)."""
    import duckdb

    said = re.sub(r"^[\w ]+ Error: ", "", str(error).split("\n\n")[0].split("\n\tCandidate")[0])
    named = re.match(r'(?:Referenced column|.* does not have a column named|Column) "(.+?)"', said)
    line = re.search(r"^LINE (\d+):", str(error), re.MULTILINE)
    # Within WITH, DuckDB does not always tell the line.
    lines = query.text.splitlines()
    held = [number for number, each in enumerate(lines, 1) if named and named[1].lower() in each.lower()]
    number = int(line[1]) if line else next(iter(held), None)
    where = f"{query.name}, line {number}" if number else query.name
    there = f"the tables are {', '.join(tables)}"
    if named:
        close = nearest(named[1], {str(column) for rows in tables.values() for column in rows})
        given = "; ".join(f"{table} has {', '.join(map(str, rows))}" for table, rows in tables.items())
        return ConfigurationError(
            f"{where}: no column {named[1]!r}; {f'did you mean {close!r}' if close else given}."
        )
    if found := re.match(r"Table with name (.+) does not exist", said):
        hint = did_you_mean(found[1], tables)
        return ConfigurationError(f"{where}: no table {found[1]!r}; {hint}{there}, and no file can be read.")
    if isinstance(error, duckdb.PermissionException):
        file = re.search(r'"(.+?)"', said)
        return ConfigurationError(
            f"{where}: {file[1] if file else said} is not read: a query sees raw tables only, no file and no network; "
            f"{there}. Declare another one under tables."
        )
    plain = " ".join(said.split()).rstrip(".!?")
    if isinstance(error, (duckdb.BinderException, duckdb.CatalogException, duckdb.NotImplementedException)):
        return ConfigurationError(f"{where}: {plain}; correct the SQL.")
    return DataError(
        f"{where}: {plain}; correct the data, or what the SQL makes of it (TRY_CAST gives NULL instead)."
    )
