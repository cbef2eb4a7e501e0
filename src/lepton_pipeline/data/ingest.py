"""Raw files or a raw table -> one typed table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from lepton_pipeline.data.as_of import known_rows
from lepton_pipeline.data.columns import check_columns, declared_columns
from lepton_pipeline.data.dates import read_dates
from lepton_pipeline.data.fingerprint import fingerprint
from lepton_pipeline.data.labels import positive_labels
from lepton_pipeline.data.raw import RawFile, read_header, read_rows
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion

# A number that starts with a superfluous zero is a code (a postcode, an article number): its zeros mean something.
_CODE = r"[+-]?0\d.*"
# What stands between fields where it is not the declared mark; a comma also where it is a decimal mark.
_SEPARATORS = ";\t|,"

Raw = list[RawFile] | pd.DataFrame


def ingest_table(
    raw: list[RawFile] | pd.DataFrame, dataset: Dataset, ingestion: Ingestion, contract: Contract, features: Features
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read the raw data of a vertical into one table with a type for every column.

    Declared columns are looked for as soon as the header is read; for the types see `read_table`.

    Args:
        raw: table files, whose rows are put one below the other; or a table that a catalog entry has loaded (SQL, say).
        dataset: declared roles of columns, and the date of which the table is (`as_of`).
        ingestion: how text becomes values.
        contract: expectations, for the columns they name.
        features: columns that are made later and so need not be there.

    Returns:
        The table, indexed 0 .. rows - 1 in the order of the raw data, and its record, see `record_table`.

    Raises:
        DataError: a file is empty, has only a header, a column twice or bytes that cannot be decoded; files differ in
            their columns; a declared column is absent; a declared date is none; the target cannot be learnt.
    """

    def check(names: Sequence[str], where: str) -> None:
        declared = declared_columns(dataset, contract, features) | {"ingestion.dates": list(ingestion.dates)}
        check_columns(names, declared, where)

    columns = _known_columns(_untyped_table(raw, ingestion, check), dataset, ingestion)
    table = _typed(columns, ingestion)
    return table, record_table(table, dataset, [] if isinstance(raw, pd.DataFrame) else [file.name for file in raw])


def read_table(
    raw: list[RawFile] | pd.DataFrame,
    ingestion: Ingestion,
    contract: Contract,
    name: str,
    dataset: Dataset | None = None,
) -> pd.DataFrame:
    """Read one raw table with a type for every column.

    A text column becomes numbers where every value in it is one, dates where a format is declared, and stays text
    otherwise.

    Args:
        raw: table files, whose rows are put one below the other; or a table that a catalog entry has loaded.
        ingestion: how text becomes values.
        contract: expectations on this table, for the columns they name.
        name: of the table, as `tables.<name>` declares it.
        dataset: of the vertical; as of its date (`as_of`), rows whose `contract.time` is later are not there. Where the
            table declares no time it is as it is today: nobody can tell what was in it.

    Returns:
        Typed rows, indexed 0 .. rows - 1.

    Raises:
        DataError: as `ingest_table`, but for the target.
    """

    def check(names: Sequence[str], where: str) -> None:
        check_columns(names, declared_columns(None, contract, Features(), f"tables.{name}"), where)

    columns = _untyped_table(raw, ingestion, check)
    if dataset is not None:
        # Rows that came while a label was awaited are what it is made of.
        own = dataset.model_copy(update={"time": contract.time, "label_delay": 0})
        columns = _known_columns(columns, own, ingestion)
    return _typed(columns, ingestion)


def record_table(table: pd.DataFrame, dataset: Dataset, files: list[str]) -> dict[str, Any]:
    """Identify the table that a model is made from.

    Args:
        table: typed rows with the target.
        dataset: names the target and its positive class.
        files: names of the files it was read from.

    Returns:
        `rows`, `columns` (name to type), `sha256` (see `fingerprint`), `base_rate` (fraction of positive rows) and
        `files`.

    Raises:
        DataError: the target holds one class only, or a value that is in neither.
    """
    base_rate = float(positive_labels(table, dataset).mean())
    return {**fingerprint(table), "base_rate": round(base_rate, 6), "files": files}


def _untyped_table(raw: Raw, ingestion: Ingestion, check: Callable[[Sequence[str], str], None]) -> pd.DataFrame:
    return checked_frame(raw, check) if isinstance(raw, pd.DataFrame) else _read_files(raw, ingestion, check)


def _known_columns(columns: pd.DataFrame, dataset: Dataset, ingestion: Ingestion) -> pd.DataFrame:
    """Leave out what was not known at `dataset.as_of` before types are told: a later text would make a column text."""
    if dataset.as_of is None or dataset.time not in columns:
        return columns
    times = typed_column(columns[dataset.time], ingestion).to_frame()
    return columns.loc[known_rows(times, dataset).index].reset_index(drop=True)


def _typed(columns: pd.DataFrame, ingestion: Ingestion) -> pd.DataFrame:
    return pd.DataFrame({name: typed_column(columns[name], ingestion) for name in columns})


def checked_frame(raw: pd.DataFrame, check: Callable[[Sequence[str], str], None]) -> pd.DataFrame:
    """A table that a catalog entry has loaded, with its columns checked and its rows numbered from 0.

    Raises:
        DataError: it has no rows, a column twice, or not the columns that `check` asks for.
    """
    names = [str(name).strip() for name in raw.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"the raw table has more than one column named {twice[0]!r}; rename all but one in its query.")
    check(names, "the raw table")
    if raw.empty:
        raise DataError("the raw table has no rows; check the source of the vertical's raw catalog entry.")
    return raw.set_axis(names, axis="columns").reset_index(drop=True)


