"""Raw files or a raw table -> one typed table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.data.fingerprint import fingerprint
from lepton_pipeline.data.labels import positive_labels
from lepton_pipeline.data.raw import RawFile, read_header, read_rows
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Contract, Dataset, Ingestion

# A number that starts with a superfluous zero is a code (a postcode, an article number): its zeros mean something.
_CODE = r"[+-]?0\d.*"


def ingest_table(
    raw: list[RawFile] | pd.DataFrame, dataset: Dataset, ingestion: Ingestion, contract: Contract
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read the raw data of a vertical into one table with a type for every column.

    A text column becomes numbers where every value in it is one, and stays text otherwise. Declared columns are looked
    for as soon as the header is read.

    Args:
        raw: table files, whose rows are put one below the other; or a table that a catalog entry has loaded (SQL, say).
        dataset: declared roles of columns.
        ingestion: how text becomes values.
        contract: expectations, for the columns they name.

    Returns:
        The table, indexed 0 .. rows - 1 in the order of the raw data, and its record: `rows`, `columns` (name to type),
        `sha256` (see `fingerprint`) and `files`.

    Raises:
        DataError: a file is empty, has only a header, a column twice or bytes that cannot be decoded; files differ in
            their columns; a declared column is absent; the target holds one class only.
    """
    if isinstance(raw, pd.DataFrame):
        files, columns = [], _checked_frame(raw, dataset, contract)
    else:
        files, columns = [file.name for file in raw], _read_files(raw, dataset, ingestion, contract)
    table = pd.DataFrame({name: _typed(columns[name], ingestion) for name in columns})
    positive_labels(table, dataset)
    return table, {**fingerprint(table), "files": files}


def _checked_frame(raw: pd.DataFrame, dataset: Dataset, contract: Contract) -> pd.DataFrame:
    names = [str(name).strip() for name in raw.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"the raw table has more than one column named {twice[0]!r}; rename all but one in its query.")
    check_columns(names, dataset, contract, "the raw table")
    if raw.empty:
        raise DataError("the raw table has no rows; check the source of the vertical's raw catalog entry.")
    return raw.set_axis(names, axis="columns").reset_index(drop=True)


def _read_files(files: list[RawFile], dataset: Dataset, ingestion: Ingestion, contract: Contract) -> pd.DataFrame:
    headers = [read_header(file, ingestion) for file in files]
    for file, names in zip(files, headers, strict=True):
        check_columns(names, dataset, contract, file.name)
        if set(names) != set(headers[0]):
            differing = ", ".join(repr(name) for name in sorted(set(names) ^ set(headers[0])))
            raise DataError(
                f"{files[0].name} and {file.name} differ in the column(s) {differing}; give all files the same columns."
            )
    parts = [read_rows(file, names, ingestion) for file, names in zip(files, headers, strict=True)]
    rows = pd.concat(parts, ignore_index=True)
    if rows.empty:
        raise DataError(f"{', '.join(file.name for file in files)}: only a header, no rows; put data below it.")
    return rows


def _typed(column: pd.Series, ingestion: Ingestion) -> pd.Series:
    """Numbers where every value is one, else text without blanks around it; a declared missing text becomes missing."""
    if not pd.api.types.is_string_dtype(column):
        return column
    text = column.str.strip()
    text = text.mask(text.isin(ingestion.missing))
    present = text.dropna()
    # Swapped, not replaced: where the comma is the decimal mark, 1.5 is no number.
    plain = present if ingestion.decimal == "." else present.str.translate(str.maketrans(",.", ".,"))
    numbers = pd.to_numeric(plain, errors="coerce")
    if present.empty or numbers.isna().any() or present.str.fullmatch(_CODE).any():
        return text
    # Without missing values whole numbers stay whole; with them pandas' classic types have only floats.
    return numbers if len(numbers) == len(text) else numbers.reindex(text.index).astype(float)
