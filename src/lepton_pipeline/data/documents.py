"""Tables in JSON and Excel workbooks, read whole. JSON numbers stay texts as written (1.10)."""

from __future__ import annotations

import datetime as dt
import io
import json
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa

from lepton_pipeline.data.raw_file import WORKBOOK, RawFile, kind_of, listed, require_small, table_suffix
from lepton_pipeline.errors import DataError
from lepton_pipeline.system.permissions import refused

# Errors of compressed files.
UNREADABLE = (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, zipfile.BadZipFile)
# Errors of workbooks, besides openpyxl's own.
_NO_WORKBOOK = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, SyntaxError)
_ENCRYPTED = b"\xd0\xcf\x11\xe0"
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SHOWN = 3
# Where an object stands, and its values.
_Record = tuple[str, dict[str, object]]


@lru_cache(maxsize=8)
def read_document(file: RawFile, decimal: str = ".") -> Any:
    """Read a .json, .jsonl, .ndjson, .xlsx or .xlsm file as an Arrow table, without its partitions.

    JSON is a list of objects, one object a line, one list of them in an object such as `{"data": [..]}`,
    lists by column, or pandas' orient="split". Empty rows are rows of nulls; a file without rows has none,
    one without a header no column. `decimal` is the mark for numbers that become text. Cached: it is slow to
    read, and needed for its header and in two passes.
    """
    try:
        with file.open() as stream:
            content = stream.read()
    except UNREADABLE as error:
        if (problem := refused(error)) is not None:
            raise problem from error
        raise DataError(f"{file.name} cannot be read: {error}; is the file whole?") from error
    read = _read_workbook if kind_of(file.name) == WORKBOOK else _read_json
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
        try:
            found = _parse(text, decimal) if text.strip() else []
        except ValueError as error:
            at = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            raise DataError(f"{name}{at}: not JSON ({error}); is the file whole?") from error
        return _table_of_json(name, found)
    return _table_of(name, _lines(name, text, decimal))


def _holds_lines(text: str) -> bool:
    """Whether a .json file has one object a line: its first line is an object, and there is a second one."""
    first, _, rest = text.strip().partition("\n")
    try:
        return bool(rest.strip()) and isinstance(_parse(first, "."), dict)
    except ValueError:
        return False


def _lines(name: str, text: str, decimal: str) -> Iterator[_Record]:
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


def _records(name: str, found: list[Any]) -> Iterator[_Record]:
    for number, record in enumerate(found, 1):
        where = f"{name}, record {number}"
        if not isinstance(record, dict):
            raise DataError(f"{where}: {_short(json.dumps(record))} is no object; give a list of objects.")
        yield where, record


def _table_of(name: str, records: Iterable[_Record]) -> Any:
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
    return _table_of_rows(name, lists, zip(*lists.values(), strict=True))


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


def _without_repeated_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"an object has the key {twice!r} twice")
    return found


def _text(value: object, where: str, key: str) -> str | None:
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


def _read_workbook(name: str, content: bytes, decimal: str = ".") -> Any:
    """Read the one sheet with data as an Arrow table; columns have the type of their cells, or else text.

    The first row that is not empty is the header. `decimal` is the mark for numbers that become text. Raises
    a DataError where several sheets hold data, a column has no name, or a formula no value.
    """
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise DataError(
            f"{name} is a workbook, for which openpyxl is needed: pip install -e '.[excel]'; or save its sheet as CSV."
        ) from error
    if content.startswith(_ENCRYPTED):
        raise DataError(f"{name} is protected by a password, or an .xls file; save it as .xlsx without one.")
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            require_small(name, sum(each.file_size for each in packed.infolist()), len(content))
        # openpyxl warns of what it cannot read: pictures, menus, styles.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
            filled = [(sheet.title, rows) for sheet in sheets if (rows := _rows(sheet))]
            book.close()
    except (*_NO_WORKBOOK, InvalidFileException) as error:
        raise DataError(f"{name} cannot be read: {error}; is it a workbook of Excel, and whole?") from error
    if len(filled) > 1:
        raise DataError(
            f"{name} has {len(filled)} sheets with data, {listed([title for title, _ in filled])}; keep one, or save "
            "each as a file of its own."
        )
    if not filled:
        return pa.table({})
    title, rows = filled[0]
    _require_computed(name, title, content, rows)
    return _table_of_sheet(f"{name}, sheet {title!r}", rows, decimal)


def _rows(sheet: Any) -> list[tuple[int, list[Any]]]:
    """Row numbers and cells from the first to the last row with a value; empty cells are None."""
    # Some programs write a wrong extent.
    sheet.reset_dimensions()
    rows = [
        (number, [None if cell.value in (None, "") else cell for cell in row])
        for number, row in enumerate(sheet.iter_rows(), 1)
    ]
    while rows and not any(rows[-1][1]):
        rows.pop()
    start = next((at for at, (_, cells) in enumerate(rows) if any(cells)), 0)
    return rows[start:]