def _read_files(
    files: list[RawFile], ingestion: Ingestion, check: Callable[[Sequence[str], str], None]
) -> pd.DataFrame:
    headers = read_headers(files, ingestion, check)
    parts = [read_rows(file, names, ingestion) for file, names in zip(files, headers, strict=True)]
    rows = pd.concat(parts, ignore_index=True)
    if rows.empty:
        raise no_rows(files)
    return rows


def read_headers(
    files: list[RawFile], ingestion: Ingestion, check: Callable[[Sequence[str], str], None]
) -> list[list[str]]:
    """Read the column names of files whose rows are put one below the other.

    Args:
        files: CSV or Parquet files.
        ingestion: separator and encoding of text files.
        check: called with the names of each file and what it is called; raises where they are not as declared.

    Returns:
        The names of each file, each in its own order.

    Raises:
        DataError: as `read_header`; there is but one column, and it holds a separator; files differ in their columns.
    """
    headers = [read_header(file, ingestion) for file in files]
    for file, names in zip(files, headers, strict=True):
        _require_separated(file, names)
        check(names, file.name)
        if set(names) != set(headers[0]):
            differing = ", ".join(repr(name) for name in sorted(set(names) ^ set(headers[0])))
            raise DataError(
                f"{files[0].name} and {file.name} differ in the column(s) {differing}; give all files the same columns."
            )
    return headers


def no_rows(files: list[RawFile]) -> DataError:
    """The error of files without a row."""
    return DataError(f"{', '.join(file.name for file in files)}: only a header, no rows; put data below it.")


def _require_separated(file: RawFile, names: list[str]) -> None:
    other = next((mark for mark in _SEPARATORS if mark in names[0]), None)
    if len(names) == 1 and other is not None and not file.is_parquet:
        raise DataError(
            f"{file.name} has a single column, {names[0]!r}; declare ingestion.separator, which seems to be {other!r}."
        )


def typed_column(column: pd.Series, ingestion: Ingestion) -> pd.Series:
    """Dates where a format is declared, numbers where every value is one, else text without blanks around it.

    Args:
        column: values as they were read.
        ingestion: decimal mark, formats of dates, and the texts that become missing.

    Raises:
        DataError: a value of a column of dates does not have the declared format; values are lists, or of several
            kinds.
    """
    column = _of_one_type(column)
    declared_date = column.name in ingestion.dates
    if not pd.api.types.is_string_dtype(column):
        return _as_dates(column, ingestion) if declared_date else column
    codes, values = _distinct_texts(column, ingestion)
    present = values.dropna()
    if declared_date:
        typed = _as_dates(values, ingestion)
        return pd.Series(typed.array.take(codes), index=column.index, name=column.name)
    # Swapped, not replaced: where the comma is the decimal mark, 1.5 is no number.
    plain = present if ingestion.decimal == "." else present.str.translate(str.maketrans(",.", ".,"))
    numbers = pd.to_numeric(plain, errors="coerce")
    if present.empty or numbers.isna().any() or present.str.fullmatch(_CODE).any():
        typed = values
    else:
        # Without missing values whole numbers stay whole; with them pandas' classic types have only floats.
        typed = numbers if len(numbers) == len(values) else numbers.reindex(values.index).astype(float)
    return pd.Series(typed.array.take(codes), index=column.index, name=column.name)


def text_column(column: pd.Series, ingestion: Ingestion) -> pd.Series:
    """A column of texts as texts, whatever they look like: without blanks around them, the declared ones missing."""
    codes, values = _distinct_texts(column, ingestion)
    return pd.Series(values.array.take(codes), index=column.index, name=column.name)


def _distinct_texts(column: pd.Series, ingestion: Ingestion) -> tuple[Any, pd.Series]:
    """Every distinct text is looked at once: columns of a large table repeat theirs."""
    codes, texts = pd.factorize(column, use_na_sentinel=False)
    values = pd.Series(texts, name=column.name).str.strip()
    return codes, values.mask(values.isin(ingestion.missing))


def _of_one_type(column: pd.Series) -> pd.Series:
    """Python's objects, as which Parquet and SQL hand over decimals and days, say, as values of the type that fits."""
    if column.dtype != object:
        return column
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("decimal", "integer", "floating", "mixed-integer-float"):
        return pd.to_numeric(column)
    if kind == "boolean":
        return column.astype("boolean")
    if kind == "date":
        return pd.to_datetime(column).dt.as_unit("us")
    if kind.startswith("mixed"):
        types = sorted({type(value).__name__ for value in column.dropna()})
        raise DataError(
            f"column {column.name!r} holds values of several kinds, or of one that no feature has "
            f"({', '.join(types)}); make them numbers, texts, dates or truth values, the same in every file, "
            "or take the column out of the data."
        )
    return column


def _as_dates(column: pd.Series, ingestion: Ingestion) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    try:
        return read_dates(column, ingestion.dates[str(column.name)])
    except ValueError as error:
        raise DataError(f"column {column.name!r} cannot be read as dates (ingestion.dates): {error}.") from error
