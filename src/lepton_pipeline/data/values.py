"""Raw values -> typed columns, by kinds that were inferred before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lepton_pipeline.data.expressions.dates import in_zone, read_dates
from lepton_pipeline.data.kinds import IN_ZONE, NUMBERS, SINGLE, Wanted, find_kinds
from lepton_pipeline.data.texts import (
    Writing,
    clean_texts,
    date_codes,
    is_text,
    plain_numbers,
    with_strings,
    without_codes,
)
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion


def typed_block(block: Any, kinds: dict[str, str], ingestion: Ingestion, start: int = 0) -> pd.DataFrame:
    """The rows of an Arrow table with the types of their `kinds` (see `find_kinds`), indexed from `start`."""
    index = pd.RangeIndex(start, start + len(block))
    columns = {
        name: _typed(column, name, kinds[name], ingestion, start).array
        for name, column in zip(block.column_names, block.columns, strict=True)
    }
    return pd.DataFrame(columns, index=index, copy=False)


def typed_column(column: pd.Series, ingestion: Ingestion) -> pd.Series:
    """One column that is held whole, typed by all its values."""
    block = arrow_table(column.to_frame())
    kinds = find_kinds([block], ingestion, Wanted()).of
    return typed_block(block, kinds, ingestion)[str(column.name)].set_axis(column.index)


def arrow_table(table: pd.DataFrame) -> Any:
    """A table in memory as Arrow, without its index; a DataError where a column is of several kinds."""
    columns = {}
    for name in table:
        try:
            columns[str(name)] = pa.array(table[name], from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
            types = sorted({type(value).__name__ for value in table[name].dropna()})
            if types == ["int"]:
                # Beyond 64 bits: their digits are kept as text.
                columns[str(name)] = pa.array(table[name].astype("str"), pa.string(), from_pandas=True)
                continue
            raise DataError(
                f"column {name!r} holds values of several kinds, or of an unsupported one "
                f"({', '.join(types)}); make them numbers, texts, dates or truth values, the same in every file, "
                "or take the column out of the data."
            ) from error
    return with_strings(pa.table(columns))


def _typed(column: Any, name: str, kind: str, ingestion: Ingestion, start: int) -> pd.Series:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kind == "empty":
        return pd.Series(pa.nulls(len(column), pa.string()).to_pandas(), dtype="str")
    if kind in NUMBERS:
        return _numbers(column, kind, ingestion)
    if kind == "date" or kind.startswith(IN_ZONE):
        return _dates(column, name, None if kind == "date" else kind.removeprefix(IN_ZONE), ingestion, start)
    if kind == "text":
        return _texts(column, ingestion)
    truth = column if pa.types.is_boolean(column.type) else column.cast(pa.bool_())
    return pd.Series(truth.to_pandas(), dtype="bool" if kind == "truth" else "boolean")


def _texts(column: Any, ingestion: Ingestion) -> pd.Series:
    if not is_text(column.type):
        # A key that is a number in this file and a text in another.
        return pd.Series(without_codes(column, ingestion, None).cast(pa.string()).to_pandas(), dtype="str")
    return pd.Series(clean_texts(column, ingestion.missing).to_pandas(), dtype="str")


def _numbers(column: Any, kind: str, ingestion: Ingestion) -> pd.Series:
    floats = {"number": pa.float64(), SINGLE: pa.float32()}.get(kind)
    if is_text(column.type):
        plain = plain_numbers(clean_texts(column, ingestion.missing), Writing(ingestion))
        values = pc.utf8_ltrim(plain, "+") if floats is None else plain.cast(pa.float64())
        values = without_codes(values, ingestion, None)
    elif pa.types.is_duration(column.type) or pa.types.is_time(column.type):
        values = _seconds(column)
    else:
        values = without_codes(column, ingestion, None)
    if floats is not None:
        return pd.Series(_array(values.cast(floats, safe=False)))
    dtype = NUMBERS[kind]
    whole = values.cast(pa.uint64() if "u" in dtype.lower() else pa.int64())
    if dtype[0].islower():
        return pd.Series(_array(whole))
    return pd.Series(pd.arrays.IntegerArray(_array(pc.fill_null(whole, 0)), _array(pc.is_null(whole))))


def _array(values: Any) -> Any:
    """A writable numpy array."""
    return np.array(values.to_numpy(zero_copy_only=False))


def _seconds(column: Any) -> Any:
    units = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
    whole = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
    return pc.divide(whole.cast(pa.float64(), safe=False), units[column.type.unit])


def _dates(column: Any, name: str, zone: str | None, ingestion: Ingestion, start: int) -> pd.Series:
    if is_text(column.type):
        texts = pd.Series(clean_texts(column, ingestion.missing).to_pandas(), dtype="str", name=name)
        return _parsed_dates(texts.set_axis(pd.RangeIndex(start, start + len(texts))), name, zone, ingestion)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        numbers = pd.Series(without_codes(column, ingestion, None).to_pandas(), name=name)
        return _parsed_dates(numbers, name, zone, ingestion)
    if pa.types.is_null(column.type):
        column = column.cast(pa.timestamp("us"))
    values = without_codes(column, ingestion, ingestion.dates.get(name))
    # By its instants: Arrow knows names of zones that pandas does not.
    wanted = pa.timestamp("us", None if zone is None else "UTC")
    try:
        # Nanoseconds are cut off; seconds may lie beyond what microseconds reach.
        instants = values.cast(wanted, safe=getattr(values.type, "unit", "") != "ns")
    except pa.ArrowInvalid as error:
        raise DataError(
            f"column {name!r} holds dates beyond the year 290,000: {error}; correct them."
        ) from error
    dates = pd.Series(instants.to_pandas()).dt.as_unit("us")
    return dates if zone is None else in_zone(dates, zone)


def _parsed_dates(column: pd.Series, name: str, zone: str | None, ingestion: Ingestion) -> pd.Series:
    """Read texts or whole numbers as dates of the declared format; missing codes become missing."""
    layout = ingestion.dates[name]
    latest = ingestion.two_digit_years.get(name)
    try:
        dates = read_dates(column, layout, or_iso=True, zone=zone, latest_year=latest)
        codes = date_codes(ingestion.missing, layout)
        return dates.mask(dates.dt.tz_localize(None).isin(codes)) if codes else dates
    except ValueError as error:
        raise DataError(f"column {name!r} cannot be read as dates (ingestion.dates): {error}.") from error
