"""Convert raw values of a few rows, as clients send them, to the values of the vertical's table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cached_property
from math import isinf
from typing import Any
from unicodedata import normalize

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data import texts
from lepton_pipeline.data.expressions.dates import ISO
from lepton_pipeline.data.mask import Masker
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.column_encoders import TRUTH
from lepton_pipeline.parameters import Ingestion

_SHOWN = 60


@dataclass(frozen=True)
class RawValues:
    """Reader of raw values; `kinds` are "number", "key", "text", "truth" or "date" by column."""

    ingestion: Ingestion
    kinds: dict[str, str]

    @classmethod
    def of(
        cls, table: pd.DataFrame, ingestion: Ingestion, names: Iterable[str], keys: Collection[str]
    ) -> RawValues:
        """Take the kinds of the columns `names` of a typed table; `keys` hold categories."""
        kinds = {name: _kind(table[name]) for name in names}
        kinds |= {name: "key" for name, kind in kinds.items() if kind == "number" and name in keys}
        return cls(ingestion, kinds)

    def read(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Mask texts, read numbers and missing-value codes; `DataError` names a column with a wrong value."""
        known = {name: rows[name] for name in self.kinds if name in rows}
        read = {name: self._column(column, self.kinds[name]) for name, column in known.items()}
        changed = {name: column for name, column in read.items() if column is not known[name]}
        return rows.assign(**changed) if changed else rows

    def _column(self, column: pd.Series, kind: str) -> pd.Series:
        if self._masker is not None and column.name in self._masker.columns:
            column = self._masker.series(column)
        if kind == "number" and column.dtype == object and {type(value) for value in column} <= {int, float}:
            column = column.infer_objects()
        if kind == "number" and pd.api.types.is_timedelta64_dtype(column.dtype):
            return pd.Series(column.dt.total_seconds())
        if kind == "date" and pd.api.types.is_datetime64_any_dtype(column.dtype):
            coded = column.dt.tz_localize(None).isin(self._date_codes(str(column.name)))
            return column.mask(coded) if coded.any() else column
        if column.dtype == object or pd.api.types.is_string_dtype(column.dtype):
            read = self._reader(str(column.name), kind)
            # Every distinct value is read once; 1, 1.0 and True are equal, but not the same.
            keys = [(type(value), value) for value in column.tolist()]
            known = {key: read(key[1]) for key in dict.fromkeys(keys)}
            return pd.Series([known[key] for key in keys], column.index, object, column.name)
        if self._codes and kind != "date" and pd.api.types.is_numeric_dtype(column.dtype):
            # In the precision of the column: -99.9 is another number in 32 bits.
            precision = np.float32 if column.dtype == np.float32 else np.float64
            coded = column.isin(np.array(self._codes, precision))
            return column.astype("float64").mask(coded) if coded.any() else column
        return column

    def _reader(self, name: str, kind: str) -> Callable[[Any], Any]:
        dates = self._date_codes(name) if kind == "date" else []

        def is_coded_date(text: str) -> bool:
            return bool(dates) and any(
                found in dates for found in texts.date_codes([text], self._layout(name))
            )

        def read(value: Any) -> Any:
            if isinstance(value, str):
                text = normalize("NFC", value.strip())
                if text in self.ingestion.missing or is_coded_date(text):
                    return None
                if kind == "key":
                    whole = texts.matches(texts.CANONICAL, text) and len(text) <= texts.MOST_DIGITS
                    return int(text) if whole else text
                if kind == "truth":
                    return {"True": True, "False": False}.get(TRUTH.get(text.lower(), text), text)
                return self._number(name, text) if kind == "number" else text
            if kind == "date":
                return None if isinstance(value, date) and is_coded_date(str(value)) else value
            if isinstance(value, timedelta) and kind == "number":
                return value.total_seconds()
            if isinstance(value, time) and kind == "number":
                return timedelta(hours=value.hour, minutes=value.minute, seconds=value.second).total_seconds()
            if isinstance(value, int | float | np.number | Decimal) and not isinstance(value, bool):
                codes: Any = (
                    np.array(self._codes, np.float32) if isinstance(value, np.float32) else self._codes
                )
                return None if value in codes else value
            return value

        return read

    def _number(self, name: str, text: str) -> int | float | None:
        number = texts.read_number(text, self._writing)
        if number is None:
            raise DataError(
                f"column {name!r} must hold numbers, but {_short(text)} is no number; correct it, leave it empty, or "
                "declare how it is written (ingestion) and train again."
            )
        return None if number in self._codes else number

    def _layout(self, name: str) -> str:
        return self.ingestion.dates.get(name, ISO)

    def _date_codes(self, name: str) -> list[pd.Timestamp]:
        return texts.date_codes(self.ingestion.missing, self._layout(name))

    @cached_property
    def _masker(self) -> Masker | None:
        return Masker.of(self.ingestion)

    @cached_property
    def _writing(self) -> texts.Writing:
        return texts.Writing(self.ingestion)

    @cached_property
    def _codes(self) -> list[float]:
        return texts.missing_numbers(self.ingestion.missing, self._writing)


def _kind(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column.dtype):
        return "truth"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return "number"
    return "date" if pd.api.types.is_datetime64_any_dtype(column.dtype) else "text"


def refuse_nested(rows: pd.DataFrame) -> None:
    """Raise `DataError` on lists and objects of JSON, which would count as an unseen category."""
    for name, column in rows.items():
        for value in column if column.dtype == object else ():
            if not pd.api.types.is_scalar(value):
                raise DataError(f"column {name!r} holds {_short(value)}; give one plain value for each row.")


def is_infinite(column: pd.Series) -> npt.NDArray[np.bool_]:
    """Mark infinite values, in a column of any type."""
    if pd.api.types.is_float_dtype(column.dtype):
        return np.asarray(np.isinf(column.to_numpy(np.float64, na_value=np.nan)))
    if column.dtype != object:
        return np.zeros(len(column), dtype=bool)
    found = [isinstance(value, float | np.floating | Decimal) and isinf(value) for value in column]
    return np.array(found, dtype=bool)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
