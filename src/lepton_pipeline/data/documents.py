"""Tables in JSON and Excel workbooks, read whole. JSON numbers stay texts as written (1.10)."""

from __future__ import annotations

import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from lepton_pipeline.data.openers import listed
from lepton_pipeline.data.raw_file import WORKBOOK, RawFile, kind_of, table_suffix
from lepton_pipeline.data.workbooks import read_workbook
from lepton_pipeline.errors import DataError

# Errors of compressed files.
UNREADABLE = (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, zipfile.BadZipFile)
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SHOWN = 3


def read_document(file: RawFile, decimal: str = ".") -> Any:
    """Read a .json, .jsonl, .ndjson, .xlsx or .xlsm file as an Arrow table, without its partitions.

    JSON is a list of objects, one object a line, one list of them in an object such as `{"data": [..]}`,
    lists by column, or pandas' orient="split". Empty rows are rows of nulls; a file without rows has none,
    one without a header no column. `decimal` is the mark for numbers that become text.
    """
    try:
        with file.open() as stream:
            content = stream.read()
    except UNREADABLE as error:
        raise DataError(f"{file.name} cannot be read: {error}; is the file whole?") from error
    read = read_workbook if kind_of(file.name) == WORKBOOK else _read_json
    return read(file.name, content, decimal)


def _read_json(name: str, content: bytes, decimal: str) -> Any:
    encoding = next((codec for mark, codec in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}, line {line}: byte {content[error.start : error.end].hex()} is not {encoding}; JSON is UTF-8: "
            "save the file so."
        ) from error
    if table_suffix(name) == ".json" and not _holds_lines(text):
        if not text.strip():
            return _table_of(name, [])
        try:
            found = _parse(text, decimal)
        except ValueError as error:
            at = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            raise DataError(f"{name}{at}: not JSON ({error}); is the file whole?") from error
        return _table_of_json(name, found)
    return _table_of(name, _lines(name, text, decimal))


def _holds_lines(text: str) -> bool:
    """Whether a .json file has one object a line: its first line is an object, and there is a second one."""
    first, _, rest = text.strip().partition("\n")
    if not first.lstrip().startswith("{") or not rest.strip():
        return False
    try:
        _parse(first, ".")
    except ValueError:
        return False
    return True


def _lines(name: str, text: str, decimal: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            found = _parse(line, decimal)
        except ValueError as error:
            raise DataError(f"{where}: {_short(line)} is not JSON ({error}); correct it.") from error
        if not isinstance(found, dict):
            raise DataError(f'{where}: {_short(line)} is no object; give one {{"column": value}} a line.')
        yield where, found


def _table_of_json(name: str, found: Any) -> Any:
    if isinstance(found, dict):
        if set(found) >= {"columns", "data"} and set(found) <= {"columns", "index", "data"}:
            return _table_of_split(name, found["columns"], found["data"])
        lists = {key: value for key, value in found.items() if isinstance(value, list)}
        records = [key for key, rows in lists.items() if rows and all(isinstance(row, dict) for row in rows)]
        if len(records) == 1:
            return _table_of(name, _records(f"{name}, {records[0]}", lists[records[0]]))
        if lists and len(lists) == len(found) and not records:
            return _table_of_lists(name, lists)
        raise DataError(
            f"{name} is an object with the keys {listed(list(found))}, and nothing says which are rows; give a list "
            'of objects (pandas: orient="records"), or one object a line in a .jsonl file.'
        )
    if not isinstance(found, list):
        raise DataError(f"{name} holds {_short(json.dumps(found))}, not a table; give a list of objects.")
    return _table_of(name, _records(name, found))


def _records(name: str, found: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, record in enumerate(found, 1):
        where = f"{name}, record {number}"
        if not isinstance(record, dict):
            raise DataError(f"{where}: {_short(json.dumps(record))} is no object; give a list of objects.")
        yield where, record


def _table_of(name: str, records: Iterable[tuple[str, dict[str, Any]]]) -> Any:
    """One row per object; a key that is absent, or null, is a null."""
    columns: dict[str, list[str | None]] = {}
    rows = 0
    for where, record in records:
        for key, value in record.items():
            column = columns.setdefault(key, [])
            # Keys that earlier records did not have.
            column.extend([None] * (rows - len(column)))
            column.append(_text(value, where, key))
        rows += 1
    for column in columns.values():
        column.extend([None] * (rows - len(column)))
    try:
        arrays = [pa.array(column, pa.string()) for column in columns.values()]
        return pa.table(arrays, names=list(columns))
    except UnicodeEncodeError as error:
        raise DataError(f"{name}: {error.object!r} holds half a character; correct its source.") from error


def _table_of_lists(name: str, lists: dict[str, list[Any]]) -> Any:
    lengths = {key: len(values) for key, values in lists.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{key!r} {length:,}" for key, length in list(lengths.items())[:_SHOWN])
        raise DataError(f"{name}: its lists differ in length ({shown}); give each column a value a row.")
    rows = zip(*lists.values(), strict=True)
    return _table_of_rows(name, lists, rows)


def _table_of_split(name: str, columns: Any, rows: Any) -> Any:
    names = [each if isinstance(each, str) else json.dumps(each) for each in columns]
    if len(set(names)) < len(names):
        raise DataError(f"{name} names a column twice in {listed(names)}; rename one.")
    for number, values in enumerate(rows, 1):
        if not isinstance(values, list) or len(values) != len(names):
            raise DataError(f"{name}, row {number} does not have {len(names)} values, one a column.")
    return _table_of_rows(name, names, rows)


def _table_of_rows(name: str, names: Collection[str], rows: Iterable[Sequence[Any]]) -> Any:
    pairs = enumerate(rows, 1)
    return _table_of(name, ((f"{name}, row {at}", dict(zip(names, row, strict=True))) for at, row in pairs))


def _parse(text: str, decimal: str) -> Any:
    """JSON with numbers as written, with the given decimal mark; 1E5 becomes 1.0E5, as it is no code here."""
    return json.loads(
        text,
        parse_float=lambda number: re.sub(r"^(-?\d+)(?=[eE])", r"\1.0", number).replace(".", decimal),
        parse_int=str,
        # Python writes a missing number as NaN.
        parse_constant=lambda text: None if text == "NaN" else text,
        object_pairs_hook=_without_repeated_keys,
    )


def _without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"an object has the key {twice!r} twice")
    return found


def _text(value: Any, where: str, key: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    what = "a list" if isinstance(value, list) else "an object"
    raise DataError(
        f"{where}: {key!r} holds {what}, {_short(json.dumps(value))}; give every value a key of its own (pandas: "
        "json_normalize)."
    )


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 60 else text[:59] + "…"