def _table_of_sheet(where: str, rows: list[tuple[int, list[Any]]], decimal: str) -> Any:
    number, header = rows[0]
    width = max((at for _, cells in rows for at, cell in enumerate(cells, 1) if cell is not None), default=0)
    padded = [cells + [None] * (width - len(cells)) for _, cells in rows]
    kept = [at for at in range(width) if any(cells[at] is not None for cells in padded)]
    unnamed = [at for at in kept if padded[0][at] is None]
    if unnamed:
        cell = next(cells[unnamed[0]] for cells in padded[1:] if cells[unnamed[0]] is not None)
        raise DataError(
            f"{where}: row {number} is taken for the header, {listed([str(each.value) for each in header if each])}, "
            f"but column {cell.column_letter} has no name in it, and a value in {cell.coordinate}; name every column, "
            "and remove what stands above or beside the table."
        )
    names = [_cell_text(padded[0][at], dates_only=True).strip() for at in kept]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{where} has more than one column named {twice!r}; rename all but one.")
    return pa.table([_column([cells[at] for cells in padded[1:]], decimal) for at in kept], names=names)


def _column(cells: Sequence[Any], decimal: str) -> Any:
    """A column of one type if all its cells have it, else of text."""
    present = [cell for cell in cells if cell is not None]
    types = {type(cell.value) if cell.data_type != "e" else str for cell in present}
    values = [None if cell is None else cell.value for cell in cells]
    if present and types == {int} and all(abs(cell.value) < 2**63 for cell in present):
        digits = re.fullmatch(r"0{2,}", present[0].number_format or "")
        # Codes of a fixed length, such as postal ones, are shown so by their format.
        if digits and all(cell.value >= 0 for cell in present):
            return pa.array([None if value is None else str(value).zfill(len(digits[0])) for value in values])
        return pa.array(values, pa.int64())
    if present and types <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if present and types <= {dt.datetime, dt.date}:
        return pa.array([None if value is None else _moment(value) for value in values], pa.timestamp("us"))
    if types == {dt.timedelta}:
        return pa.array(values, pa.duration("us"))
    if types == {bool}:
        return pa.array(values, pa.bool_())
    dates = [_moment(cell.value) for cell in present if isinstance(cell.value, dt.date)]
    dates_only = all(date.time() == dt.time() for date in dates)
    texts = [None if cell is None else _cell_text(cell, dates_only, decimal) for cell in cells]
    return pa.array(texts, pa.string())


def _moment(value: dt.date) -> dt.datetime:
    return value if isinstance(value, dt.datetime) else dt.datetime.combine(value, dt.time())


def _cell_text(cell: Any, dates_only: bool, decimal: str = ".") -> str:
    """A cell as Excel writes it to CSV, with dates in ISO 8601."""
    value = cell.value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float) and abs(value) > 2**53:
        raise DataError(
            f"cell {cell.coordinate} holds {value:.0f}, and Excel keeps 15 digits only; format the column as text "
            "before its values are entered."
        )
    digits = re.fullmatch(r"0{2,}", cell.number_format or "")
    if digits and isinstance(value, int) and value >= 0:
        return str(value).zfill(len(digits[0]))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.date):
        moment = _moment(value)
        return moment.date().isoformat() if dates_only else moment.isoformat(" ")
    return str(value).replace(".", decimal) if isinstance(value, float) else str(value)


def _require_computed(name: str, title: str, content: bytes, rows: list[tuple[int, list[Any]]]) -> None:
    """Refuse formulas without a stored value, which a program wrote that computes none."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        parts = [each for each in packed.namelist() if re.fullmatch(r"xl/worksheets/.*\.xml", each)]
        if not any(re.search(b"<f[> ]", packed.read(each)) for each in parts):
            return
    known = {cell.coordinate for _, cells in rows for cell in cells if cell is not None}
    # A formula may well give an empty text; that is a value.
    known |= {cell.coordinate for cell in _cells(content, title, "str", data_only=True)}
    missing = [cell for cell in _cells(content, title, "f") if cell.coordinate not in known]
    if missing:
        formula = getattr(missing[0].value, "text", missing[0].value)
        raise DataError(
            f"{name}, sheet {title!r}: {len(missing):,} formulas have no value, such as {formula!r} in "
            f"{missing[0].coordinate}; open the file in Excel or LibreOffice and save it, which computes them."
        )


def _cells(content: bytes, title: str, kind: str, *, data_only: bool = False) -> list[Any]:
    """The cells of a sheet that hold data of one kind, as openpyxl names it."""
    from openpyxl import load_workbook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sheet = load_workbook(io.BytesIO(content), read_only=True, data_only=data_only)[title]
        sheet.reset_dimensions()
        return [cell for row in sheet.iter_rows() for cell in row if getattr(cell, "data_type", "") == kind]
