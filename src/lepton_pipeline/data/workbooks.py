"""Tables in workbooks of Excel, read whole."""

from __future__ import annotations

import datetime as dt
import io
import re
import warnings
import zipfile
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from lepton_pipeline.data.openers import listed, most_unpacked, too_much
from lepton_pipeline.errors import DataError

# Errors of workbooks, besides openpyxl's own.
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, SyntaxError)

_ENCRYPTED = b"\xd0\xcf\x11\xe0"


def read_workbook(name: str, content: bytes, decimal: str = ".") -> Any:
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
            most = most_unpacked(len(content))
            if sum(each.file_size for each in packed.infolist()) > most:
                raise too_much(name, most)
        # openpyxl warns of what it cannot read: pictures, menus, styles.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
            filled = [(sheet.title, rows) for sheet in sheets if (rows := _rows(sheet))]
            book.close()
    except (*_UNREADABLE, InvalidFileException) as error:
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
