"""Arrow columns: texts trimmed and composed, numbers in plain form, missing codes of every type as nulls."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from unicodedata import normalize

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lepton_pipeline.data.expressions.dates import ISO
from lepton_pipeline.data.numbers import Writing, missing_numbers
from lepton_pipeline.parameters import Ingestion


def clean_texts(column: Any, missing: Iterable[str]) -> Any:
    """Trim and compose (NFC) Arrow strings; those among `missing` become null."""
    trimmed = pc.utf8_trim_whitespace(column)
    if not pc.all(pc.string_is_ascii(trimmed), min_count=0).as_py():
        trimmed = _composed(trimmed)
    means_nothing = pc.is_in(trimmed, value_set=pa.array(list(missing), trimmed.type))
    return pc.if_else(means_nothing, pa.scalar(None, trimmed.type), trimmed)


def with_strings(table: Any) -> Any:
    """Cast string views, which few Arrow functions take, to strings."""
    views = {name for name in table.column_names if pa.types.is_string_view(table.schema.field(name).type)}
    if not views:
        return table
    fields = [field.with_type(pa.large_string()) if field.name in views else field for field in table.schema]
    return table.cast(pa.schema(fields))


def _composed(texts: Any) -> Any:
    """Texts in NFC; Arrow's own function decomposes them instead (pyarrow 25)."""
    values = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    coded = values.dictionary_encode()
    composed = [None if text is None else normalize("NFC", text) for text in coded.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(composed, texts.type).take(coded.indices)])


def plain_numbers(texts: Any, writing: Writing) -> Any:
    """Numbers as a program would write them; see `Writing.unwritten`."""
    if writing.plain:
        return texts
    for pattern, replacement in writing.rules:
        texts = pc.replace_substring_regex(texts, pattern=pattern, replacement=replacement)
    if writing.thousands is not None:
        grouped = pc.match_substring_regex(texts, writing.grouped())
        if pc.any(grouped).as_py():
            texts = pc.if_else(grouped, pc.replace_substring_regex(texts, writing.marks(), ""), texts)
    if writing.swapped:
        for old, new in ((".", "\x00"), (",", "."), ("\x00", ",")):
            texts = pc.replace_substring(texts, old, new)
    return texts


def fits(texts: Any, pattern: str) -> Any:
    """Whether each text as a whole matches a pattern; null for null."""
    return pc.match_substring_regex(texts, f"^(?:{pattern})$")


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def without_codes(column: Any, ingestion: Ingestion, layout: str | None) -> Any:
    """Arrow values, not texts, with NaN and missing codes as nulls; `layout` is the format of dates."""
    kind = column.type
    own = kind
    if pa.types.is_float16(kind):
        column, kind = column.cast(pa.float32()), pa.float32()
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    numbers: list[Any] = missing_numbers(ingestion.missing, Writing(ingestion))
    if pa.types.is_integer(kind):
        # Exactly: beyond 2^53 a float would hit the neighbours, too.
        low, high = (-(2**63), 2**63 - 1) if pa.types.is_signed_integer(kind) else (0, 2**64 - 1)
        whole = [int(number) for number in numbers if number == int(number) and low <= number <= high]
        wider = pa.int64() if pa.types.is_signed_integer(kind) else pa.uint64()
        compared, wanted = column.cast(wider), pa.array(whole, wider)
    elif pa.types.is_floating(kind):
        # As the column writes them: -99.9 is another number in 32 bits.
        narrow = {pa.float16(): np.float16, pa.float32(): np.float32}.get(own, np.float64)
        compared, wanted = column.cast(pa.float64()), pa.array(np.array(numbers, narrow).astype(float))
    elif pa.types.is_decimal(kind):
        compared, wanted = column.cast(pa.float64(), safe=False), pa.array(numbers, pa.float64())
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        dates = date_codes(ingestion.missing, layout)
        compared, wanted = column, pa.array(dates, pa.timestamp("us"))
        if dates:
            compared = column.cast(pa.timestamp("us"), safe=False)
    else:
        return column
    return pc.if_else(pc.is_in(compared, wanted), pa.scalar(None, kind), column) if len(wanted) else column


def date_codes(missing: Iterable[str], layout: str | None) -> list[pd.Timestamp]:
    """The missing codes that are dates, in the declared format or in ISO 8601."""
    found = []
    for text in missing:
        for form in dict.fromkeys([layout or ISO, ISO]):
            date = pd.to_datetime(text, format=form, errors="coerce") if re.search(r"\d\d", text) else pd.NaT
            if not pd.isna(date):
                found.append(pd.Timestamp(date).tz_localize(None))
                break
    return found
